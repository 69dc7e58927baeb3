/** The schema of `fixtures`: requests whose answer the config promises. Never runs one. */
import * as v from 'valibot';
import { parseAddress } from './cidr.ts';
import { closed, list, named, plain, text, whole } from './config-fields.ts';
import { nearest, type Parsed, parsed, unreadable } from './config-problem.ts';
import { typeName } from './config-tokens.ts';
import type { DenialCode } from './types.ts';

export type FixtureRequest = { readonly method: string; readonly target: string };

/** `serve`: answered here. `code` null: any refusal of that status will do. */
export type FixtureExpectation =
  | 'forward'
  | 'serve'
  | { readonly status: number; readonly code: DenialCode | null };

/** A union does not exist at run time: this record does, and does not compile with a code missing. */
const denialCodes = {
  request_malformed: true,
  path_ambiguous: true,
  header_too_large: true,
  uri_too_long: true,
  body_too_large: true,
  body_malformed: true,
  body_encoding: true,
  cost_too_large: true,
  expectation_failed: true,
  request_timeout: true,
  route_not_found: true,
  method_not_allowed: true,
  cors_origin_not_allowed: true,
  credential_missing: true,
  credential_malformed: true,
  credential_ambiguous: true,
  too_many_failures: true,
  token_unknown: true,
  token_expired: true,
  token_revoked: true,
  token_disabled: true,
  type_not_allowed: true,
  scope_missing: true,
  csrf_invalid: true,
  bind_mismatch: true,
  origin_not_allowed: true,
  address_not_allowed: true,
  bundle_mismatch: true,
  bundle_missing: true,
  rate_limited: true,
  payload_invalid: true,
  origins_invalid: true,
  record_not_found: true,
  activations_full: true,
  report_unsigned: true,
} satisfies Record<DenialCode, true>;

function isDenialCode(code: string): code is DenialCode {
  return Object.hasOwn(denialCodes, code);
}

function parseRequest(request: string): Parsed<FixtureRequest> {
  const [, method, target] = /^([A-Z]+) (\/\S*)$/.exec(request) ?? [];
  if (method !== undefined && target !== undefined) return parsed({ method, target });
  return unreadable(
    `"${request}" is not a request`,
    'write METHOD, one space and the target: GET /projects?page=2',
  );
}

function parseExpectation(expect: string): Parsed<FixtureExpectation> {
  if (expect === 'forward' || expect === 'serve') return parsed(expect);
  const [, status, code] = /^([2-5][0-9]{2})(?: ([a-z_]+))?$/.exec(expect) ?? [];
  if (status === undefined) {
    return unreadable(
      `"${expect}" is nothing to expect`,
      'write forward, serve, a status (401), or both status and code (401 type_not_allowed)',
    );
  }
  if (code === undefined) return parsed({ status: Number(status), code: null });
  if (isDenialCode(code)) return parsed({ status: Number(status), code });
  const near = nearest(code, Object.keys(denialCodes));
  return unreadable(
    `"${code}" is not a refusal code`,
    near === null ? 'write the status alone' : `did you mean "${near}"?`,
  );
}

const attributeValue = v.union([
  v.pipe(v.string(), v.description('The value of the attribute.')),
  list('The values of a list attribute, or scopes, or origins.', v.string()),
]);

export const fixturesSchema = list(
  'Requests and the answer each must get; run at load, at reload and by postern check.',
  closed({
    name: plain('What is proved, as a sentence.'),
    request: text('METHOD /target.', parseRequest, ['POST /ingest']),
    as: v.optional(
      named(
        'The token type that asks, with attributes and scopes; absent: nobody.',
        v.pipe(
          v.record(typeName, attributeValue),
          v.description('Attributes of the token, scopes: [...], and origins: [...] it is pinned to.'),
        ),
      ),
    ),
    headers: v.optional(
      v.pipe(v.record(v.string(), plain('Its value.')), v.description('Request headers.')),
      {},
    ),
    body: v.optional(
      v.pipe(
        v.union([
          v.pipe(v.string(), v.description('The body as it stands.')),
          v.pipe(v.array(v.unknown()), v.description('The body, written as JSON.')),
          v.pipe(v.record(v.string(), v.unknown()), v.description('The body, written as JSON.')),
        ]),
        v.description('The request body: a text, or a map or list that is sent as JSON.'),
      ),
    ),
    pinned: v.optional(
      v.pipe(
        v.record(v.string(), plain('What is pinned.')),
        v.description('What bundle_id pins hold already: { app: com.acme.app }; others hold nothing yet.'),
      ),
      {},
    ),
    from: v.optional(text('The address of the caller; absent: 127.0.0.1.', parseAddress, ['203.0.113.7'])),
    nth: v.optional(
      whole(
        'The how manieth such request it is, by the same caller at the same moment; then limits count. Absent: they are free.',
        1,
        1_000_000_000,
      ),
    ),
    expect: v.pipe(
      v.union([v.string(), v.number()]),
      v.description('forward, serve, a status, or a status and a code: 401 type_not_allowed.'),
      v.transform(String),
      v.rawTransform(({ dataset, addIssue, NEVER }): FixtureExpectation => {
        const result = parseExpectation(dataset.value);
        if (result.ok) return result.value;
        addIssue({ message: `${result.message}\n${result.hint}` });
        return NEVER;
      }),
    ),
  }),
);
