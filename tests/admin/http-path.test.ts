/** Every no of the admin API that is about one field names it: whatever is wrong, whoever notices it. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labelOf } from '../../policy/token-input.ts';
import { type AdminFixture, startAdmin } from '../fixtures/admin.ts';

let admin: AdminFixture;
let user = '';
let project = '';
beforeAll(async () => {
  admin = await startAdmin();
  user = (await admin.ask('POST /v1/tokens', { body: good })).json.id;
  project = (await admin.ask('POST /v1/tokens', { body: { type: 'project', attributes: { project: 'p' } } }))
    .json.id;
});
afterAll(() => admin.gateway.stop());

const good = {
  type: 'user',
  label: 'good',
  scopes: ['events:read'],
  attributes: { team: 't', projects: ['a', 'b'] },
  origins: ['https://a.example'],
};

/** What a body says instead, and the path that its no must have. */
type Flawed = { readonly said: Readonly<Record<string, unknown>>; readonly path: string };

const flawed = (said: Flawed['said'], path: string): Flawed => ({ said, path });
const noText = fc.oneof(fc.integer(), fc.boolean(), fc.constant({}), fc.constant([[]]));
const noLabel = fc.oneof(
  noText,
  fc.constantFrom('', 'a\u0000b', 'a\nb', '\u202e', 'x'.repeat(121)),
  fc.string().filter((text) => !labelOf(text).ok),
);
const noDuration = fc.oneof(noText, fc.constantFrom('', '90', 'soon', '-1d', '0x1d', '1.5.5h'));
const badLabel = noLabel.map((label) => flawed({ label }, 'label'));
const afterGood = fc.nat({ max: 3 });

/** The flaw stands after so many that are right. */
const badScope = fc
  .tuple(afterGood, fc.oneof(noText, fc.constantFrom('events:delete', '', 'events:reed')))
  .map(([at, odd]) => flawed({ scopes: [...Array(at).fill('events:read'), odd] }, `scopes.${at}`));
const badOrigin = fc
  .tuple(afterGood, fc.oneof(noText, fc.constantFrom('a.example', '', 'ftp://a.example', '*', 'https://')))
  .map(([at, odd]) => flawed({ origins: [...Array(at).fill('https://a.example'), odd] }, `origins.${at}`));
const tooManyOrigins = fc.constant(
  flawed({ origins: Array.from({ length: 21 }, (_, at) => `https://a${at}.example`) }, 'origins'),
);
const noValue = fc.constantFrom('', ' a', 'a ', 'ü', 'a\nb', 'x'.repeat(201));
const badAttributes = fc.oneof(
  noValue.map((team) => flawed({ attributes: { team } }, 'attributes.team')),
  noValue.map((odd) => flawed({ attributes: { projects: ['a', odd] } }, 'attributes.projects.1')),
  fc.constantFrom(
    flawed({ attributes: { team: ['a'] } }, 'attributes.team'),
    flawed({ attributes: { projects: 'a' } }, 'attributes.projects'),
    flawed({ attributes: { projects: ['a,b'] } }, 'attributes.projects.0'),
    flawed({ attributes: { teem: 'a' } }, 'attributes.teem'),
    flawed({ attributes: { prj_0123456789: 'a' } }, 'attributes.…'),
    flawed({ attributes: ['team=a', 'team=b'] }, 'attributes.team'),
    flawed({ attributes: ['team=a', 'projects'] }, 'attributes.1'),
    flawed({ attributes: { team: 1 } }, 'attributes'),
    flawed({ attributes: 'team=a' }, 'attributes'),
  ),
);
const badExpiry = noDuration.map((expires_in) => flawed({ expires_in }, 'expires_in'));
const noLater = fc.constantFrom(
  flawed({ expires_in: '0s' }, 'expires_in'),
  flawed({ expires_in: '999999999d' }, 'expires_in'),
);
const unknownKey = fc.constantFrom(
  flawed({ lable: 'x' }, 'lable'),
  flawed({ usr_0123456789abcdef: 'x' }, '…'),
);
const onlyMade = fc.oneof(
  fc.oneof(noText, fc.constantFrom('usre', '', 'probe', '__proto__')).map((type) => flawed({ type }, 'type')),
  fc.oneof(fc.integer(), fc.constant('yes')).map((canary) => flawed({ canary }, 'canary')),
);

