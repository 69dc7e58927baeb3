/** What callers of the admin API send, read strictly: bounded, JSON, no key twice or that is not known. Repeats nothing of it. */
import * as v from 'valibot';
import { suggest } from '../../policy/config-problem.ts';
import { doubleKey } from '../../policy/json-double.ts';
import { isToldName, toldName } from '../../policy/told-name.ts';
import { type Problem, Refused } from './http-problem.ts';

const bodyBytesMax = 64 * 1024;

/** The body as JSON; an empty one is an object without keys. @throws Refused, also where two readers could understand it differently. */
export async function readJson(request: Request): Promise<unknown> {
  const bytes = await readBounded(request);
  if (bytes.length === 0) return {};
  const type = request.headers.get('content-type') ?? '';
  const isJson = /^application\/json[ \t]*(;[ \t]*charset[ \t]*=[ \t]*"?utf-8"?[ \t]*)?$/i.test(type);
  if (!isJson || request.headers.has('content-encoding')) throw new Refused({ code: 'body_encoding' });
  const text = textOf(bytes);
  const json = parsed(text);
  const twice = doubleKey(text);
  if (twice !== null) throw new Refused(standsTwice(twice));
  return json;
}

/** @throws Refused */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused({ code: 'body_malformed' });
  }
}

/** @throws Refused */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused({ code: 'body_malformed' });
  }
}

/** Up to 64 KiB. @throws Refused */
export async function readBounded({ body, headers }: Request): Promise<Uint8Array> {
  if (Number(headers.get('content-length')) > bodyBytesMax) throw new Refused({ code: 'body_too_large' });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > bodyBytesMax) throw new Refused({ code: 'body_too_large' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** Names in `repeated` have every value, others only one. @throws Refused where one of those stands twice. */
export function readQuery(
  search: URLSearchParams,
  repeated: readonly string[],
): Readonly<Record<string, string | readonly string[]>> {
  const query = new Map<string, string | readonly string[]>();
  for (const [name, value] of search) {
    if (value.includes('\0')) {
      const path = toldName(name);
      const hint = 'leave it out';
      throw new Refused({ code: 'payload_invalid', detail: 'a parameter holds a NUL', hint, path });
    }
    const before = query.get(name);
    if (repeated.includes(name)) query.set(name, [...(Array.isArray(before) ? before : []), value]);
    else if (before === undefined) query.set(name, value);
    else
      throw new Refused({
        code: 'payload_invalid',
        detail: 'a parameter stands twice',
        hint: 'send it once',
        path: toldName(name),
      });
  }
  return Object.fromEntries(query);
}

/** @throws Refused with the first thing that is wrong. */
export function readAs<Schema extends v.GenericSchema>(
  schema: Schema,
  input: unknown,
): v.InferOutput<Schema> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new Refused({ code: 'body_malformed' });
  }
  const known = 'entries' in schema ? Object.keys(schema.entries as object) : [];
  const odd = Object.keys(input).find((key) => !known.includes(key));
  if (odd !== undefined) throw new Refused(unknownKey(odd, known));
  const result = v.safeParse(schema, input, { abortEarly: true });
  if (result.success) return result.output;
  throw new Refused(flawOf(result.issues[0]));
}

const stepsToldMax = 8;

function unknownKey(key: string, known: readonly string[]): Problem {
  const isTold = isToldName(key);
  const detail = isTold ? `unknown key "${key}"` : 'unknown key';
  return {
    code: 'payload_invalid',
    detail,
    hint: isTold ? suggest(key, known, 'leave it out') : listed(known),
    path: toldName(key),
  };
}

/** As far as its way is made of names. */
function standsTwice(way: readonly (string | number)[]): Problem {
  const odd = way.findIndex((step) => typeof step === 'string' && !isToldName(step));
  const isTold = odd < 0 && way.length <= stepsToldMax;
  const told = way
    .slice(0, isTold ? way.length : Math.min(odd < 0 ? stepsToldMax : odd, stepsToldMax))
    .join('.');
  const inside = told === '' ? '' : ` in "${told}"`;
  const detail = isTold ? `"${told}" stands twice` : `a key${inside} stands twice`;
  const path = isTold ? told : `${told === '' ? '' : `${told}.`}…`;
  return { code: 'payload_invalid', detail, hint: 'send it once', path };
}

function listed(known: readonly string[]): string {
  return known.length === 0 ? 'leave it out' : `there are ${known.join(', ')}`;
}

/** The second line of a message of ours says what to write; the first one, and any of valibot's, may repeat the input. */
function flawOf({ path, message, input }: v.BaseIssue<unknown>): Problem {
  const [, hint = 'see /v1/openapi.json'] = message.split('\n');
  const what = input === undefined ? 'is missing' : 'is not what it must be';
  const where = pathText(path);
  return { code: 'payload_invalid', detail: `${where} ${what}`, hint, path: where };
}

/** `scopes.1`. Below the first, keys are the writer's own, and may be anything. */
function pathText(path: v.BaseIssue<unknown>['path']): string {
  const keys = (path ?? []).map(({ key }, depth) =>
    depth === 0 || typeof key === 'number' ? String(key) : toldName(String(key)),
  );
  return keys.join('.');
}
