/** Postern, as its operators run it: a config, tokens imported by their hashes, `postern serve`. */
import { spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { hashSync } from 'bcryptjs';
import { createTestDatabase } from '../../fixtures/postgres.ts';
import { freePort, launch } from '../machine.ts';
import { type Caller, plain, quota, type Stage, type Target, together, windowSeconds } from './stage.ts';

const start = resolve(import.meta.dirname, '../../../gateway/start.cjs');

type Setting = {
  readonly store?: 'sqlite' | 'postgres';
  readonly bcrypt?: boolean;
  readonly limit?: 'local' | 'redis';
  readonly pin?: boolean;
  readonly assertion?: boolean;
};

function configOf(stage: Stage, ports: readonly [number, number], setting: Setting): string {
  const { bcrypt = false, limit, pin = false, assertion = false, store = 'sqlite' } = setting;
  const kept = bcrypt ? 'bcrypt, cost: 4, lookup_chars: 12, then: sha256' : 'sha256';
  const row = `allow: { service: items:read }${limit ? ', limits: [each]' : ''}`;
  return `version: 1
listen: { address: 127.0.0.1:${ports[0]} }
health: { address: 127.0.0.1:${ports[1]} }
store: { url: ${store === 'postgres' ? '{ env: DATABASE_URL }' : '"sqlite:./data/postern.db"'} }
${limit === 'redis' ? 'redis: { url: { env: REDIS_URL }, required: true }' : ''}
upstreams:
  app: { url: http://127.0.0.1:${stage.upstreamPort} }
token_types:
  service: { prefix: bench_, hash: { use: ${kept} }, scopes: [items:read], attributes: { subject: required } }
scopes:
  items:read: Read items
apis:
  main:
    to: app
    routes:
      GET /items: { ${row} }
      GET /seen: { ${row} }
${pin ? '      POST /items: { allow: { service: items:read }, body: { json: true }, pins: [app] }' : ''}
${limit ? `limits: { each: { rate: ${quota}/${windowSeconds}s, per: [token], on_redis_down: closed } }` : ''}
${pin ? 'pins: { app: { kind: bundle_id, from: json:/app_id, first_use: pin, belongs_to: token, when_missing: deny } }' : ''}
identity:
  headers: { X-Subject: token.attribute.subject }
${assertion ? '  assertion: { key: { file: ./data/signing-key.pem } }' : ''}
`;
}

const rowOf = ({ token, subject }: Caller, bcrypt: boolean): string =>
  JSON.stringify({
    type: 'service',
    label: subject,
    attributes: { subject },
    ...(bcrypt
      ? { bcrypt: hashSync(token, 4), lookup: token.slice(0, 12) }
      : { sha256: hash('sha256', token) }),
  });

const target = (name: string, setting: Setting, rest: Partial<Target> = {}): Target => ({
  ...plain,
  name: `Postern, ${name}`,
  limit: setting.limit ?? 'none',
  needs: [
    ...(setting.limit === 'redis' ? ['redis-server'] : []),
    ...(setting.store === 'postgres' ? ['postgres'] : []),
  ],
  ...rest,
  async start(stage) {
    const ports = [await freePort(), await freePort()] as const;
    const [port] = ports;
    const folder = join(stage.folder, `postern-${port}`);
    mkdirSync(join(folder, 'data'), { recursive: true });
    const config = join(folder, 'gateway.config.yaml');
    writeFileSync(config, configOf(stage, ports, setting));
    const rows = join(folder, 'tokens.jsonl');
    writeFileSync(rows, stage.callers.map((caller) => rowOf(caller, setting.bcrypt ?? false)).join('\n'));
    const env: Record<string, string> = {};
    if (stage.redisUrl !== null) env.REDIS_URL = stage.redisUrl;
    if (setting.store === 'postgres' && stage.postgresUrl !== null) {
      env.DATABASE_URL = (await createTestDatabase({ url: stage.postgresUrl })).url;
    }
    const node = process.execPath;
    const imported = spawnSync(node, [start, 'token', 'import', '--config', config, '--file', rows], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
    if (imported.status !== 0) throw new Error(`token import: ${imported.stderr.trim().slice(-300)}`);
    const args = [start, 'serve', '--config', config];
    return together(port, [await launch({ command: node, args, env, port, folder, core: 0 })]);
  },
});

const pinBody = JSON.stringify({ app_id: 'com.example.app', event: 'opened', text: '.' }).replace(
  '"."',
  `"${'words '.repeat(23)}"`,
);

export const postern: Target = target('no limit', {}, { paced: true });
export const posternLocal: Target = target('limit in the process', { limit: 'local' });
export const posternRedis: Target = target('Redis limit', { limit: 'redis' }, { paced: true });
export const posternVariants: readonly Target[] = [
  target('Redis limit, tokens in PostgreSQL', { limit: 'redis', store: 'postgres' }),
  target('bcrypt then sha256', { bcrypt: true }),
  target('a pin in a JSON body (POST)', { pin: true }, { method: 'POST', body: pinBody }),
  target('signed assertion', { assertion: true }),
];
