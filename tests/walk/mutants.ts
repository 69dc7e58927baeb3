/** Every single flip of a config: one cell, type, bind, pin, limit or other rule that is not what it was. */
import { parse } from 'yaml';

export type Mutant = {
  /** `cell POST /items service: items:write -> any_scope`. */
  readonly name: string;
  readonly kind: MutantKind;
  /** The config without its fixtures, as YAML. */
  readonly text: string;
};

/** `strict`: a fixture or the loader must see it. The others may be seen in the kept matrix alone. */
export const strict = ['cell', 'type', 'public', 'bind', 'pin', 'row'] as const;
export const others = [
  'limit',
  'body',
  'cors',
  'credentials',
  'kind',
  'monitor',
  'upstream',
  'flag',
] as const;
export type MutantKind = (typeof strict)[number] | (typeof others)[number];

type Allow = 'public' | Record<string, string>;
type Row = Record<string, unknown> & { allow: Allow; limits?: string[]; bind?: Record<string, unknown> };
/** As much of a config as is flipped here; the rest is carried along. */
type Config = {
  token_types: Record<string, { scopes?: string[]; grantable?: string[] } & Record<string, unknown>>;
  scopes: Record<string, string>;
  apis: Record<string, { routes: Record<string, Row> }>;
  limits: Record<string, Record<string, unknown> & { rate: string; per: string[] }>;
  pins: Record<string, Record<string, unknown>>;
  cors: Record<string, Record<string, unknown>>;
  upstreams: Record<string, unknown>;
  listen: { max: Record<string, string> };
};

type Place = { readonly api: string; readonly key: string; readonly row: Row };

export function mutantsOf(yaml: string): readonly Mutant[] {
  const { fixtures: _, ...config }: Config & { fixtures: unknown } = parse(yaml);
  const mutants: Mutant[] = [];
  const flip = (kind: MutantKind, name: string, edit: (copy: Config) => void) => {
    const copy = structuredClone(config);
    edit(copy);
    mutants.push({ kind, name: `${kind} ${name}`, text: JSON.stringify(copy) });
  };
  for (const [api, { routes }] of Object.entries(config.apis)) {
    flip('flag', `${api}: strict scheme`, (copy) =>
      Object.assign(copy.apis[api] ?? {}, { strict_scheme: true }),
    );
    for (const [key, row] of Object.entries(routes)) {
      const at = { api, key, row };
      const flipRow: FlipRow = (kind, name, edit) =>
        flip(kind, `${key}: ${name}`, (copy) => edit(rowOf(copy, at)));
      flipAccess(config, row, flipRow);
      flipRules(config, row, flipRow);
      flipPlace(at, flip);
    }
  }
  flipLimits(config, flip);
  flipBlocks(config, flip);
  return mutants;
}

type Flip = (kind: MutantKind, name: string, edit: (copy: Config) => void) => void;
type FlipRow = (kind: MutantKind, name: string, edit: (row: Row) => void) => void;

function rowOf(config: Config, { api, key }: Place): Row {
  const row = config.apis[api]?.routes[key];
  if (row === undefined) throw new Error(`there is no ${key}`);
  return row;
}

function flipAccess({ token_types, scopes }: Config, { allow, bind = {} }: Row, flip: FlipRow): void {
  const types = Object.keys(token_types);
  if (allow === 'public') {
    for (const type of types) {
      flip('public', `only for ${type}`, (row) => {
        row.allow = { [type]: 'any_scope' };
        delete row.credentials;
      });
    }
    return;
  }
  flip('public', 'for everybody', (row) => Object.assign(row, { allow: 'public', bind: undefined }));
  for (const type of types.filter((name) => allow[name] === undefined)) {
    flip('type', `${type} too`, (row) => Object.assign(row.allow, { [type]: 'any_scope' }));
  }
  for (const [type, cell] of Object.entries(allow)) {
    flip('cell', `${type} not`, (row) => {
      row.allow = Object.fromEntries(Object.entries(allow).filter(([name]) => name !== type));
    });
    const parts = cell.split(/ [+|] /);
    const single = parts.length === 1;
    const others = Object.keys(scopes).filter((scope) => !parts.includes(scope));
    const cells = [
      'any_scope',
      ...others,
      ...(single ? others.flatMap((scope) => [`${cell} | ${scope}`, `${cell} + ${scope}`]) : parts),
      ...(single ? [] : [parts.join(' + '), parts.join(' | ')]),
    ];
    for (const other of cells.filter((one) => one !== cell)) {
      flip('cell', `${type}: ${cell} -> ${other}`, (row) => Object.assign(row.allow, { [type]: other }));
    }
  }
  for (const [param, rule] of Object.entries(bind)) {
    flip('bind', `{${param}} is not bound`, (row) => {
      row.bind = Object.fromEntries(Object.entries(bind).filter(([name]) => name !== param));
    });
    if (typeof rule !== 'object' || rule === null || !('else' in rule)) continue;
    const status = rule.else === 404 ? 403 : 404;
    flip('bind', `else ${status}`, (row) =>
      Object.assign(row.bind ?? {}, { [param]: { ...rule, else: status } }),
    );
  }
}