const ofToken = [badLabel, badScope, badOrigin, tooManyOrigins, badAttributes, badExpiry, noLater];

async function expectTold(line: string, body: unknown, path: string): Promise<void> {
  const { status, json } = await admin.ask(line, { body });
  expect({ status, path: json.path }, `${line} ${JSON.stringify(body)}: ${json.detail}`).toEqual({
    status: 400,
    path,
  });
}

describe('whatever is wrong in one field, the path names this field', () => {
  test('of a token that is to be made', async () => {
    const flaws = fc.oneof(...ofToken, unknownKey, onlyMade);
    await fc.assert(
      fc.asyncProperty(flaws, fc.boolean(), ({ said, path }, isDry) =>
        expectTold(`POST /v1/tokens${isDry ? '?dry_run=true' : ''}`, { ...good, ...said }, path),
      ),
      { numRuns: 150 },
    );
  });

  test('of one that is to be changed, whatever else is changed with it', async () => {
    const { type: _type, ...others } = good;
    const flaws = fc.oneof(...ofToken, unknownKey);
    await fc.assert(
      fc.asyncProperty(flaws, fc.boolean(), ({ said, path }, isAlone) =>
        expectTold(`PATCH /v1/tokens/${user}`, isAlone ? said : { ...others, ...said }, path),
      ),
      { numRuns: 150 },
    );
  });

  test('of one that is to be rotated or regenerated', async () => {
    const tooLong = fc.constant('9999d');
    const overlap = fc.oneof(noDuration, tooLong).map((said) => flawed({ overlap: said }, 'overlap'));
    const retire = fc.constantFrom(
      flawed({ retire: 'sometime' }, 'retire'),
      flawed({ retire: 'when_quiet', overlap: '1h' }, 'overlap'),
    );
    const grace = fc.oneof(noDuration, tooLong).map((said) => flawed({ grace: said }, 'grace'));
    const { origins: _origins, ...others } = good;
    await fc.assert(
      fc.asyncProperty(fc.oneof(overlap, retire, unknownKey), ({ said, path }) =>
        expectTold(`POST /v1/tokens/${user}/rotate`, said, path),
      ),
      { numRuns: 50 },
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(grace, badLabel, badScope, badAttributes, unknownKey), ({ said, path }) =>
        expectTold('POST /v1/tokens/regenerate', { ...others, ...said }, path),
      ),
      { numRuns: 100 },
    );
  });
});

