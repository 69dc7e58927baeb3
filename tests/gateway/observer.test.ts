import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { couldBe, readCredential } from '../../gateway/credential.ts';
import { readAnswer } from '../../gateway/observed-answer.ts';
import { observerFor } from '../../gateway/observer.ts';
import { compileQuery } from '../../policy/json-pointer.ts';
import type { ObserveRule } from '../../policy/observe-types.ts';
import type { Permit } from '../../policy/types.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { gatePermit, gatePolicy, gateRoute } from '../support/gate.ts';

const rule: ObserveRule = {
  entries: [{ kind: 'pin', pin: 'app', owner: 'project', param: 'id', pointer: '/bundle_id' }],
  query: compileQuery(['/bundle_id']),
  fields: [],
  cookies: [],
};

/** The yes of a row that observes; null: of one that does not. */
function permitWith(observe: ObserveRule | null): Permit {
  const observing = observe === null ? null : { rule: observe, params: new Map([['id', 'a']]) };
  return { ...gatePermit(gateRoute('/user')), observing };
}

const observed = { policy: gatePolicy, rawHeaders: [], onSettled: () => {} };
const answer = (body: string, rawHeaders: readonly string[] = []) => ({
  rawHeaders,
  body: Buffer.from(body),
});

/** Rooms where everything can be read and nothing written. */
async function readonlyRooms() {
  const path = join(temporaryFolder(), 'pins.db');
  await (await openSqliteTokens({ path, now: Date.now })).close();
  const store = await openSqliteTokens({ path, now: Date.now, readonly: true });
  onTestFinished(() => store.close());
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const { pins, audit } = store;
  const onUnrecorded = (requestId: string, subjects: readonly string[]) => resolve({ requestId, subjects });
  return { rooms: { pins, tokens: store, audit, now: Date.now, onUnrecorded }, unrecorded: promise };
}

test('a row that observes nothing has no observer', async () => {
  const { rooms } = await readonlyRooms();
  expect(observerFor(permitWith(null), rooms, observed)).toBeNull();
});

test('a change that cannot be written is a fault of the store, and is said where the audit cannot', async () => {
  const { rooms, unrecorded } = await readonlyRooms();
  const observer = observerFor(permitWith(rule), rooms, observed);
  const fault = expect.objectContaining({ name: 'StoreFault', code: 'store_unavailable' });
  await expect(observer?.commit(answer('{"bundle_id":"com.example.a"}'))).rejects.toEqual(fault);
  observer?.failed(new Error('why'));
  expect(await unrecorded).toEqual({ requestId: 'ours-1', subjects: ['project=a'] });
});

test('nobody watches over an answer any more when what it changes begins to end tokens', async () => {
  const store = await openSqliteTokens({ path: join(temporaryFolder(), 'tokens.db'), now: Date.now });
  onTestFinished(() => store.close());
  const type = gatePolicy.types.get('user') ?? expect.fail();
  const attributes = new Map([['org', 'acme']]);
  const made = { label: 'a', scopes: [], origins: [], expiresAt: null, createdBy: 'test' };
  const { record } = await store.create({ type, attributes, ...made });
  const caller: ObserveRule = { entries: [{ kind: 'caller' }], query: null, fields: [], cookies: [] };
  const { pins, audit } = store;
  const rooms = { pins, tokens: store, audit, now: Date.now, onUnrecorded: () => {} };
  let seen: unknown;
  const onSettled = () => {
    seen = store.byId(record.id);
  };
  const observer = observerFor({ ...permitWith(caller), token: record }, rooms, { ...observed, onSettled });
  await observer?.commit(answer(''));
  expect(seen).toEqual(record);
  expect(store.byId(record.id)).toMatchObject({ revokedReason: 'observed, request ours-1' });
});