function flipRules(
  config: Config,
  { allow, pins, limits = [], body, cors, ...rest }: Row,
  flip: FlipRow,
): void {
  for (const name of Object.keys(config.limits)) {
    const without = limits.filter((one) => one !== name);
    if (without.length < limits.length)
      flip('limit', `not ${name}`, (row) => Object.assign(row, { limits: without }));
    else flip('limit', `${name} too`, (row) => Object.assign(row, { limits: [...limits, name] }));
  }
  for (const [name, { kind, allow: list }] of Object.entries(config.pins)) {
    if (Array.isArray(pins) && pins.includes(name)) {
      flip('pin', `${name} is not named`, (row) => {
        row.pins = pins.filter((one) => one !== name);
      });
    }
    if (kind === 'origin' && list !== undefined) {
      const others = Array.isArray(pins) ? pins.filter((one) => one !== name) : [];
      if (others.length === (Array.isArray(pins) ? pins.length : 0))
        flip('pin', `${name} too`, (row) => Object.assign(row, { pins: [...others, name] }));
    } else if (kind === 'origin' && allow !== 'public') {
      flip('pin', `${name} is off`, (row) => Object.assign(row, { pins: { [name]: 'off' } }));
    }
  }
  for (const max of ['none', '1B', '32KiB', '128KiB', '20MiB']) {
    flip('body', max, (row) => Object.assign(row, { body: { max } }));
  }
  if (body !== undefined) flip('body', 'as elsewhere', (row) => Object.assign(row, { body: undefined }));
  flip('body', 'JSON', (row) => Object.assign(row, { body: { ...Object(body), json: true } }));
  flip('body', 'JSON without its token', (row) =>
    Object.assign(row, { body: { ...Object(body), json: true, cut: ['json:/token'] } }),
  );
  for (const name of Object.keys(config.cors)) {
    flip('cors', cors === undefined ? name : 'none', (row) =>
      Object.assign(row, { cors: cors === undefined ? name : undefined }),
    );
  }
  if (allow === 'public') {
    for (const credentials of ['pass', undefined]) {
      flip('credentials', String(credentials), (row) => Object.assign(row, { credentials }));
    }
  } else {
    const scopes = { mode: 'monitor', until: '2999-01-01' };
    flip('monitor', 'scopes', (row) => Object.assign(row, { scopes }));
  }
  if (rest.websocket === undefined)
    flip('flag', 'WebSocket', (row) => Object.assign(row, { websocket: true }));
  flip('flag', 'path parameters', (row) => Object.assign(row, { path_parameters: 'allow' }));
}

/** What the row is found by, and where it leads. */
function flipPlace(at: Place, flip: Flip): void {
  const [method = '', path = ''] = at.key.split(' ');
  const routes = (copy: Config) => copy.apis[at.api]?.routes ?? {};
  flip('row', `${at.key}: gone`, (copy) => {
    delete routes(copy)[at.key];
  });
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((other) => other !== method);
  for (const other of [...methods.map((one) => `${one} ${path}`), `${method} ${path}/x`]) {
    flip('row', `${at.key}: is ${other}`, (copy) => {
      const { [at.key]: row, ...rest } = routes(copy);
      if (rest[other] !== undefined) rest[`${other}/taken`] = rest[other];
      Object.assign(copy.apis[at.api] ?? {}, { routes: { ...rest, [other]: row } });
    });
  }
  if (at.row.observe !== undefined) {
    flip('flag', `${at.key}: observes nothing`, (copy) => {
      delete rowOf(copy, at).observe;
    });
  } else if (method !== 'GET' && method !== 'OPTIONS' && at.row.allow !== 'public') {
    flip('flag', `${at.key}: ends the token that asks`, (copy) => {
      rowOf(copy, at).observe = { on: '2xx', end: 'caller' };
    });
  }
  flip('upstream', `${at.key}: another`, (copy) => {
    copy.upstreams.another = { url: 'http://127.0.0.1:9999' };
    rowOf(copy, at).to = 'another';
  });
}

