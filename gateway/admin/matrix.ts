/** The matrix as people read it: every row, every token type, and what the one asks of the other. */
import { formatCell } from '../../policy/cells.ts';
import { formatNetwork } from '../../policy/cidr.ts';
import { formatUntil } from '../../policy/monitor.ts';
import type { Bind, Limit, LimitPart, Policy, Route } from '../../policy/types.ts';
import { formatDuration } from '../../policy/units.ts';

/** As `matrix --json` prints it. */
export type Matrix = {
  readonly types: readonly string[];
  readonly rows: readonly MatrixRow[];
};

export type MatrixRow = {
  /** The row's id. */
  readonly row: string;
  readonly api: string;
  readonly method: string;
  readonly pattern: string;
  /** Empty: any. */
  readonly hosts: readonly string[];
  readonly public: boolean;
  /** By type; a type that is not here is refused. Empty on a public row. */
  readonly cells: Readonly<Record<string, string>>;
  readonly bind: readonly string[];
  readonly limits: readonly string[];
  /** How origins on a token are enforced; null: the row is public. */
  readonly origin_pin: string | null;
  /** The networks callers must be in; null: any. */
  readonly address_pin: string | null;
  /** What is in monitor mode, and until when. */
  readonly monitored: readonly string[];
  readonly bundle_pins: readonly string[];
  readonly upstream: string;
  /** Whether WebSocket handshakes are granted. */
  readonly websocket: boolean;
};

export function matrixOf(policy: Policy): Matrix {
  return { types: [...policy.types.keys()], rows: policy.routes.map(rowOf) };
}

function rowOf(route: Route): MatrixRow {
  const { id, api, method, pattern, hosts, access, upstream, websocket } = route;
  const cells = access === 'public' ? [] : [...access].map(([type, cell]) => [type, formatCell(cell)]);
  return {
    row: id,
    api,
    method,
    pattern,
    hosts,
    public: access === 'public',
    cells: Object.fromEntries(cells),
    bind: route.bind.map(formatBind),
    limits: route.limits.map(formatLimit),
    origin_pin: access === 'public' ? null : formatPin(route),
    address_pin: formatAddressPin(route),
    monitored: monitoredOf(route),
    bundle_pins: route.bundlePins.map(({ name }) => name),
    upstream,
    websocket,
  };
}

function formatBind({ param, attribute, refuseAs }: Bind): string {
  return `{${param}} is token.attribute.${attribute}${refuseAs === 404 ? ' else 404' : ''}`;
}

function formatLimit({ name, quota, windowMs, per, costAt }: Limit): string {
  const cost = costAt === undefined ? '' : ` cost json:${costAt}#`;
  return `${name} ${quota}/${formatDuration(windowMs)} per ${per.map(formatPart).join('+')}${cost}`;
}

function formatPart(part: LimitPart): string {
  return part.kind === 'attribute' ? `attribute.${part.name}` : part.kind;
}

function formatPin({ originPin }: Route): string {
  return originPin === null ? 'off' : `${originPin.name}, ${originPin.whenMissing} without Origin`;
}

function formatAddressPin({ addressPin }: Route): string | null {
  if (addressPin === null) return null;
  return `${addressPin.name}, ${addressPin.allow.map(formatNetwork).join(' ')}`;
}

/** In words that do not depend on the day they are read. */
function monitoredOf(route: Route): readonly string[] {
  const { access, scopesMonitorUntil, originPin, addressPin, limits } = route;
  const pins = access === 'public' ? [addressPin] : [originPin, addressPin];
  const all: readonly (readonly [name: string, until: number | undefined])[] = [
    ['scopes', scopesMonitorUntil],
    ...pins.flatMap((pin) => (pin === null ? [] : [[`pin ${pin.name}`, pin.monitorUntil] as const])),
    ...limits.map(({ name, monitorUntil }) => [`limit ${name}`, monitorUntil] as const),
  ];
  return all.flatMap(([name, until]) => (until === undefined ? [] : [`${name} until ${formatUntil(until)}`]));
}

/** Header and rows of the matrix as text cells. What few rows have gets a column where there are any. */
export function matrixTable({ types, rows }: Matrix): readonly (readonly string[])[] {
  const named = rows.some(({ hosts }) => hosts.length > 0);
  const bound = rows.some(({ bind }) => bind.length > 0);
  const fenced = rows.some(({ address_pin }) => address_pin !== null);
  const watched = rows.some(({ monitored }) => monitored.length > 0);
  const pinned = rows.some(({ bundle_pins }) => bundle_pins.length > 0);
  const optional = (shown: boolean, text: string) => (shown ? [text] : []);
  const header = [
    'Row',
    ...optional(named, 'Hosts'),
    ...types,
    ...optional(bound, 'Bind'),
    'Limits',
    'Origin pin',
    ...optional(fenced, 'Address pin'),
    ...optional(watched, 'Monitored'),
    ...optional(pinned, 'Bundle pins'),
    'Upstream',
  ];
  const lines = rows.map((row) => [
    row.websocket ? `${row.row} (WebSocket)` : row.row,
    ...optional(named, row.hosts.join(', ') || 'any'),
    ...types.map((type) => (row.public ? 'public' : (row.cells[type] ?? '-'))),
    ...optional(bound, row.bind.join(', ') || '-'),
    row.limits.join(', ') || '-',
    row.origin_pin ?? '-',
    ...optional(fenced, row.address_pin ?? '-'),
    ...optional(watched, row.monitored.join(', ') || '-'),
    ...optional(pinned, row.bundle_pins.join(', ') || '-'),
    row.upstream,
  ]);
  return [header, ...lines];
}

/** GitHub-flavoured; `|` in a cell is escaped. Ends with a line break. */
export function matrixMarkdown(matrix: Matrix): string {
  const [header = [], ...rows] = matrixTable(matrix);
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return line(header) + line(header.map(() => '---')) + rows.map(line).join('');
}

/** The first line in which two texts differ; null: they are the same, however lines end. */
export function firstDifference(
  expected: string,
  found: string,
): { readonly line: number; readonly expected: string | null; readonly found: string | null } | null {
  const [a, b] = [expected, found].map((text) => text.replaceAll('\r\n', '\n').split('\n'));
  for (let i = 0; i < Math.max(a?.length ?? 0, b?.length ?? 0); i++) {
    if (a?.[i] !== b?.[i]) return { line: i + 1, expected: a?.[i] ?? null, found: b?.[i] ?? null };
  }
  return null;
}
