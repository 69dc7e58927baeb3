/** docs/deploy: every metric and label in the dashboard, the alert rules and their page is one that a gate exposes. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createMetrics, type Metrics } from '../gateway/metrics.ts';

const folder = resolve(import.meta.dirname, '../docs/deploy');
const read = (name: string) => readFileSync(resolve(folder, name), 'utf8');

/** Of a gate that has done nothing. */
function unused(): Metrics {
  return createMetrics({
    inFlight: () => 1,
    verifierDepth: () => 1,
    bcrypt: () => ({ compared: 1, spared: 1 }),
    assertions: () => ({ signed: 1, kept: 1 }),
    bodyBytes: () => 1,
    limiterUp: () => true,
    targets: () => [['app', 'http://127.0.0.1:1', true]],
    storeUp: () => true,
    configOk: () => true,
  });
}

/** Each series by its name, with its labels; the scraper's own among them. */
async function exposed(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const metrics = unused();
  const account = { requestId: 'x', method: 'GET', route: 'r', status: 200, code: null, reason: null };
  const caller = { tokenId: null, tokenType: null, address: '', durationMs: 1, aborted: false };
  metrics.count({ ...account, ...caller, monitored: ['scope_missing'] });
  metrics.upstreamSeconds('app', 1);
  metrics.limiterSeconds(1);
  metrics.limiterChanged(true);
  metrics.reloaded(true);
  metrics.tracesExported(true, 1);
  metrics.alertRaised('spike.token');
  metrics.alertSent('delivered');
  const series = new Map<string, Set<string>>();
  const text = await metrics.text();
  // A metric without a sample has no labels to hold anybody to: one that comes new is to be counted above.
  for (const [, name = ''] of text.matchAll(/^# TYPE (postern_[a-z_]+) (?:counter|gauge)$/gm)) {
    if (!new RegExp(`^${name}[{ ]`, 'm').test(text)) throw new Error(`${name} was not counted`);
  }
  for (const line of text.split('\n')) {
    const [, name, labels = ''] = /^([a-z_]+[a-z0-9_]*)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === undefined) continue;
    const known = series.get(name) ?? new Set(['job', 'instance']);
    for (const [, label = ''] of labels.matchAll(/([a-z_]+)="/g)) known.add(label);
    series.set(name, known);
  }
  return series.set('up', new Set(['job', 'instance']));
}

const series = await exposed();

/** Names in an expression that nobody exposes, and labels that none of its metrics has. */
function flawsIn(expr: string): readonly string[] {
  const bare = expr.replaceAll(/"[^"]*"/g, '""').replaceAll(/\[[^\]]*\]/g, '');
  const names = [...bare.matchAll(/\b([a-z][a-z0-9_]*)\b(?=\s*(?:\{|\)|==|>|$|,))/g)]
    .map(([, name = '']) => name)
    .filter((name) => /^(?:postern|nodejs|process)_|^up$/.test(name));
  const unknown = names.filter((name) => !series.has(name));
  const having = new Set(names.flatMap((name) => [...(series.get(name) ?? [])]));
  const inBraces = [...bare.matchAll(/([a-z_]+)\s*(?:=~|!=|!~|=)\s*""/g)].map(([, label = '']) => label);
  const grouped = [...bare.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/));
  const odd = [...inBraces, ...grouped].filter((label) => !having.has(label));
  const balance = [...bare].reduce((sum, one) => sum + (one === '(' ? 1 : one === ')' ? -1 : 0), 0);
  return [
    ...(names.length === 0 ? ['no metric'] : []),
    ...unknown,
    ...odd,
    ...(balance === 0 ? [] : ['parentheses']),
  ];
}

describe('an expression with a mistake is noticed', () => {
  test.each([
    ['postern_request_total == 0', ['postern_request_total']],
    ['sum by (row) (rate(postern_requests_total[5m]))', ['row']],
    ['rate(postern_upstream_up{url="x", route="y"}[5m])', ['route']],
    ['sum(rate(postern_requests_total[5m])', ['parentheses']],
    [
      'histogram_quantile(0.9, sum by (le) (rate(postern_upstream_seconds[5m])))',
      ['postern_upstream_seconds', 'le'],
    ],
    ['vector(1)', ['no metric']],
  ])('%s', (expr, flaws) => {
    expect(flawsIn(expr)).toEqual(flaws);
  });
});

type Rule = {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
};
const rules: readonly Rule[] = parse(read('alerts.yaml')).groups[0].rules;

describe('the alert rules', () => {
  test.each(rules.map((rule) => [rule.alert, rule] as const))('%s', (_name, rule) => {
    expect(flawsIn(rule.expr)).toEqual([]);
    expect(
      Object.keys(rule).filter((key) => !['alert', 'expr', 'for', 'labels', 'annotations'].includes(key)),
    ).toEqual([]);
    expect(rule.labels.severity).toMatch(/^(?:critical|warning|info)$/);
    // What the summary names must still be there after the expression has summed it up.
    const grouped = /^(?:sum|max|min) by \(([^)]*)\)/.exec(
      rule.expr.replace(/^histogram_quantile\([^,]*, /, ''),
    )?.[1];
    const kept = grouped?.split(/,\s*/) ?? [...series.values()].flatMap((labels) => [...labels]);
    const named = [...rule.annotations.summary.matchAll(/\$labels\.([a-z_]+)/g)].map(([, label]) => label);
    expect(named.filter((label) => !kept.includes(label ?? ''))).toEqual([]);
  });

  test('that wait for an increase find the series at 0 before there was any: one that begins at 1 has none', async () => {
    const text = await unused().text();
    const waited = rules.flatMap(({ expr }) => [
      ...expr.matchAll(/increase\(([a-z_]+)\{([a-z]+)=~?"([^"]+)"\}/g),
    ]);
    expect(waited.length).toBe(rules.filter(({ expr }) => expr.includes('increase(')).length);
    for (const [, name, label, values = ''] of waited) {
      for (const value of values.split('|')) expect(text).toContain(`\n${name}{${label}="${value}"} 0\n`);
    }
  });

  test('are told apart by name', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  });
});

type Panel = {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
};
const { panels, templating } = JSON.parse(read('grafana.json'));
const drawn: readonly Panel[] = panels;

describe('the dashboard', () => {
  const charts = drawn.filter(({ type }) => type !== 'row');

  test.each(charts.map((panel) => [panel.title, panel] as const))('%s', (_title, { targets = [] }) => {
    expect(targets.length).toBeGreaterThan(0);
    for (const { expr, legendFormat } of targets) {
      expect(flawsIn(expr)).toEqual([]);
      const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/));
      const named = [...legendFormat.matchAll(/\{\{([a-z_]+)\}\}/g)].map(([, label]) => label);
      expect(named.filter((label) => !grouped.includes(label ?? ''))).toEqual([]);
    }
  });

  test('has its panels beside each other, each with an id of its own', () => {
    expect(new Set(drawn.map(({ id }) => id)).size).toBe(drawn.length);
    for (const [i, one] of drawn.entries()) {
      for (const other of drawn.slice(i + 1)) {
        const [a, b] = [one.gridPos, other.gridPos];
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
        expect(apart, `${one.title} and ${other.title}`).toBe(true);
      }
    }
  });

  test('asks for jobs and instances by a metric that there is', () => {
    for (const { definition = 'up' } of templating.list) {
      const name = /\(([a-z_]+)/.exec(definition)?.[1] ?? definition;
      expect(series.has(name)).toBe(true);
    }
  });
});

test('docs/deploy/README.md names every metric of ours, with its labels', () => {
  const page = read('README.md');
  const named = new Set(page.match(/\b(?:postern)_[a-z_]+/g));
  const ours = [...series.keys()].filter((name) => name.startsWith('postern_'));
  const families = new Set(ours.map((name) => name.replace(/_seconds_(?:bucket|sum|count)$/, '_seconds')));
  expect([...families].filter((name) => !named.has(name))).toEqual([]);
  expect([...named].filter((name) => !families.has(name))).toEqual([]);
  const labels = new Set(ours.flatMap((name) => [...(series.get(name) ?? [])]));
  const apart = ['job', 'instance', 'le'];
  expect([...labels].filter((label) => !apart.includes(label) && !page.includes(`\`${label}\``))).toEqual([]);
});
