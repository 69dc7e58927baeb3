/** Prometheus metrics. Labels are names of the config and codes of ours: a caller cannot add a series. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type AlertKind, alertKinds } from '../policy/alert-types.ts';
import type { Account } from './access-log.ts';
import { type Delivery, deliveryOutcomes } from './alert-courier.ts';

export type Gauges = {
  readonly inFlight: () => number;
  readonly verifierDepth: () => number;
  readonly bcrypt: () => { readonly compared: number; readonly spared: number };
  readonly assertions: () => { readonly signed: number; readonly kept: number };
  readonly bodyBytes: () => number;
  readonly limiterUp: () => boolean;
  /** Each url of each upstream, and whether it takes its share of requests. */
  readonly targets: () => readonly (readonly [upstream: string, url: string, isIn: boolean])[];
  readonly storeUp: () => boolean;
  /** Whether the last reload was taken. */
  readonly configOk: () => boolean;
};

export type Metrics = {
  readonly count: (account: Account) => void;
  readonly upstreamSeconds: (upstream: string, seconds: number) => void;
  readonly reloaded: (ok: boolean) => void;
  readonly limiterChanged: (ok: boolean) => void;
  readonly alertRaised: (kind: AlertKind) => void;
  readonly alertSent: (outcome: Delivery['outcome']) => void;
  readonly limiterSeconds: (seconds: number) => void;
  readonly tracesExported: (ok: boolean, spans: number) => void;
  readonly text: () => Promise<string>;
  readonly contentType: string;
};

/** The hot path only adds to a map; series are built when somebody scrapes. */
export function createMetrics(gauges: Gauges): Metrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const tallies = new Map<string, number>();
  new Counter({
    name: 'postern_requests_total',
    help: 'Requests by row, token type, inner code (`passed` where none) and status.',
    labelNames: ['route', 'type', 'code', 'status'],
    registers: [register],
    collect() {
      this.reset();
      for (const [key, count] of tallies) this.labels(...key.split('\n')).inc(count);
    },
  });
  const watched = new Counter({
    name: 'postern_monitored_total',
    help: 'What mode: monitor would have refused, by code and row.',
    labelNames: ['code', 'route'],
    registers: [register],
  });
  openGauges(register, gauges);
  return {
    count: ({ route, tokenType, code, status, monitored }) => {
      const key = `${route ?? 'none'}\n${tokenType ?? 'none'}\n${code ?? 'passed'}\n${status}`;
      tallies.set(key, (tallies.get(key) ?? 0) + 1);
      for (const would of monitored ?? []) watched.labels(would, route ?? 'none').inc();
    },
    ...openTimes(register),
    ...openEvents(register),
    text: () => register.metrics(),
    contentType: register.contentType,
  };
}

type Events = Pick<Metrics, 'reloaded' | 'limiterChanged' | 'alertRaised' | 'alertSent' | 'tracesExported'>;

/** Each begins at 0: of a series that begins at 1, Prometheus sees no increase, and the first time is the one that matters. */
function openEvents(register: Registry): Events {
  const counter = <Label extends string>(
    name: string,
    help: string,
    label: Label,
    values: readonly string[],
  ) => {
    const opened = new Counter({ name, help, labelNames: [label], registers: [register] });
    for (const value of values) opened.inc({ [label]: value } as Record<Label, string>, 0);
    return opened;
  };
  const reloads = counter(
    'postern_config_reloads_total',
    'Reloads by outcome; a failed one kept the old config.',
    'outcome',
    ['ok', 'failed'],
  );
  const limiter = counter(
    'postern_limiter_changes_total',
    'How often the shared limiter was lost or came back.',
    'state',
    ['up', 'down'],
  );
  const alerts = counter(
    'postern_alerts_total',
    'Alerts that this process raised, by kind.',
    'kind',
    Object.keys(alertKinds),
  );
  const deliveries = counter(
    'postern_alert_deliveries_total',
    'Attempts to bring an alert to the webhook, by outcome.',
    'outcome',
    deliveryOutcomes,
  );
  const spans = counter(
    'postern_trace_spans_total',
    'Spans that a collector took, or that were lost on the way.',
    'outcome',
    ['exported', 'lost'],
  );
  return {
    reloaded: (ok) => reloads.labels(ok ? 'ok' : 'failed').inc(),
    limiterChanged: (ok) => limiter.labels(ok ? 'up' : 'down').inc(),
    alertRaised: (kind) => alerts.labels(kind).inc(),
    alertSent: (outcome) => deliveries.labels(outcome).inc(),
    tracesExported: (ok, count) => spans.labels(ok ? 'exported' : 'lost').inc(count),
  };
}

function openTimes(register: Registry): Pick<Metrics, 'upstreamSeconds' | 'limiterSeconds'> {
  const upstream = new Histogram({
    name: 'postern_upstream_seconds',
    help: 'From dispatch to the end of the answer.',
    labelNames: ['upstream'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
    registers: [register],
  });
  const limiter = new Histogram({
    name: 'postern_limiter_seconds',
    help: 'Round trips to Redis that counted, each for all requests that waited for it.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05],
    registers: [register],
  });
  /** To look one up by its labels costs more than to add to it. */
  const byUpstream = new Map<string, Histogram.Internal<'upstream'>>();
  return {
    upstreamSeconds: (name, seconds) => {
      let known = byUpstream.get(name);
      if (known === undefined) {
        known = upstream.labels(name);
        byUpstream.set(name, known);
      }
      known.observe(seconds);
    },
    limiterSeconds: (seconds) => limiter.observe(seconds),
  };
}

function openGauges(register: Registry, gauges: Gauges): void {
  gauge(register, 'postern_in_flight', 'Requests being handled.', gauges.inFlight);
  gauge(register, 'postern_bcrypt_queue', 'Bcrypt checks waiting or running.', gauges.verifierDepth);
  counter(
    register,
    'postern_bcrypt_total',
    'Bcrypt comparisons, and requests that were spared one, for their token had been compared before.',
    gauges.bcrypt,
  );
  counter(
    register,
    'postern_assertions_total',
    'Signed statements: made for a request, or kept from an earlier one.',
    gauges.assertions,
  );
  gauge(register, 'postern_body_bytes', 'Held by bodies that are read whole.', gauges.bodyBytes);
  gauge(
    register,
    'postern_config_ok',
    '1: the last reload was taken; 0: an older config is in force.',
    () => +gauges.configOk(),
  );
  gauge(
    register,
    'postern_limiter_up',
    '1: limits are counted where they should be.',
    () => +gauges.limiterUp(),
  );
  new Gauge({
    name: 'postern_upstream_up',
    help: '1: this url takes its share of requests; 0: it is left out.',
    labelNames: ['upstream', 'url'],
    registers: [register],
    collect() {
      this.reset();
      for (const [name, url, isIn] of gauges.targets()) this.labels(name, url).set(+isIn);
    },
  });
  gauge(register, 'postern_store_up', '1: the store is read for every request.', () => +gauges.storeUp());
}

function gauge(register: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [register],
    collect() {
      this.set(read());
    },
  });
}

/** Counted elsewhere; by outcome. */
function counter(
  register: Registry,
  name: string,
  help: string,
  read: () => Readonly<Record<string, number>>,
): void {
  new Counter({
    name,
    help,
    labelNames: ['outcome'],
    registers: [register],
    collect() {
      this.reset();
      for (const [outcome, count] of Object.entries(read())) this.labels(outcome).inc(count);
    },
  });
}
