/** The matrix as tables of text: one for a terminal, three for a document that is kept. */
import { formatDuration, formatSize } from '../../policy/units.ts';
import type { Matrix, MatrixCors, MatrixRow, MatrixType } from './matrix.ts';

type Table = readonly (readonly string[])[];

type Column = {
  readonly header: string;
  readonly cell: (row: MatrixRow) => string;
  /** Whether there is anything to show; without, there always is. */
  readonly isShown?: (rows: readonly MatrixRow[]) => boolean;
};

const listed = (items: readonly string[], between = ', ') => items.join(between) || '-';
/** A column for what only some rows have. */
const some = (has: (row: MatrixRow) => boolean) => (rows: readonly MatrixRow[]) => rows.some(has);

const before: readonly Column[] = [
  { header: 'Row', cell: rowText },
  {
    header: 'Hosts',
    cell: ({ hosts }) => hosts.join(', ') || 'any',
    isShown: some(({ hosts }) => hosts.length > 0),
  },
];

const after: readonly Column[] = [
  { header: 'Bind', cell: ({ bind }) => listed(bind), isShown: some(({ bind }) => bind.length > 0) },
  { header: 'Limits', cell: ({ limits }) => listed(limits, '; ') },
  { header: 'Origin pin', cell: ({ origin_pin }) => origin_pin ?? '-' },
  {
    header: 'Row origin pin',
    cell: ({ row_origin_pin }) => row_origin_pin ?? '-',
    isShown: some(({ row_origin_pin }) => row_origin_pin !== null),
  },
  {
    header: 'Address pin',
    cell: ({ address_pin }) => address_pin ?? '-',
    isShown: some(({ address_pin }) => address_pin !== null),
  },
  {
    header: 'Monitored',
    cell: ({ monitored }) => listed(monitored),
    isShown: some(({ monitored }) => monitored.length > 0),
  },
  {
    header: 'Bundle pins',
    cell: ({ bundle_pins }) => listed(bundle_pins, '; '),
    isShown: some(({ bundle_pins }) => bundle_pins.length > 0),
  },
  {
    header: 'Body',
    cell: bodyText,
    isShown: ([first, ...rows]) =>
      first !== undefined &&
      [first, ...rows].some((row) => row.body_cut.length > 0 || bodyText(row) !== bodyText(first)),
  },
  { header: 'CORS', cell: ({ cors }) => cors ?? '-', isShown: some(({ cors }) => cors !== null) },
  {
    header: 'Credentials',
    cell: ({ credentials }) => credentials ?? '-',
    isShown: some(({ credentials }) => credentials === 'strip'),
  },
  {
    header: 'Observes',
    cell: ({ observes }) => listed(observes, '; '),
    isShown: some(({ observes }) => observes.length > 0),
  },
  { header: 'Errors', cell: ({ errors }) => errors ?? '-', isShown: some(({ errors }) => errors !== null) },
  { header: 'Upstream', cell: ({ upstream }) => upstream },
  { header: 'Served', cell: ({ served }) => served ?? '-', isShown: some(({ served }) => served !== null) },
];

/** Header and rows. What few rows have gets a column where there are any. */
export function matrixTable({ types, annotations, rows }: Matrix): Table {
  const cells = types.map((type) => ({
    header: type,
    cell: (row: MatrixRow) => (row.public ? 'public' : (row.cells[type] ?? '-')),
  }));
  const signed = annotations.map((type) => ({
    header: type,
    cell: ({ annotated_by }: MatrixRow) => (annotated_by.includes(type) ? 'annotates' : '-'),
  }));
  const columns: readonly Column[] = [...before, ...cells, ...signed, ...after];
  const shown = columns.filter(({ isShown }) => isShown === undefined || isShown(rows));
  return [shown.map(({ header }) => header), ...rows.map((row) => shown.map(({ cell }) => cell(row)))];
}

function rowText({ row, websocket, path_parameters, strict_scheme }: MatrixRow): string {
  const notes = [
    ...(websocket ? ['WebSocket'] : []),
    ...(path_parameters ? ['path parameters'] : []),
    ...(strict_scheme ? ['strict scheme'] : []),
  ];
  return [row, ...notes.map((note) => `(${note})`)].join(' ');
}

/** `1MiB, JSON without /secret`. */
export function bodyText({ body_max, body_json, body_cut }: MatrixRow): string {
  const cut = body_cut.length === 0 ? '' : ` without ${body_cut.join(' ')}`;
  return `${body_max === null ? 'no cap' : formatSize(body_max)}${body_json ? ', JSON' : ''}${cut}`;
}

function typeTable(types: readonly MatrixType[]): Table {
  return [
    ['Type', 'Scopes', 'Prefixes', 'Sources', 'CSRF'],
    ...types.map((one) => [
      one.type,
      scopesText(one),
      listed(one.prefixes),
      listed(one.sources),
      one.csrf ?? '-',
    ]),
  ];
}

function scopesText({ annotates, scopes, granted }: MatrixType): string {
  if (annotates) return 'none: it annotates';
  return scopes.length === 0 ? '-' : `${granted ? 'granted of' : 'always'} ${scopes.join(', ')}`;
}

/** What each type may do: a line a scope. */
function scopeTable({ types, scopes }: Matrix): Table {
  return [
    ['Scope', 'Means', ...types],
    ...scopes.map(({ scope, sentence, types: by }) => [
      scope,
      sentence.trim().replaceAll(/\s+/g, ' '),
      ...types.map((type) => by[type] ?? 'no'),
    ]),
  ];
}

function corsTable(blocks: readonly MatrixCors[]): Table {
  return [
    ['CORS', 'Origins', 'Methods', 'Headers', 'Exposed', 'Credentials', 'Kept for'],
    ...blocks.map((block) => [
      block.cors,
      block.origins === 'any' ? 'any' : listed(block.origins),
      listed(block.methods),
      listed(block.headers),
      listed(block.expose),
      block.credentials ? 'yes' : 'no',
      formatDuration(block.max_age_s * 1000),
    ]),
  ];
}

/** GitHub-flavoured: the rows, then the scopes, the types and the cors blocks, if any. Ends with a line break. */
export function matrixMarkdown(matrix: Matrix): string {
  const tables = [
    matrixTable(matrix),
    scopeTable(matrix),
    typeTable(matrix.token_types),
    corsTable(matrix.cors),
  ];
  return tables
    .filter((table) => table.length > 1)
    .map(markdownOf)
    .join('\n');
}

/** `|` in a cell is escaped. */
function markdownOf([header = [], ...rows]: Table): string {
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
