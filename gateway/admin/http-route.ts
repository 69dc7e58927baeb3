/** What a route of the admin API is: one entry serves requests and yields its part of the OpenAPI document. */
import type * as v from 'valibot';
import type { AdminScope } from '../../policy/admin-type.ts';
import type { Checked } from '../../policy/token-input.ts';
import type { OnceDone } from '../../store/once.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Operator } from './http-auth.ts';
import type { Guesses } from './http-guesses.ts';
import type { Desk } from './operations.ts';
import type { Reload } from './operations-reload.ts';
import type { TailFilter } from './tail-filter.ts';

/** A JSON object, as both faces show it. */
export type View = Readonly<Record<string, unknown>>;

export type Call<Query, Body> = {
  readonly desk: Desk;
  readonly config: LoadedConfig;
  /** null: somebody at the machine itself. */
  readonly operator: Operator | null;
  /** What stands in the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  /** Versions of which what is changed must have one, by If-Match; null: whatever it has. */
  readonly ifVersions: readonly number[] | null;
  /** Answers with the live tail, for as long as it is read. @throws Refused where as many read it as may. */
  readonly listen: (filter: TailFilter) => void;
  readonly reload: Reload;
  /** Of whoever asks. */
  readonly guesses: Guesses;
};

export type AdminMethod = 'GET' | 'POST' | 'PUT' | 'PATCH';

type Shape<Query extends v.GenericSchema, Body extends v.GenericSchema> = {
  readonly method: AdminMethod;
  /** `/v1/tokens/{id}` */
  readonly path: string;
  /** Its operationId. */
  readonly name: string;
  readonly summary: string;
  /** null: any admin token. */
  readonly scope: AdminScope | null;
  /** An object of parameters. */
  readonly query: Query;
  /** null: no body is read. */
  readonly body: Body | null;
  readonly status: 200 | 201;
  readonly answer: v.GenericSchema;
  /** Of events, `answer` is the data of each. Absent: one JSON object. */
  readonly media?: 'text/event-stream';
  /** Whether the answer has an ETag, its `version`; where it changes something, it takes If-Match. Absent: no. */
  readonly versioned?: true;
  /** Whether it takes `dry_run`. */
  readonly changes: boolean;
  /** Whether it takes an Idempotency-Key, and what a request that repeats one is answered. */
  readonly once: ((call: Call<unknown, unknown>, done: OnceDone) => Promise<Checked<View>>) | null;
};

export type AdminRoute = Shape<v.GenericSchema, v.GenericSchema> & {
  readonly handle: (call: Call<unknown, unknown>) => Promise<Checked<View>>;
};

/** Ties what a handler reads to what its schemas let through. */
export function route<Query extends v.GenericSchema, Body extends v.GenericSchema>({
  handle,
  ...shape
}: Shape<Query, Body> & {
  readonly handle: (call: Call<v.InferOutput<Query>, v.InferOutput<Body>>) => Promise<Checked<View>>;
}): AdminRoute {
  return {
    ...shape,
    handle: (call) => handle(call as Call<v.InferOutput<Query>, v.InferOutput<Body>>),
  };
}

/** The segments of a pattern or a path. */
export function segmentsOf(path: string): readonly string[] {
  return path.split('/').slice(1);
}

/** @returns what stands where the pattern has `{name}`; null: it does not match, or cannot be decoded. */
export function matchPath(
  pattern: string,
  segments: readonly string[],
): Readonly<Record<string, string>> | null {
  const parts = segmentsOf(pattern);
  if (parts.length !== segments.length) return null;
  const params = new Map<string, string>();
  for (const [index, part] of parts.entries()) {
    const segment = segments[index] ?? '';
    const name = /^\{(.+)\}$/.exec(part)?.[1];
    if (name === undefined) {
      if (part !== segment) return null;
      continue;
    }
    const value = decoded(segment);
    if (value === null || value === '') return null;
    params.set(name, value);
  }
  return Object.fromEntries(params);
}

function decoded(segment: string): string | null {
  try {
    const text = decodeURIComponent(segment);
    // PostgreSQL has no text with a NUL, so nothing is called so.
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}
