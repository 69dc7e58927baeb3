/** Which store a config names, and what it may do where hosts share one. */
import { expect, test } from 'vitest';
import { loadConfigText } from '../../gateway/config/load.ts';

const small = `version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
apis: { main: { to: app, routes: { GET /: { allow: public } } } }
`;

function load(text: string, env: Readonly<Record<string, string>> = {}) {
  return loadConfigText(small + text, '/etc/postern/gateway.config.yaml', env);
}

function storeOf(text: string, env?: Readonly<Record<string, string>>) {
  const loading = load(text, env);
  if (!loading.ok) throw new Error(JSON.stringify(loading.problems));
  return loading.config.store;
}

test('tokens may be kept in PostgreSQL, by reference or without a password', () => {
  const url = 'postgres://postern:pw@db.internal:5432/postern?sslmode=verify-full';
  const referred = 'store: { url: { env: DATABASE_URL }, when_down: { serve_known_for: 5m } }\n';
  expect(storeOf(referred, { DATABASE_URL: url })).toEqual({ url, serveKnownForMs: 300_000 });
  const literal = 'store: { url: "postgresql://postern@db/postern" }\n';
  expect(storeOf(literal)).toEqual({ url: 'postgresql://postern@db/postern', serveKnownForMs: null });
  const sqlite = 'store: { url: { env: DATABASE_URL } }\n';
  expect(storeOf(sqlite, { DATABASE_URL: 'sqlite:p.db' })).toEqual({ path: '/etc/postern/p.db' });
});

test('a signing key that is missing is made beside a SQLite file, never where hosts share a database', () => {
  const key = 'identity: { assertion: { key: { file: no-such-key.pem } } }\n';
  expect(load(key)).toMatchObject({ ok: true, config: { signingKeys: [{ kind: 'missing' }] } });
  expect(load(`${key}store: { url: "postgres://db/postern" }\n`)).toMatchObject({
    ok: false,
    problems: [{ message: expect.stringMatching(/^cannot read the signing key/) }],
  });
});
