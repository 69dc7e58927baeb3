/** What `telemetry:` says: whether requests are traced, and who is told. Opens nothing. */
import * as v from 'valibot';
import { closed, plain, wording } from '../../policy/config-fields.ts';
import { type ConfigPath, type ConfigProblem, inKey, inValue } from '../../policy/config-problem.ts';
import { type Address, parseUpstreamUrl } from './address.ts';
import { fromElsewhere, secretElsewhere } from './references.ts';

export type TraceSettings = {
  /** The whole url of an OTLP/HTTP collector. */
  readonly url: string;
  /** The share of requests that is traced where no trusted proxy has decided, 0 to 1. */
  readonly sample: number;
  readonly service: string;
  /** Sent to the collector. Secret: never printed, logged or traced. */
  readonly headers: Readonly<Record<string, string>>;
};

const shareHint = 'write a share from 0 to 1: 0.01 is one request of a hundred';
const fieldName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9-]{1,64}$/, wording('not the name of a header', 'write it as in Authorization')),
  v.description('The name of a header.'),
);

const tracesSchema = v.pipe(
  closed({
    url: v.pipe(
      v.union([plain('http(s)://HOST[:PORT]/v1/traces.'), fromElsewhere]),
      v.description('Where traces go, as OTLP over HTTP in JSON.'),
      v.examples(['http://127.0.0.1:4318/v1/traces']),
    ),
    sample: v.optional(
      v.pipe(
        v.number(wording('', shareHint)),
        v.minValue(0, ({ input }) => wording(`${input} is not a share`, shareHint)),
        v.maxValue(1, ({ input }) => wording(`${input} is not a share`, shareHint)),
        v.description('The share of requests that is traced where no trusted proxy has decided.'),
      ),
      0.01,
    ),
    service: v.optional(plain('What this gate is called there: service.name.'), 'postern'),
    headers: v.optional(
      v.pipe(
        v.record(fieldName, secretElsewhere),
        v.description('Headers for the collector, each by a reference: nothing secret stands in this file.'),
      ),
      {},
    ),
  }),
  v.description('Traces by OpenTelemetry. Left out: there are none.'),
);

export const telemetrySchema = v.pipe(
  closed({ traces: v.optional(tracesSchema) }),
  v.description('What is told to those who watch, beside log and metrics.'),
);

type TelemetryConfig = v.InferOutput<typeof telemetrySchema>;

type Reference = string | { readonly env?: string | undefined; readonly file?: string | undefined };

type Reading = {
  readonly telemetry: TelemetryConfig | undefined;
  readonly errors: ConfigProblem[];
  /** null: a problem was reported. */
  readonly dereference: (path: ConfigPath, reference: Reference) => string | null;
  /** Which of our own listeners is there; null: none. */
  readonly ownListener: (address: Address) => string | null;
};

const urlHint = 'write http://HOST:4318/v1/traces, and what proves who you are in headers';

/** Complete only where there are no errors. null: nothing is traced. */
export function resolveTraces({
  telemetry,
  errors,
  dereference,
  ownListener,
}: Reading): TraceSettings | null {
  if (telemetry?.traces === undefined) return null;
  const { sample, service, headers: references, url: reference } = telemetry.traces;
  const at = ['telemetry', 'traces', 'url'];
  const url = dereference(at, reference) ?? '';
  const flaw = url === '' ? null : flawInUrl(url, ownListener);
  if (flaw !== null) errors.push(inValue(at, flaw, urlHint));
  const headers: Record<string, string> = {};
  for (const [name, where] of Object.entries(references)) {
    const path = ['telemetry', 'traces', 'headers', name];
    const value = dereference(path, where);
    if (value !== null && !/^[\t\x20-\x7e]+$/.test(value)) {
      errors.push(inKey(path, 'the value cannot be sent as a header', 'keep it in one line of ASCII'));
    }
    headers[name] = value ?? '';
  }
  return { url, sample, service, headers };
}

/** Repeats nothing of it: it may hold a secret. */
function flawInUrl(text: string, ownListener: Reading['ownListener']): string | null {
  if (!URL.canParse(text)) return 'not a url';
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return `traces cannot go to ${url.protocol}`;
  const parsed = parseUpstreamUrl(text);
  if (!parsed.ok) return parsed.message;
  if (parsed.value.basePath === '') return 'the url has no path';
  const own = ownListener(parsed.value);
  return own === null ? null : `the collector is Postern's own ${own} address`;
}
