/** What every advisory is tried against: one public and one token row before a recording upstream. */
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type Conversation, converse, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../fixtures/raw-upstream.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

export type Stand = {
  gateway: GatewayFixture;
  /** Behind /public/…, /admin and /limited. */
  upstream: UpstreamFixture;
  /** Behind /strict/… and /undici/…, in bytes: by either client. */
  raw: RawUpstream;
  /** A token that may read /admin. */
  token: string;
  readonly send: (line: string, lines?: readonly string[], body?: string) => Promise<Conversation>;
  readonly sendBytes: (bytes: string) => Promise<Conversation>;
};

/** Starts before the tests of a file and stops after them; `upstream.seen` is empty before each. */
export function useStand(): Stand {
  const stand = {
    send: (line, lines, body) => converse(stand.gateway.port, requestBytes(line, lines, body)),
    sendBytes: (bytes) => converse(stand.gateway.port, bytes),
  } as Stand;
  beforeAll(async () => {
    [stand.upstream, stand.raw] = await Promise.all([startUpstream(), startRawUpstream()]);
    stand.gateway = await startTestGateway(`
upstreams:
  app: { url: ${stand.upstream.url} }
  strict: { url: ${stand.raw.url}, client: strict }
  undici: { url: ${stand.raw.url}, client: undici }
token_types:
  admin: { prefix: ad_, scopes: [admin], attributes: { user: required } }
  old: { prefix: old_, scopes: [admin], hash: { use: bcrypt, cost: 4, lookup_chars: 12 } }
scopes: { admin: Everything }
identity: { headers: { X-Auth-User: token.attribute.user, X-Auth-Scopes: token.scopes } }
limits: { few: { rate: 2/1m, per: [address] } }
apis:
  main:
    to: app
    routes:
      GET /public/{path...}: { allow: public }
      POST /public/{path...}: { allow: public }
      GET /admin: { allow: { admin: admin, old: admin } }
      GET /limited: { allow: public, limits: [few] }
      GET /strict/{name}: { to: strict, allow: public }
      GET /undici/{name}: { to: undici, allow: public }
`);
    stand.token = (await stand.gateway.mint('admin', { attributes: { user: 'ada' } })).token;
  });
  beforeEach(() => {
    stand.upstream.seen.length = 0;
  });
  afterAll(async () => {
    await stand.gateway.stop();
    await Promise.all([stand.upstream.stop(), stand.raw.stop()]);
  });
  return stand;
}