function flipLimits(config: Config, flip: Flip): void {
  for (const [name, limit] of Object.entries(config.limits)) {
    const [, count = '', window = '', unit = ''] = /^(\d+)\/(\d+)([a-z]+)$/.exec(limit.rate) ?? [];
    const set = (keys: Record<string, unknown>) =>
      flip('limit', `${name}: ${JSON.stringify(keys)}`, (copy) =>
        Object.assign(copy.limits[name] ?? {}, keys),
      );
    set({ rate: `${Number(count) * 2}/${window}${unit}` });
    set({ rate: `${Math.floor(Number(count) / 2)}/${window}${unit}` });
    set({ rate: `${count}/${Number(window) * 2}${unit}` });
    for (const part of ['token', 'address', 'route', 'api', 'attribute.tenant']) {
      if (!limit.per.includes(part)) {
        set({ per: [part] });
        set({ per: [...limit.per, part] });
      }
    }
    for (const word of ['local', 'open', 'closed']) {
      if (limit.on_redis_down !== word) set({ on_redis_down: word });
    }
    set({ steps: 10 });
    set({ mode: 'monitor', until: '2999-01-01' });
    flip('limit', `${name}: gone`, (copy) => {
      delete copy.limits[name];
    });
  }
}

function flipBlocks({ token_types, scopes, pins, cors, listen }: Config, flip: Flip): void {
  for (const [name, pin] of Object.entries(pins)) {
    const whenMissing = pin.when_missing === 'deny' ? 'allow' : 'deny';
    flip('pin', `${name}: ${whenMissing}`, (copy) =>
      Object.assign(copy.pins[name] ?? {}, { when_missing: whenMissing }),
    );
    if (pin.kind === 'origin' && Array.isArray(pin.allow)) {
      const list = (origins: readonly unknown[]) =>
        flip('pin', `${name}: lists ${origins.join(' ')}`, (copy) =>
          Object.assign(copy.pins[name] ?? {}, { allow: origins }),
        );
      list([...pin.allow, 'https://other.example']);
      list(pin.allow.with(0, 'https://other.example'));
      flip('pin', `${name}: of the token`, (copy) => {
        delete copy.pins[name]?.allow;
      });
    }
    flip('pin', `${name}: gone`, (copy) => {
      delete copy.pins[name];
    });
    flip('monitor', name, (copy) =>
      Object.assign(copy.pins[name] ?? {}, { mode: 'monitor', until: '2999-01-01' }),
    );
  }
  for (const [name, block] of Object.entries(cors)) {
    const set = (keys: Record<string, unknown>) =>
      flip('cors', `${name}: ${JSON.stringify(keys)}`, (copy) => Object.assign(copy.cors[name] ?? {}, keys));
    set({ origins: ['https://other.example'] });
    set({ credentials: true });
    set({ max_age: '1h' });
    for (const key of ['methods', 'headers', 'expose']) {
      const items = Array.isArray(block[key]) ? block[key] : [];
      set({ [key]: [...items, key === 'methods' ? 'DELETE' : 'X-Other'] });
      for (const item of items) set({ [key]: items.filter((one) => one !== item) });
    }
  }
  for (const [name, type] of Object.entries(token_types)) {
    const key = type.grantable === undefined ? 'scopes' : 'grantable';
    const held = type[key] ?? [];
    for (const scope of Object.keys(scopes)) {
      const next = held.includes(scope) ? held.filter((one) => one !== scope) : [...held, scope];
      flip('kind', `${name} ${key}: ${next.join(' ')}`, (copy) =>
        Object.assign(copy.token_types[name] ?? {}, { [key]: next }),
      );
    }
    for (const keys of [{ aliases: [`${name}_too_`] }, { sources: ['header:X-Token'] }]) {
      flip('kind', `${name}: ${JSON.stringify(keys)}`, (copy) =>
        Object.assign(copy.token_types[name] ?? {}, keys),
      );
    }
  }
  for (const scope of Object.keys(scopes)) {
    flip('kind', `${scope} means something else`, (copy) =>
      Object.assign(copy.scopes, { [scope]: 'Something else' }),
    );
  }
  flip('body', '20MiB everywhere', (copy) => {
    copy.listen.max = { ...listen.max, body: '20MiB' };
  });
}
