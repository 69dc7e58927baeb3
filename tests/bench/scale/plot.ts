/** From series to SVG text: pure, the same text for the same series. Held by tests/bench-plot.test.ts. */

export type Tick = { readonly at: number; readonly text: string };

export type Axis = {
  readonly label: string;
  /** Linear axes begin at 0, so that what is flat looks flat. */
  readonly log?: boolean;
  /** Where the usual ones do not fit. Those that would stand in another's way have no text. */
  readonly ticks?: readonly Tick[];
  /** The axis goes as far as this, so that what is small beside it looks small. */
  readonly upTo?: number;
};

export type Line = {
  readonly name: string;
  /** What cannot be shown is left out: NaN, and what is not above 0 on a log axis. */
  readonly points: readonly (readonly [x: number, y: number])[];
};

export type Panel = { readonly y: Axis; readonly lines: readonly Line[] };

export type Plot = {
  readonly title: string;
  /** What is to be seen, for whoever does not see it. */
  readonly description: string;
  readonly x: Axis;
  /** Two side by side. Lines of the same name look the same in all of them. */
  readonly panels: readonly Panel[];
};

const panelWidth = 400;
const panelHeight = 260;
/** Around the part of a panel that lines are drawn in. */
const room = { left: 58, right: 28, top: 24, bottom: 44 } as const;
const headHeight = 34;
const legendLineHeight = 20;
const namesPerLegendLine = 4;
const ticksMax = 6;
/** Of a letter's width, about. */
const halfLetter = 3.6;