describe('the path is there', () => {
  const aProject = { type: 'project', attributes: { project: 'p' } };

  test.each([
    ['POST /v1/tokens', { ...aProject, scopes: ['events:write'] }, 'scopes'],
    ['POST /v1/tokens', { type: 'project' }, 'attributes.project'],
    ['POST /v1/tokens', { label: 'x' }, 'type'],
    ['POST /v1/tokens', '{"type":"user","type":"user"}', 'type'],
    [
      'POST /v1/tokens',
      '{"type":"user","attributes":{"usr_01234567":"a","usr_01234567":"b"}}',
      'attributes.…',
    ],
    ['POST /v1/tokens/regenerate', { type: 'postern_admin' }, 'type'],
    ['POST /v1/tokens/purge', { before: '1h' }, 'before'],
    ['POST /v1/audit/purge', { before: 'x' }, 'before'],
    ['PUT /v1/pins/app/project=p', { value: '' }, 'value'],
    ['PUT /v1/pins/app/project=p', { value: 'com.a', reason: '' }, 'reason'],
    ['PUT /v1/pins/ap/project=p', { value: 'com.a' }, 'pin'],
    ['PUT /v1/pins/app/team=p', { value: 'com.a' }, 'subject'],
    ['POST /v1/probes', { for: '', label_pattern: 'a' }, 'for'],
    ['POST /v1/probes', { for: 'a', label_pattern: '' }, 'label_pattern'],
    ['POST /v1/probes', { for: 'a', label_pattern: 'a', ttl_seconds: 1 }, 'ttl_seconds'],
    ['POST /v1/probes', { for: 'a', label_pattern: 'a', type: 'user' }, 'type'],
    ['POST /v1/config/explain', { method: 'get', path: '/' }, 'method'],
    ['POST /v1/config/explain', { method: 'GET', path: '/', headers: ['A: b', 'x'] }, 'headers.1'],
    ['POST /v1/config/explain', { method: 'GET', path: '/', from: 'x' }, 'from'],
    ['POST /v1/config/explain', { method: 'GET', path: '/', as: 'user:events:reed' }, 'as'],
    ['POST /v1/config/explain', { method: 'GET', path: '/', attributes: { a: 'b' } }, 'attributes'],
    ['GET /v1/tokens?limit=0', undefined, 'limit'],
    ['GET /v1/tokens?limit=1&limit=2', undefined, 'limit'],
    ['GET /v1/tokens?type=usre', undefined, 'type'],
    ['GET /v1/tokens?attribute=team=a', undefined, 'attribute'],
    ['GET /v1/tokens?type=user&attribute=team', undefined, 'attribute'],
    ['GET /v1/tokens?unused_for=x', undefined, 'unused_for'],
    ['GET /v1/tokens?dry_run=true', undefined, 'dry_run'],
    ['GET /v1/tokens?limitt=1', undefined, 'limitt'],
    ['GET /v1/audit/verify?head=x', undefined, 'head'],
    ['GET /v1/usage?since=500d', undefined, 'since'],
    ['GET /v1/usage?by=day', undefined, 'by'],
    ['GET /v1/probes', undefined, 'for'],
    ['GET /v1/tail?status=x', undefined, 'status'],
  ])('%s %j: %s', async (line, body, path) => {
    await expectTold(line, body, path);
  });

  test('where nobody has what a path or a query names', async () => {
    const paths = [];
    for (const line of ['GET /v1/tokens/tok_x', 'GET /v1/tokens/tok_x/usage', 'GET /v1/usage?token=tok_x']) {
      paths.push((await admin.ask(line)).json.path);
    }
    for (const line of ['GET /v1/tail?token=tok_x', 'GET /v1/tail?row=x', 'GET /v1/pins/app/project=x']) {
      paths.push((await admin.ask(line)).json.path);
    }
    expect(paths).toEqual(['id', 'id', 'token', 'token', 'row', 'subject']);
  });

  test('where a scope is more than whoever asks may give', async () => {
    const { token } = await admin.mint('tokens:write');
    const body = { type: 'postern_admin', scopes: ['audit:read'] };
    const { status, json } = await admin.ask('POST /v1/tokens', { token, body });
    expect([status, json.path]).toEqual([403, 'scopes']);
  });

  test('where a header field is wrong', async () => {
    const headers = { 'Idempotency-Key': 'a b c' };
    const { json } = await admin.ask('POST /v1/tokens', { body: aProject, headers });
    expect(json.path).toBe('Idempotency-Key');
  });

  test('and not where it is about nothing, or all', async () => {
    const answers = [
      await admin.ask(`PATCH /v1/tokens/${user}`, { body: {} }),
      await admin.ask('POST /v1/tokens', { body: '{' }),
      await admin.ask('GET /v1/tokens', { token: null }),
      await admin.ask('GET /v1/nothing'),
    ];
    expect(answers.map(({ json }) => 'path' in json)).toEqual([false, false, false, false]);
  });

  test('and repeats no secret that stands where a name belongs', async () => {
    const secret = `usr_${'A1b2'.repeat(12)}`;
    const tries: readonly [line: string, body?: unknown][] = [
      ['POST /v1/tokens', { ...good, [secret]: 1 }],
      ['POST /v1/tokens', { ...good, attributes: { [secret]: 'x' } }],
      ['POST /v1/tokens', { ...good, attributes: [`${secret}=x`] }],
      ['POST /v1/tokens', `{"type":"user","${secret}":1,"${secret}":2}`],
      [`GET /v1/tokens?${secret}=1&${secret}=2`],
      [`GET /v1/tokens?${secret}=%00`],
      [`PATCH /v1/tokens/${project}`, { attributes: { project: 'p', [secret]: 'x' } }],
    ];
    for (const [line, body] of tries) {
      const { status, text } = await admin.ask(line, body === undefined ? {} : { body });
      expect([line, status, text.includes(secret)]).toEqual([line, 400, false]);
    }
  });
});
