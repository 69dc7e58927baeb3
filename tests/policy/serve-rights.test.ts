/** What a new token may do and whose it is: never more than its maker, whatever the maker holds and an upstream answers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readBody } from '../../policy/body.ts';
import { admit, decide } from '../../policy/decide.ts';
import { scanJson } from '../../policy/json-scan.ts';
import { effectiveScopes } from '../../policy/scopes.ts';
import { answeredServing, servingOf } from '../../policy/serve.ts';
import type { TokenServing } from '../../policy/serve-types.ts';
import { checkAttributes, lacksNothing } from '../../policy/token-input.ts';
import type { AttributeValue } from '../../policy/token-types.ts';
import { loaded } from '../fixtures/config.ts';
import { factsOf, tokenOf } from '../support/policy.ts';

const { policy } = loaded(`version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types:
  maker: { prefix: mak_, grantable: [read, write, admin], attributes: { user: required, plan: optional } }
  made: { prefix: mad_, grantable: [read, write, other], attributes: { user: required, plan: optional, team: optional } }
scopes: { read: Read, write: Write, admin: Admin, other: Other }
apis:
  main:
    to: app
    routes:
      GET /all: { allow: { maker: admin, made: other } }
      POST /tokens:
        allow: { maker: any_scope }
        serve: token.create
        with: { type: made, scopes: token.scopes, attributes: { user: token.attribute.user, plan: token.attribute.plan, team: json:/team/id } }
        confirm: { to: app, request: GET /team }
`);

const type = policy.types.get('maker') ?? expect.fail();
const made = policy.types.get('made') ?? expect.fail();
const scopes = fc.subarray(['read', 'write', 'admin', 'other', 'gone']);
const text = fc.oneof(fc.constantFrom('usr_1', 'pro'), fc.stringMatching(/^[!-~]{1,20}$/));

/** The serving of a maker; null: it is refused. */
function servingFor(held: readonly string[], attributes: ReadonlyMap<string, AttributeValue>) {
  const token = tokenOf({ type: 'maker', scopes: held, attributes });
  const facts = factsOf({ method: 'POST', path: '/tokens', host: 'a' });
  const match = policy.find('a', '/tokens')[0] ?? expect.fail();
  const claim = decide(policy, match, facts, token, Date.now());
  if (!claim.ok || match.route.serve === null) return expect.fail();
  const rule = match.route.body ?? expect.fail();
  const reading = readBody(rule, scanJson(new TextEncoder().encode('{"label":"x"}'), rule.query));
  if (!reading.ok) return expect.fail();
  const permit = admit(claim.value, [], reading.value, []);
  const serving = servingOf(match.route.serve, match, permit, '{"label":"x"}');
  if (serving.ok && serving.value.kind !== 'token') expect.fail();
  return { token, serving: serving.ok ? (serving.value as TokenServing) : null };
}

function read(serving: TokenServing, answer: unknown) {
  const query = serving.rule.answered?.query ?? expect.fail();
  return answeredServing(serving, scanJson(new TextEncoder().encode(JSON.stringify(answer)), query));
}

describe('a token made with the scopes of its maker', () => {
  test('has only such as the maker has and its own type may have', () => {
    fc.assert(
      fc.property(scopes, (held) => {
        const { token, serving } = servingFor(held, new Map([['user', 'usr_1']]));
        const effective = effectiveScopes(token, type);
        expect(serving?.scopes).toEqual(['read', 'write'].filter((scope) => effective.includes(scope)));
      }),
    );
  });

  test('is of whom its maker is, whatever the upstream answers', () => {
    let answered = 0;
    const team = fc.oneof(text, fc.string({ unit: 'binary' }), fc.jsonValue(), fc.constant('a\r\nb'));
    const anyAnswer = fc.oneof(
      fc.record(
        { team: fc.record({ id: team, user: team }, { requiredKeys: [] }), user: team, plan: team },
        { requiredKeys: [] },
      ),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(text, fc.option(text), anyAnswer, (user, plan, answer) => {
        const own = new Map<string, AttributeValue>([
          ['user', user],
          ...(plan === null ? [] : [['plan', plan] as const]),
        ]);
        const { serving } = servingFor([], own);
        if (serving === null) return;
        expect(serving.attributes).toEqual(own);
        const outcome = read(serving, answer);
        if (typeof outcome === 'string') {
          expect(outcome).toMatch(
            /^(?:not JSON as it may be: [a-zA-Z ,-]+, byte \d+|what it says of team cannot be an attribute)$/,
          );
          return;
        }
        answered++;
        const { team: named, ...rest } = Object.fromEntries(outcome.attributes);
        expect(new Map(Object.entries(rest))).toEqual(own);
        expect(
          checkAttributes(made, outcome.attributes).ok && lacksNothing(made, outcome.attributes).ok,
        ).toBe(true);
        const said = (answer as { team?: { id?: unknown } } | null)?.team?.id;
        expect(named).toBe(said === null || said === '' ? undefined : said);
      }),
      { numRuns: 500 },
    );
    expect(answered).toBeGreaterThan(50);
  });
});
