import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutFor } from '../../gateway/credential.ts';
import { HeaderRules, outgoingHeaders, returnedHeaders } from '../../gateway/headers.ts';
import { foldName, isReserved } from '../../policy/identity.ts';
import { fuzz } from '../support/fuzz.ts';
import { gatePermit, gatePolicy, gateRoute } from '../support/gate.ts';

const rules = new HeaderRules(gatePolicy.identity);
const interesting = [
  ...[
    'X-Postern-Token-Id',
    'X-Postern-Scopes',
    'X-Org',
    'X-Row',
    'Remote-User',
    'X-Request-Id',
    'X-Forwarded-For',
    'Forwarded',
  ],
  ...[
    'Connection',
    'Transfer-Encoding',
    'Content-Length',
    'Host',
    'TE',
    'Upgrade',
    'Expect',
    'Via',
    'Cookie',
    'Authorization',
  ],
  ...['X-User-Token', 'X-Real-IP', 'X-HTTP-Method-Override', 'Accept', 'X-Free', '__proto__', 'constructor'],
];
const respelled = fc
  .tuple(fc.constantFrom(...interesting), fc.constantFrom('-', '-', '_', '.', '^', '+', ' '), fc.nat(2))
  .map(([name, mark, form]) => {
    const marked = name.replaceAll('-', mark);
    return form === 0 ? marked : form === 1 ? marked.toLowerCase() : marked.toUpperCase();
  });
const anyName = fc.oneof(
  { weight: 5, arbitrary: respelled },
  { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
);
/** Every value is marked as the client's own. */
const anyValue = fc.oneof(
  fc.constantFrom('client', 'client, close', 'client=1; session=client'),
  respelled.map((name) => `client, ${name}`),
);
/** A second Host was refused at the door. */
const fields = fc.array(
  fc.tuple(anyName, anyValue).filter(([name]) => name.toLowerCase() !== 'host'),
  { maxLength: 10 },
);

const pairs = (flat: readonly string[]) =>
  flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ''] as const] : []));

/** Names that appear once and never with a client's value. */
const oursAlone = [
  'host',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'forwarded',
  'x-request-id',
];
const never =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|http2-settings|authorization|x-user-token|x-device|x-real-ip|x-http-method.*|x-original-.*|x-rewrite-url)$/;

test("whatever a client sends, the upstream reads our fields once each and none of the client's under a name of ours", () => {
  const plain = outgoing([]);
  fc.assert(
    fc.property(fields, (client) => {
      const upstream = outgoing(client.flat());
      for (const [name, value] of upstream) {
        expect(name).toMatch(/^[A-Za-z0-9-]+$/);
        expect(name).not.toMatch(new RegExp(never.source, 'i'));
        if (isReserved(gatePolicy.identity, name) || oursAlone.includes(foldName(name)))
          expect(value).not.toContain('client');
      }
      for (const [name, value] of plain) {
        if (name === 'Via') continue;
        expect(upstream.filter(([own]) => foldName(own) === foldName(name))).toEqual([[name, value]]);
      }
      const theirs = new Set(client.map(([name]) => name));
      const ours = new Set(plain.map(([name]) => name));
      for (const [name] of upstream) expect(theirs.has(name) || ours.has(name)).toBe(true);
    }),
    fuzz(3000),
  );
});

test('whatever an upstream answers, the client reads nothing of it under a name of ours', () => {
  fc.assert(
    fc.property(fields, (answer) => {
      const permit = gatePermit(gateRoute('/user'));
      for (const [name, value] of pairs(returnedHeaders({ raw: answer.flat(), permit, rules }))) {
        expect(name).not.toMatch(/^(?:connection|transfer-encoding|content-length|upgrade|te)$/i);
        if (isReserved(gatePolicy.identity, name) || foldName(name) === 'x-request-id')
          expect([name, value]).toEqual(['X-Request-Id', 'ours-1']);
      }
    }),
    fuzz(3000),
  );
});

function outgoing(client: readonly string[]) {
  const route = gateRoute('/user');
  return pairs(
    outgoingHeaders({
      rawHeaders: ['Host', 'api.test', ...client],
      httpVersion: '1.1',
      permit: gatePermit(route),
      hops: null,
      cut: cutFor(route, null),
      policy: gatePolicy,
      assertion: null,
      rules,
      host: 'app.internal',
      contentLength: null,
    }),
  );
}
