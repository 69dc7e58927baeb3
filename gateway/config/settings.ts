/** From the file's own keys to what the process runs with: secrets read, paths made absolute. Opens nothing. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { formatNetwork, overlap } from '../../policy/cidr.ts';
import { type ConfigPath, type ConfigProblem, inKey, inValue } from '../../policy/config-problem.ts';
import type { Network } from '../../policy/types.ts';
import type { TriggerKeys, TriggerSigners } from '../trigger.ts';
import { type Address, formatAddress, parseUpstreamUrl, reachesListener } from './address.ts';
import { type AdminSettings, adminFlaw } from './admin-settings.ts';
import { type AlertSettings, resolveAlerts } from './alert-settings.ts';
import { type AuditSettings, resolveAudit } from './audit-settings.ts';
import { type LeakSettings, resolveLeaks } from './leak-settings.ts';
import { type Operators, resolveOperators } from './operators.ts';
import { type PepperSettings, resolvePeppers } from './peppers.ts';
import type { FileConfig } from './schema.ts';
import { resolveSigningKeys, type SigningKey } from './signing-keys.ts';
import { readStore, type StoreSettings } from './store-settings.ts';
import { resolveTraces, type TraceSettings } from './telemetry-settings.ts';
import { resolveTriggerKeys } from './trigger-keys.ts';

export type ListenSettings = Address & {
  /** Whose word about the caller is believed. */
  readonly trustedProxies: readonly Network[];
  readonly headerBytesMax: number;
  readonly bodyBytesMax: number;
  readonly announceMs: number;
  readonly requestsMs: number;
  readonly streamsMs: number;
};

/** One url of an upstream. */
export type UpstreamTarget = {
  /** `http://127.0.0.1:9001`: scheme, host, port; no final slash. */
  readonly origin: string;
  /** '' or `/base`; put before the matched path. */
  readonly basePath: string;
};

export type UpstreamSettings = {
  readonly name: string;
  /** At least one. */
  readonly urls: readonly UpstreamTarget[];
  /** Whether the upstream is called by the caller's Host rather than by its own. */
  readonly preserveHost: boolean;
  /** What carries requests without a body, or with a small one that was read first, over plain HTTP; `undici` carries all others. */
  readonly client: 'strict' | 'undici';
  /** Asked at each url; null: only requests tell how it is. */
  readonly health: { readonly path: string; readonly everyMs: number } | null;
  readonly connectMs: number;
  readonly firstByteMs: number;
  readonly idleMs: number;
};

export type RedisSettings = { readonly url: string; readonly required: boolean; readonly instances: number };

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

export type Settings = {
  readonly listen: ListenSettings;
  readonly health: Address;
  /** null: there is no admin listener. */
  readonly admin: AdminSettings | null;
  /** Who may sign in to the dashboard by a password; a reload changes them. */
  readonly operators: Operators;
  /** null: nothing is watched. */
  readonly alerts: AlertSettings | null;
  /** null: no reports of leaked tokens are taken. */
  readonly leaks: LeakSettings | null;
  readonly store: StoreSettings;
  readonly audit: AuditSettings;
  readonly redis: RedisSettings | null;
  /** null: nothing is traced. */
  readonly traces: TraceSettings | null;
  readonly upstreams: ReadonlyMap<string, UpstreamSettings>;
  /** Of the assertion; the first signs. Empty: there is none. */
  readonly signingKeys: readonly SigningKey[];
  readonly peppers: PepperSettings;
  /** Of signed token types: what verifies them, and what signs. */
  readonly triggerKeys: TriggerKeys;
  readonly triggerSigners: TriggerSigners;
};

export type ResolvedSettings = {
  readonly settings: Settings;
  readonly errors: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
};

type Reference = string | { readonly env?: string | undefined; readonly file?: string | undefined };
type Resolution = {
  readonly config: FileConfig;
  readonly folder: string;
  readonly env: Environment;
  readonly errors: ConfigProblem[];
};

