/** Every kind of token type there is, a store that has issued some of each, and ways in which tokens stand in texts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { candidateFinder } from '../../gateway/admin/scan-candidates.ts';
import { Judge, type Judged } from '../../gateway/admin/scan-judge.ts';
import { type Place, TextScan } from '../../gateway/admin/scan-text.ts';
import { scannedTypes } from '../../policy/leak-patterns.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { loaded } from '../fixtures/config.ts';

export const leakConfig = `version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types:
  project: { prefix: prj_live_, aliases: [prj_], scopes: [] }
  checked: { prefix: ck_, checksum: required, issue: { length: 24, alphabet: hex }, scopes: [] }
  piped: { format: id_pipe_random, issue: { length: 40 }, scopes: [] }
  legacy: { prefix: old_, issue: { length: 40 }, hash: { use: bcrypt, cost: 4 }, scopes: [] }
  keyed: { prefix: pk-, issue: { alphabet: base64url }, hash: { use: sha256, pepper: [{ env: PEPPER }] }, scopes: [] }
  odd: { prefix: "a/b+", issue: { length: 32 }, scopes: [] }
  bare: { issue: { length: 45, alphabet: hex }, sources: [header:X-Bare], scopes: [] }
  loose: { issue: { length: 43, alphabet: base64url }, sources: [header:X-Loose], scopes: [] }
apis:
  main:
    to: app
    routes:
      GET /:
        allow: { project: any_scope, checked: any_scope, piped: any_scope, legacy: any_scope, keyed: any_scope, odd: any_scope, bare: any_scope, loose: any_scope }
`;

export const leakEnv = { PEPPER: 'a pepper that is thirty-two bytes long' };

export type Issued = { readonly token: string; readonly record: TokenRecord };

export type Leaks = {
  readonly issued: readonly Issued[];
  readonly policy: ReturnType<typeof loaded>['policy'];
  readonly store: OpenTokens;
  readonly close: () => Promise<void>;
};

export async function openLeaks(perType: number): Promise<Leaks> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-leaks-'));
  const { policy, peppers } = loaded(leakConfig, leakEnv, join(folder, 'gateway.config.yaml'));
  const store = await openSqliteTokens({ path: join(folder, 'postern.db'), now: Date.now, peppers });
  const issued: Issued[] = [];
  for (const type of policy.types.values()) {
    for (let count = 0; count < perType; count++) {
      const more = { label: `${type.name} ${count}`, scopes: [], attributes: new Map(), origins: [] };
      const { record, plaintext } = await store.create({ type, ...more, expiresAt: null, createdBy: 'test' });
      issued.push({ token: plaintext, record });
    }
  }
  const close = async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { issued, policy, store, close };
}

/** What a scan of these pieces tells, by place. */
export async function scanPieces(
  { policy, store }: Pick<Leaks, 'policy' | 'store'>,
  pieces: readonly Buffer[],
  isOnline = true,
): Promise<readonly (Judged & Pick<Place, 'line' | 'column'>)[]> {
  const text = new TextScan(candidateFinder(policy, scannedTypes(policy)));
  const tokens = isOnline ? store : null;
  const judge = new Judge({ policy, tokens, tellsUnverified: false, now: Date.now });
  const told = [];
  for (const place of [...pieces.flatMap((piece) => text.push(piece)), ...text.end()]) {
    const { judged } = await judge.judge(place);
    if (judged !== null) told.push({ ...judged, line: place.line, column: place.column });
  }
  return told;
}

/** How people and programs write a token down. */
export const wrappings: Readonly<Record<string, (token: string) => string>> = {
  alone: (token) => token,
  env: (token) => `TOKEN=${token}\r\n`,
  shell: (token) => `curl -H 'Authorization: Bearer ${token}' https://h/x`,
  escaped: (token) => `curl -H Authorization:\\ Bearer\\ ${token.replace('|', '\\|')} https://h/x`,
  json: (token) => JSON.stringify({ token }),
  jsonText: (token) => JSON.stringify(`first\n${token}\nlast`),
  jsonSlashes: (token) => JSON.stringify({ token }).replaceAll('/', '\\/'),
  jsonAscii: (token) => `"say \\u0022${token.replace('|', '\\u007c')}\\u0022"`,
  query: (token) => `https://h/x?token=${encodeURIComponent(token)}&a=b`,
  nested: (token) => `to=https%3A%2F%2Fh%2Fx%3Ftoken%3D${encodeURIComponent(token)}%26a`,
  lowerQuery: (token) =>
    `?t=${encodeURIComponent(token).replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase())}#f`,
  path: (token) => `https://h/hook/${encodeURIComponent(token)}/x`,
  userinfo: (token) => `https://user:${token}@h/`,
  yaml: (token) => `  - token: ${token} # for ci`,
  markup: (token) => `<token>${token}</token>`,
  code: (token) => `const token = \`${token}\`;`,
  colour: (token) => `\u001b[1;32m${token}\u001b[0m`,
  sentence: (token) => `it is ${token}.`,
  list: (token) => `${token},${token}`,
};