/** Readable on white and on black, and told apart by their marks where colours are not. */
const looks = [
  { light: '#1d4ed8', dark: '#7aa7ff', mark: 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0' },
  { light: '#b45309', dark: '#ffb057', mark: 'M-4 -4h8v8h-8z' },
  { light: '#15803d', dark: '#62d48c', mark: 'M0 -5l5 5l-5 5l-5 -5z' },
  { light: '#a21caf', dark: '#e79bf0', mark: 'M0 -5l5 9h-10z' },
  { light: '#475569', dark: '#b6c2d1', mark: 'M-5 -5l10 10M-5 5l10 -10' },
  { light: '#be123c', dark: '#ff8ba0', mark: 'M0 5l5 -9h-10z' },
] as const;

const style = [
  'text{font:12px sans-serif;fill:#1f2937}',
  '.b{fill:#fff}.t{font-weight:bold;font-size:14px}.g{stroke:#e5e7eb}.a{stroke:#6b7280}',
  'path{fill:none;stroke-width:2}',
  ...looks.map(({ light }, n) => `.s${n}{stroke:${light}}path.m${n}{stroke:${light};fill:${light}}`),
  '@media (prefers-color-scheme:dark){text{fill:#e5e7eb}.b{fill:#0d1117}.g{stroke:#2b323c}.a{stroke:#9ca3af}',
  ...looks.map(({ dark }, n) => `.s${n}{stroke:${dark}}path.m${n}{stroke:${dark};fill:${dark}}`),
  '}',
].join('');

export function plotSvg({ title, description, x, panels }: Plot): string {
  const names = [...new Set(panels.flatMap(({ lines }) => lines.map(({ name }) => name)))];
  const columns = Math.min(2, Math.max(1, panels.length));
  const legendHeight = Math.ceil(names.length / namesPerLegendLine) * legendLineHeight;
  const top = headHeight + legendHeight;
  const [width, height] = [columns * panelWidth, top + Math.ceil(panels.length / columns) * panelHeight];
  const drawn = panels.map((panel, n) => {
    const corner = `${(n % columns) * panelWidth} ${top + Math.floor(n / columns) * panelHeight}`;
    return `<g transform="translate(${corner})">${panelSvg(panel, x, names)}</g>`;
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="description">${escaped(description)}</desc>`,
    `<style>${style}</style>`,
    `<rect class="b" width="${width}" height="${height}"/>`,
    `<text class="t" x="14" y="22">${escaped(title)}</text>`,
    ...legend(names, width),
    ...drawn,
    '</svg>',
  ].join('\n')}\n`;
}

function legend(names: readonly string[], width: number): readonly string[] {
  const step = (width - 28) / namesPerLegendLine;
  return names.map((name, n) => {
    const x = 20 + Math.round((n % namesPerLegendLine) * step);
    const y = headHeight + 8 + Math.floor(n / namesPerLegendLine) * legendLineHeight;
    return `${markAt(n, x, y)}<text x="${x + 11}" y="${y + 4}">${escaped(name)}</text>`;
  });
}

const lookOf = (n: number): number => n % looks.length;

function markAt(n: number, x: number, y: number): string {
  const look = looks[lookOf(n)];
  return `<path class="m${lookOf(n)}" transform="translate(${x} ${y})" d="${look?.mark ?? ''}"/>`;
}

function panelSvg({ y, lines }: Panel, x: Axis, names: readonly string[]): string {
  const shown = lines.map(({ name, points }) => ({
    look: names.indexOf(name),
    points: points.filter(([at, value]) => canStand(at, x) && canStand(value, y)),
  }));
  const all = shown.flatMap(({ points }) => points);
  const [right, bottom] = [panelWidth - room.right, panelHeight - room.bottom];
  const across = scaleOf(
    x,
    all.map(([at]) => at),
    [room.left, right],
  );
  const up = scaleOf(
    y,
    all.map(([, value]) => value),
    [bottom, room.top],
  );
  const middle = (room.left + right) / 2;
  return [
    `<text x="${room.left}" y="14">${escaped(y.label)}</text>`,
    ...up.ticks.map(({ at, text }) => {
      const level = round(up.place(at));
      return `<path class="g" style="stroke-width:1" d="M${room.left} ${level}H${right}"/><text x="${room.left - 6}" y="${level + 4}" text-anchor="end">${escaped(text)}</text>`;
    }),
    ...readable(across).map(
      ({ at, text }) =>
        `<text x="${round(across.place(at))}" y="${bottom + 16}" text-anchor="middle">${escaped(text)}</text>`,
    ),
    `<path class="a" style="stroke-width:1" d="M${room.left} ${bottom}H${right}"/>`,
    `<text x="${middle}" y="${bottom + 34}" text-anchor="middle">${escaped(x.label)}</text>`,
    ...shown.map(({ look, points }) => {
      const places = points.map(([at, value]) => [round(across.place(at)), round(up.place(value))] as const);
      const way = places.map(([left, level], n) => `${n === 0 ? 'M' : 'L'}${left} ${level}`).join('');
      const marks = places.map(([left, level]) => markAt(look, left, level)).join('');
      return places.length === 0 ? '' : `<path class="s${lookOf(look)}" d="${way}"/>${marks}`;
    }),
    all.length > 0
      ? ''
      : `<text x="${middle}" y="${(room.top + bottom) / 2}" text-anchor="middle">not measured</text>`,
  ].join('');
}

const canStand = (figure: number, { log = false }: Axis): boolean =>
  Number.isFinite(figure) && (!log || figure > 0);

const round = (figure: number): number => Math.round(figure * 10) / 10;

type Scale = { readonly place: (figure: number) => number; readonly ticks: readonly Tick[] };

/** Ticks whose texts have room beside each other; the last always has. */
function readable({ ticks, place }: Scale): readonly Tick[] {
  const kept: Tick[] = [];
  for (const tick of ticks.toReversed()) {
    const next = kept.at(-1);
    const half = (tick.text.length + (next?.text.length ?? 0) + 1) * halfLetter;
    if (next === undefined || place(next.at) - place(tick.at) >= half) kept.push(tick);
  }
  return kept.toReversed();
}

/** From figures to places between two ends. */
function scaleOf(axis: Axis, shown: readonly number[], [from, to]: readonly [number, number]): Scale {
  const figures = axis.upTo === undefined ? shown : [...shown, axis.upTo];
  const turn = axis.log === true ? Math.log10 : (figure: number) => figure;
  const ticks = axis.ticks ?? (axis.log === true ? logTicks(figures) : linearTicks(figures));
  const ends = [...figures, ...ticks.map(({ at }) => at)].map(turn);
  const [low, high] = ends.length === 0 ? [0, 1] : [Math.min(...ends), Math.max(...ends)];
  const span = high - low || 1;
  return { place: (figure) => from + ((turn(figure) - low) / span) * (to - from), ticks };
}

/** From 0 to the first that is not below the greatest figure, in steps of 1, 2 or 5 times a power of ten. */
function linearTicks(figures: readonly number[]): readonly Tick[] {
  const [low, high] = [Math.min(0, ...figures), Math.max(0, ...figures)];
  const least = (high - low) / (ticksMax - 1) || 1;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = ([1, 2, 5, 10].find((one) => one * power >= least * 0.999) ?? 10) * power;
  const [first, last] = [Math.floor(low / step), Math.max(1, Math.ceil((high / step) * 0.999))];
  return Array.from({ length: last - first + 1 }, (_, n) => tickAt((first + n) * step));
}

/** Powers of ten around the figures; where there are few, what lies between them too. */
function logTicks(figures: readonly number[]): readonly Tick[] {
  if (figures.length === 0) return [];
  const powers = figures.map((figure) => Math.log10(figure));
  const [first, last] = [Math.floor(Math.min(...powers) + 1e-9), Math.ceil(Math.max(...powers) - 1e-9)];
  const between = last - first < 2 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil((last - first) / 8));
  const ticks: Tick[] = [];
  for (let power = first; power < Math.max(last, first + 1); power += every) {
    for (const part of between) ticks.push(tickAt(part * 10 ** power));
  }
  return [...ticks, tickAt(10 ** Math.max(last, first + 1))];
}

const tickAt = (at: number): Tick => ({ at, text: shortText(at) });

/** 1500 as `1.5 k`. */
export function shortText(figure: number): string {
  const size = Math.abs(figure);
  const [divisor, unit] =
    size >= 1e9 ? [1e9, ' G'] : size >= 1e6 ? [1e6, ' M'] : size >= 1e3 ? [1e3, ' k'] : [1, ''];
  return `${Number((figure / divisor).toPrecision(3))}${unit}`;
}

function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replaceAll(/[&<>"]/g, (one) => names[one] ?? one);
}