/** Settings are complete only where there are no errors. */
export function resolveSettings(config: FileConfig, file: string, env: Environment): ResolvedSettings {
  const folder = dirname(resolve(file));
  const at: Resolution = { config, folder, env, errors: [] };
  const { listen } = config;
  checkListenersApart(at);
  const store = resolveStore(at);
  const warnings: ConfigProblem[] = [...settingWarnings(config)];
  const settings: Settings = {
    listen: {
      ...listen.address,
      trustedProxies: listen.trusted_proxies,
      headerBytesMax: listen.max.header,
      bodyBytesMax: listen.max.body,
      announceMs: listen.drain.announce,
      requestsMs: listen.drain.requests,
      streamsMs: listen.drain.streams,
    },
    health: config.health.address,
    admin: resolveAdmin(at),
    operators: resolveOperators({
      admin: config.admin,
      errors: at.errors,
      dereference: (path, reference) => dereference(at, path, reference),
    }),
    alerts: resolveAlerts(config.alerts, {
      ...at,
      dereference: (path, reference) => dereference(at, path, reference),
    }),
    leaks: resolveLeaks(at),
    store,
    audit: resolveAudit({
      audit: config.audit,
      errors: at.errors,
      dereference: (path, reference) => dereference(at, path, reference),
    }),
    redis: resolveRedis(at),
    traces: resolveTraces({
      telemetry: config.telemetry,
      errors: at.errors,
      dereference: (path, reference) => dereference(at, path, reference),
      ownListener: (address) => ownListener(at, address)?.key ?? null,
    }),
    upstreams: resolveUpstreams(at),
    signingKeys: resolveSigningKeys({ ...at, warnings, mayCreate: 'path' in store }),
    peppers: resolvePeppers({ ...at, dereference: (path, reference) => dereference(at, path, reference) }),
    ...resolveTriggerKeys({
      ...at,
      warnings,
      dereference: (path, reference) => dereference(at, path, reference),
    }),
  };
  return { settings, errors: at.errors, warnings };
}

function listeners({ config }: Resolution): readonly { readonly key: string; readonly address: Address }[] {
  const listed = [
    { key: 'listen', address: config.listen.address },
    { key: 'health', address: config.health.address },
  ];
  return config.admin === undefined ? listed : [...listed, { key: 'admin', address: config.admin.address }];
}

function ownListener(at: Resolution, there: Address) {
  return listeners(at).find(({ address }) => reachesListener(there, address));
}

function checkListenersApart(at: Resolution): void {
  const all = listeners(at);
  for (const [index, one] of all.entries()) {
    const twin = all.slice(0, index).find((other) => reachesListener(one.address, other.address));
    if (twin === undefined) continue;
    const message = `${one.key} and ${twin.key} would both listen on port ${one.address.port}`;
    at.errors.push(inValue([one.key, 'address'], message, 'give each listener a port of its own'));
  }
}

function resolveAdmin({ config, errors }: Resolution): AdminSettings | null {
  if (config.admin === undefined) return null;
  const { address, public: isPublic, hosts, mcp } = config.admin;
  const admin = { ...address, public: isPublic, hosts, mcp };
  const flaw = adminFlaw(admin);
  if (flaw !== null) errors.push(flaw);
  return admin;
}

function resolveStore(at: Resolution): StoreSettings {
  const { url, when_down } = at.config.store;
  const text = dereference(at, ['store', 'url'], url);
  if (text === null) return { path: '' };
  const { store, errors } = readStore(text, typeof url === 'string', when_down, at.folder);
  at.errors.push(...errors);
  return store;
}

function resolveRedis(at: Resolution): RedisSettings | null {
  const { redis } = at.config;
  if (redis === undefined) return null;
  const path = ['redis', 'url'];
  const url = dereference(at, path, redis.url);
  if (url === null) return null;
  const parsedUrl = URL.canParse(url) ? new URL(url) : null;
  if (parsedUrl === null || !/^rediss?:$/.test(parsedUrl.protocol) || parsedUrl.hostname === '') {
    const message = 'not a Redis url';
    at.errors.push(inValue(path, message, 'write redis://HOST:PORT, or rediss:// for TLS'));
  } else if (typeof redis.url === 'string' && (parsedUrl.password !== '' || parsedUrl.username !== '')) {
    const hint = 'move the url to the environment and write url: { env: REDIS_URL }, or { file: PATH }';
    at.errors.push(inValue(path, 'the url holds a password, and nothing secret stands in this file', hint));
  }
  return { url, required: redis.required, instances: redis.instances };
}

/** What node's timers can count; beyond it they would not wait at all. */
const waitMsMax = 24 * 24 * 3600 * 1000;

function resolveUpstreams(at: Resolution): ReadonlyMap<string, UpstreamSettings> {
  const upstreams = new Map<string, UpstreamSettings>();
  for (const [name, upstream] of Object.entries(at.config.upstreams)) {
    const path = ['upstreams', name, 'url'];
    const references = Array.isArray(upstream.url) ? upstream.url.entries() : [[null, upstream.url] as const];
    const urls: UpstreamTarget[] = [];
    for (const [index, reference] of references) {
      const where = index === null ? path : [...path, index];
      const target = resolveTarget(at, where, reference);
      if (target === null) continue;
      if (urls.some(({ origin, basePath }) => origin === target.origin && basePath === target.basePath)) {
        at.errors.push(inValue(where, 'this url stands twice', 'remove one'));
      }
      urls.push(target);
    }
    const { timeout, health } = upstream;
    for (const [key, ms] of Object.entries(timeout)) {
      if (ms > 0 && ms <= waitMsMax) continue;
      const hint = 'write a time from 1ms to 24d';
      at.errors.push(inValue(['upstreams', name, 'timeout', key], 'nobody can wait for that long', hint));
    }
    if (health?.every === 0) {
      const hint = 'write how often each url is asked: 5s';
      at.errors.push(
        inValue(['upstreams', name, 'health', 'every'], 'there is no pause between two checks', hint),
      );
    }
    upstreams.set(name, {
      name,
      urls,
      preserveHost: upstream.preserve_host,
      client: upstream.client,
      health: health === undefined ? null : { path: health.path, everyMs: health.every },
      connectMs: timeout.connect,
      firstByteMs: timeout.first_byte,
      idleMs: timeout.idle,
    });
  }
  return upstreams;
}