test('a fault never repeats what the answer holds', async () => {
  const { rooms } = await readonlyRooms();
  const observer = observerFor(permitWith(rule), rooms, observed);
  for (const body of ['{"secret"', '{"bundle_id":["secret"]}', `{"bundle_id":"secret\\u0001"}`]) {
    const error: unknown = await observer?.commit(answer(body)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'UpstreamFault', code: 'upstream_protocol_error' });
    expect(String(error)).not.toContain('secret');
  }
});

describe('what is read of an answer', () => {
  const cookies: ObserveRule = { entries: [], query: null, fields: ['x-client'], cookies: ['sid'] };
  const cookiesOf = (...fields: readonly string[]) =>
    readAnswer(
      cookies,
      answer(
        '',
        fields.flatMap((field) => ['Set-Cookie', field]),
      ),
      [],
      Date.now(),
    ).cookies.get('sid');

  test.each<[readonly string[], readonly string[]]>([
    [['sid=abc; Path=/; HttpOnly'], ['abc']],
    [['sid = abc ;Path=/', 'other=def'], ['abc']],
    [['sid=a=b'], ['a=b']],
    [['SID=abc', 'xsid=abc', 'sid'], []],
    [['sid=; Max-Age=0'], ['']],
    [['sid=deleted; Max-Age=0'], ['']],
    [['sid=deleted; max-age = -1'], ['']],
    [['sid=abc; Max-Age=09'], ['abc']],
    [['sid=deleted; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT'], ['']],
    [['sid=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT'], ['']],
    [['sid=abc; Expires=Thu, 01 Jan 2400 00:00:00 GMT'], ['abc']],
    [['sid=abc; Expires=never'], ['abc']],
    [['sid=abc; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60'], ['abc']],
    [
      ['sid=abc', 'sid=def'],
      ['abc', 'def'],
    ],
  ])('of the cookies %j: %j', (fields, values) => {
    expect(cookiesOf(...fields)).toEqual(values);
  });

  test.each<[readonly string[], readonly string[]]>([
    [['X-Client', 'web'], ['web']],
    [
      ['X-Client', 'web', 'x-CLIENT', 'cli'],
      ['web', 'cli'],
    ],
    [['X_Client', 'web'], []],
    [['X-Client', 'web', 'Connection', 'close, x-client'], []],
  ])('of the request %j: %j, and nothing that the upstream is not sent', (fields, values) => {
    expect(readAnswer(cookies, answer('{'), fields, Date.now()).fields.get('x-client')).toEqual(values);
  });

  test.each([
    '',
    '{',
    '{"bundle_id":"a","bundle_id":"b"}',
    '{"bundle_id":"a","Bundle_ID":"b"}',
    '\ufeff{}',
    '{}{}',
  ])('of the body %j nothing, for it could be read in two ways or none', (body) => {
    expect(() => readAnswer(rule, answer(body), [], Date.now())).toThrow('cannot be read');
  });
});

describe('what could be a token of a type', () => {
  const { types } = gatePolicy;
  const typeNamed = (name: string) => types.get(name) ?? expect.fail();

  test('is what a caller could present as one', () => {
    const start = fc.constantFrom('u_', 'user_', 'u_long_', 'd_', 'x_', '');
    const rest = fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9]{10,40}$/),
      fc.string({ maxLength: 30 }),
      fc.constantFrom('a'.repeat(506), 'a'.repeat(511), 'a'.repeat(512)),
    );
    fc.assert(
      fc.property(start, rest, fc.constantFrom('user', 'longer', 'device'), (prefix, random, name) => {
        const plaintext = prefix + random;
        const type = typeNamed(name);
        const header = name === 'device' ? ['X-Device', plaintext] : ['Authorization', `Bearer ${plaintext}`];
        const presented = readCredential(header, null, gateRoute('/user'), gatePolicy);
        const isOne =
          presented.ok && presented.value.types.includes(type) && presented.value.plaintext === plaintext;
        expect(couldBe(plaintext, type, gatePolicy)).toBe(isOne);
      }),
      { numRuns: 500 },
    );
  });
});
