/** Golden decisions: what is asked and what must come of it stand in cases/*.yaml, for people to read. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { decide } from '../../policy/decide.ts';
import { normaliseOrigin } from '../../policy/origin.ts';
import { parseTarget } from '../../policy/path.ts';
import { chooseRow, rowSet } from '../../policy/rows.ts';
import type { AttributeValue, TokenRecord } from '../../policy/token-types.ts';
import type { Claim, Denial, Outcome, Policy } from '../../policy/types.ts';
import { loaded } from '../fixtures/config.ts';
import { factsOf, noon, tokenOf } from '../support/policy.ts';

/** Times are written as instants; `now` is noon of 2026-01-01 where nothing is said. */
type CaseToken = {
  readonly type: string;
  readonly id?: string;
  readonly scopes?: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly origins?: readonly string[];
  readonly not_before?: string;
  readonly expires_at?: string;
  readonly retire_at?: string;
  readonly disabled_at?: string;
  readonly revoked_at?: string;
};

type Case = {
  readonly name: string;
  /** `METHOD TARGET` */
  readonly request: string;
  readonly host?: string;
  readonly origin?: string;
  readonly address?: string;
  readonly now?: string;
  /** Absent: nobody. */
  readonly token?: CaseToken;
} & (
  | {
      readonly yes: {
        readonly row: string;
        readonly scopes: readonly string[];
        readonly charges: readonly string[];
      };
    }
  | {
      readonly no:
        | string
        | {
            readonly code: string;
            readonly scopes?: readonly string[];
            readonly status?: number;
            readonly allow?: readonly string[];
          };
    }
);

type CaseFile = { readonly config: unknown; readonly cases: readonly Case[] };

const folder = join(import.meta.dirname, 'cases');

function recordOf(token: CaseToken): TokenRecord {
  const time = (text: string | undefined) => (text === undefined ? null : Date.parse(text));
  return tokenOf({
    id: token.id ?? 'tok_1',
    type: token.type,
    scopes: token.scopes ?? [],
    attributes: new Map(Object.entries(token.attributes ?? {})),
    origins: token.origins ?? [],
    notBefore: time(token.not_before),
    expiresAt: time(token.expires_at),
    retireAt: time(token.retire_at),
    disabledAt: time(token.disabled_at),
    revokedAt: time(token.revoked_at),
  });
}

function outcomeOf(policy: Policy, asked: Case): Outcome<Claim> {
  const [method = '', ...rest] = asked.request.split(' ');
  const target = parseTarget(rest.join(' '));
  if (!target.ok) return target;
  const facts = factsOf({
    method,
    ...target.value,
    host: asked.host ?? 'api.test',
    origin: asked.origin ?? null,
    address: asked.address ?? '192.0.2.1',
  });
  const rows = rowSet(policy, facts);
  if (!rows.ok) return rows;
  const match = chooseRow(rows.value, facts);
  if (!match.ok) return match;
  const now = asked.now === undefined ? noon : Date.parse(asked.now);
  return decide(policy, match.value, facts, asked.token ? recordOf(asked.token) : null, now);
}

/** As the cases write it. */
function written(outcome: Outcome<Claim>) {
  if (!outcome.ok) return { no: writtenNo(outcome.denial) };
  const { match, scopes, charges } = outcome.value;
  return { yes: { row: match.route.id, scopes, charges: charges.map(({ key }) => key) } };
}

function writtenNo({ code, requiredScopes, status, allow }: Denial) {
  if (requiredScopes === undefined && status === undefined && allow === undefined) return code;
  return {
    code,
    ...(requiredScopes && { scopes: requiredScopes }),
    ...(status && { status }),
    ...(allow && { allow }),
  };
}

describe.each(readdirSync(folder).sort())('%s', (name) => {
  const { config, cases }: CaseFile = parse(readFileSync(join(folder, name), 'utf8'));
  const { policy } = loaded(stringify(config));

  test('holds cases, each with a name of its own and origins as they are stored', () => {
    expect(cases.length).toBeGreaterThan(3);
    expect(new Set(cases.map((one) => one.name)).size).toBe(cases.length);
    for (const origin of cases.flatMap(({ token }) => token?.origins ?? []))
      expect(normaliseOrigin(origin)).toBe(origin);
  });

  test.each(cases)('$name', (asked) => {
    const expected = 'yes' in asked ? { yes: asked.yes } : { no: asked.no };
    expect(written(outcomeOf(policy, asked))).toEqual(expected);
  });
});