function resolveTarget(at: Resolution, path: ConfigPath, reference: Reference): UpstreamTarget | null {
  const text = dereference(at, path, reference);
  if (text === null) return null;
  const url = parseUpstreamUrl(text);
  if (!url.ok) {
    at.errors.push(inValue(path, url.message, url.hint));
    return null;
  }
  const own = ownListener(at, url.value);
  if (own !== undefined) {
    const message = `the upstream is Postern's own ${own.key} address, ${formatAddress(own.address)}`;
    at.errors.push(inValue(path, message, 'write the address of the service behind the gate'));
  }
  return { origin: url.value.origin, basePath: url.value.basePath };
}

/** The value meant, or null with a problem that names the reference and never the value. */
function dereference(at: Resolution, path: ConfigPath, reference: Reference): string | null {
  if (typeof reference === 'string') return reference;
  if (reference.env !== undefined) return fromEnvironment(at, [...path, 'env'], reference.env);
  return reference.file === undefined ? null : fromFile(at, [...path, 'file'], reference.file);
}

function fromEnvironment(at: Resolution, path: ConfigPath, name: string): string | null {
  const value = at.env[name];
  if (value !== undefined && value !== '') return value;
  const message = `the environment variable ${name} is ${value === undefined ? 'not set' : 'empty'}`;
  at.errors.push(inValue(path, message, `set ${name} before starting Postern`));
  return null;
}

function fromFile(at: Resolution, path: ConfigPath, name: string): string | null {
  const file = resolve(at.folder, name);
  try {
    const value = readFileSync(file, 'utf8').trim();
    if (value !== '') return value;
    at.errors.push(inValue(path, `the file ${file} is empty`, 'write the value into it'));
  } catch {
    const hint = 'create it, readable by this user; a relative path starts at the folder of this config';
    at.errors.push(inValue(path, `cannot read the file ${file}`, hint));
  }
  return null;
}

function settingWarnings(config: FileConfig): readonly ConfigProblem[] {
  const warnings: ConfigProblem[] = [];
  if (config.redis === undefined && Object.keys(config.limits).length > 0) {
    const message =
      'no redis: limits are counted in this process, so N processes let N times as much through';
    warnings.push(inKey(['limits'], message, 'run one process, or write redis: { url: { env: REDIS_URL } }'));
  }
  if (config.failure_budget !== undefined && config.listen.trusted_proxies.length === 0) {
    const message =
      'the failure budget counts by the address that connects; behind a balancer all callers share one';
    warnings.push(
      inKey(
        ['failure_budget'],
        message,
        'write listen.trusted_proxies, or keep it only where clients connect to Postern directly',
      ),
    );
  }
  warnings.push(...pinsOfProxies(config));
  const used = usedUpstreams(config);
  for (const name of Object.keys(config.upstreams)) {
    if (used.has(name)) continue;
    warnings.push(
      inKey(['upstreams', name], `upstream "${name}" is not used`, 'name it in to: of a row or remove it'),
    );
  }
  return warnings;
}

/** CVE-2022-31813: a proxy can be brought to leave the caller out, and then stands for it. */
function pinsOfProxies({ pins, listen }: FileConfig): readonly ConfigProblem[] {
  return Object.entries(pins).flatMap(([name, pin]) => {
    if (pin.kind !== 'cidr') return [];
    return pin.allow.flatMap((network, index) => {
      const proxies = listen.trusted_proxies.find((proxy) => overlap(proxy, network));
      if (proxies === undefined) return [];
      const message = `a proxy in ${formatNetwork(proxies)} that names no caller passes this pin itself`;
      const hint = 'see that your proxies always name one, or write networks without them';
      return [inValue(['pins', name, 'allow', index], message, hint)];
    });
  });
}

function usedUpstreams(config: FileConfig): ReadonlySet<string> {
  const used = new Set<string>();
  for (const api of Object.values(config.apis)) {
    for (const row of Object.values(api.routes)) {
      const upstream = row.serve === undefined ? (row.to ?? api.to) : row.confirm?.to;
      if (upstream !== undefined) used.add(upstream);
    }
  }
  return used;
}
