/**
 * Traces by OpenTelemetry: a span for each request that is traced, and one below it for each time an upstream is
 * asked. Attributes by the semantic conventions for HTTP, from a list that is allowed: no path, no query, no header,
 * no token. Only files that are asked for traces load this one.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  type SpanExporter,
  TracerProvider,
  type TracerProviderOptions,
} from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import type { Account } from './access-log.ts';
import type { TraceSettings } from './config/telemetry-settings.ts';
import type { Visit } from './gate.ts';
import type { Target } from './targets.ts';
import { readTraceContext, stampTraceContext, type TraceContext } from './trace-context.ts';
import type { CallTrace, ExportReport, RequestTrace, Tracing } from './tracing.ts';

type Tracer = ReturnType<TracerProvider['getTracer']>;

/** What waits to be sent; spans beyond it are dropped, rather than kept in memory or waited for. */
const queueMax = 2048;
/** Made into JSON in one go, on the loop that carries requests. */
const batchMax = 128;
const everyMs = 2000;
const exportMs = 10_000;
const closeMs = 2000;

export function createTracing(settings: TraceSettings, log: Logger, report: ExportReport): Tracing {
  const { url, headers, sample } = settings;
  const collector = new OTLPTraceExporter({ url, headers, timeoutMillis: exportMs, concurrencyLimit: 2 });
  const processor = new BatchSpanProcessor({
    exporter: telling(collector, log, report),
    maxQueueSize: queueMax,
    maxExportBatchSize: batchMax,
    scheduledDelayMillis: everyMs,
    exportTimeoutMillis: exportMs + 1000,
  });
  const provider = new TracerProvider({
    resource: resourceOf(settings.service),
    // Whether a request is traced was decided before it comes here.
    sampler: new AlwaysOnSampler(),
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('postern');
  return {
    begin: (visit) => {
      const { rawHeaders } = visit.head;
      // A stranger neither chooses that we trace, nor which trace is ours.
      const parent = visit.hops === null ? null : readTraceContext(rawHeaders);
      if (parent === null ? Math.random() >= sample : !parent.sampled) return null;
      return requestTrace(tracer, visit, parent, parent ?? readTraceContext(rawHeaders));
    },
    close: async () => {
      const given = new Promise((resolve) => setTimeout(resolve, closeMs).unref());
      await Promise.race([provider.shutdown().catch(() => {}), given]);
    },
  };
}

function resourceOf(service: string): NonNullable<TracerProviderOptions['resource']> {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const attributes = {
    'service.name': service,
    'service.version': String(JSON.parse(manifest).version),
    'service.instance.id': randomUUID(),
  };
  const resource = {
    attributes,
    getRawAttributes: () => Object.entries(attributes),
    merge: () => resource,
  };
  return resource as NonNullable<TracerProviderOptions['resource']>;
}

const tellEveryMs = 60_000;

/** Says now and then that spans do not arrive, and never what a collector answers: it may repeat what it was sent. */
function telling(exporter: SpanExporter, log: Logger, report: ExportReport): SpanExporter {
  let toldAt = Number.NEGATIVE_INFINITY;
  let lost = 0;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const ok = result.error === undefined && result.code === 0;
        report(ok, spans.length);
        if (!ok) {
          lost += spans.length;
          if (performance.now() - toldAt >= tellEveryMs) {
            toldAt = performance.now();
            log.warn({ event: 'traces_not_exported', reason: reasonOf(result.error), spans: lost });
            lost = 0;
          }
        }
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}

function reasonOf(error: Error | undefined): string {
  const code = error !== undefined && 'code' in error ? error.code : undefined;
  if (typeof code === 'number') return `the collector answered ${code}`;
  return typeof code === 'string' ? code : 'no answer';
}

const knownMethods: ReadonlySet<string> = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'],
]);

function requestTrace(
  tracer: Tracer,
  { facts, hops, head }: Visit,
  parent: TraceContext | null,
  said: TraceContext | null,
): RequestTrace {
  const method = knownMethods.has(facts.method) ? facts.method : '_OTHER';
  const attributes: Attributes = {
    'http.request.method': method,
    'url.scheme': hops?.proto ?? 'http',
    'network.protocol.version': head.httpVersion,
    'postern.request_id': facts.requestId,
  };
  const links = parent === null && said !== null ? [{ context: spanContextOf(said) }] : [];
  const above =
    parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...spanContextOf(parent) });
  const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes, links }, above);
  const within = trace.setSpan(ROOT_CONTEXT, span);
  return {
    call: (upstream, target) => {
      const kind = SpanKind.CLIENT;
      const called = tracer.startSpan(method, { kind, attributes: callOf(method, upstream, target) }, within);
      return callTrace(called, parent === null);
    },
    end: (account) => endRequest(span, account),
  };
}

function spanContextOf({ traceId, spanId, sampled }: TraceContext) {
  return { traceId, spanId, traceFlags: sampled ? 1 : 0, isRemote: true };
}

function endRequest(span: Span, account: Account): void {
  const { route, status, code, tokenId, tokenType, aborted } = account;
  if (route !== null) span.updateName(route).setAttribute('http.route', route);
  if (status !== 0) span.setAttribute('http.response.status_code', status);
  if (code !== null) span.setAttribute('postern.code', code);
  if (tokenId !== null) span.setAttribute('postern.token_id', tokenId);
  if (tokenType !== null) span.setAttribute('postern.token_type', tokenType);
  if (aborted) span.setAttribute('postern.aborted', true);
  // A refusal is the caller's; only what is ours or the upstream's is an error of this span.
  if (status >= 500) failed(span, code ?? String(status));
  span.end();
}

function callOf(method: string, upstream: string, { origin }: Target): Attributes {
  const { protocol, hostname, port } = new URL(origin);
  return {
    'http.request.method': method,
    'url.scheme': protocol.slice(0, -1),
    'server.address': hostname,
    'server.port': port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
    'postern.upstream': upstream,
  };
}

function callTrace(span: Span, isNew: boolean): CallTrace {
  return {
    stamp: (headers) => stampTraceContext(headers, span.spanContext(), isNew),
    end: (status, code) => {
      if (!span.isRecording()) return;
      if (status !== null) span.setAttribute('http.response.status_code', status);
      if (code !== null || (status !== null && status >= 400)) failed(span, code ?? String(status));
      span.end();
    },
  };
}

function failed(span: Span, type: string): void {
  span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR });
}
