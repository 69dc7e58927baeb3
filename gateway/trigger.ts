/**
 * Signed tokens that annotate a request: `PREFIX` + base64url(JSON) + `.` + base64url(HMAC-SHA256 of that text),
 * unpadded (RFC 4648 §5). Stateless; whoever has the key makes them. Whatever is wrong with one, it is ignored.
 */
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Annotations, AnnotationType } from '../policy/annotation-types.ts';
import { parseUntil } from '../policy/config-monitor.ts';
import type { Trace } from '../policy/decide.ts';
import type { Outcome, Route } from '../policy/types.ts';
import { valueFrom } from './credential.ts';
import type { Head } from './head.ts';

/** By token type, the newest first. */
export type TriggerKeys = ReadonlyMap<string, readonly KeyObject[]>;

/** Signs for a text (`prj_a`) with the key that is derived for it. */
export type TriggerSigner = (
  prefix: string,
  subject: string,
  payload: Readonly<Record<string, string>>,
) => string;

/** By token type. */
export type TriggerSigners = ReadonlyMap<string, TriggerSigner>;

/** What a right one says, or why it is ignored; the reason repeats nothing of the token. */
export type TriggerReading =
  | { readonly ok: true; readonly fields: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly reason: string };

const payloadBytesMax = 2048;
const payloadCharsMax = Math.ceil((payloadBytesMax * 4) / 3);
const signatureChars = 43;

/** A key for one project, so that a secret need not be shared: 64 hex digits. */
export function deriveTriggerKey(secret: string | KeyObject, id: string): string {
  return createHmac('sha256', secret).update(id).digest('hex');
}

/** @param secret is held by what comes back, and never leaves it. */
export function createTriggerSigner(secret: string): TriggerSigner {
  const key = createSecretKey(secret, 'utf8');
  return (prefix, subject, payload) => signTrigger(prefix, deriveTriggerKey(key, subject), payload);
}

/** @param key keyed by its UTF-8 text. */
export function signTrigger(
  prefix: string,
  key: string | KeyObject,
  payload: Readonly<Record<string, string>>,
): string {
  const text = Buffer.from(JSON.stringify(payload)).toString('base64url');
  return `${prefix}${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

/** @param now Unix ms; one that ends then has ended. */
export function verifyTrigger(
  token: string,
  { prefix, expires }: Pick<AnnotationType, 'prefix' | 'expires'>,
  keys: readonly KeyObject[],
  now: number,
): TriggerReading {
  if (!token.startsWith(prefix)) return ignored('another prefix');
  const dot = token.indexOf('.', prefix.length);
  if (dot === -1) return ignored('no signature');
  if (dot - prefix.length > payloadCharsMax) return ignored(`a payload over ${payloadBytesMax} bytes`);
  const text = token.slice(prefix.length, dot);
  const payload = bytesOf(text);
  const signature = token.length - dot - 1 === signatureChars ? bytesOf(token.slice(dot + 1)) : null;
  if (payload === null || signature === null) return ignored('not PAYLOAD.SIGNATURE in base64url');
  const isSigned = (key: KeyObject) =>
    timingSafeEqual(createHmac('sha256', key).update(text).digest(), signature);
  if (!keys.some(isSigned)) return ignored('no key of its type signed it');
  return readPayload(payload, expires, now);
}

/** Signed, but by somebody who may be mistaken: its shape is judged like any other. */
function readPayload(payload: Buffer, expires: string, now: number): TriggerReading {
  const fields = fieldsOf(payload);
  if (fields === null) return ignored('the payload is no JSON object of texts');
  const until = endOf(fields.get(expires));
  if (until === null) return ignored(`${expires} is missing, or no time of RFC 3339`);
  return until > now ? { ok: true, fields } : ignored('it has expired');
}

function fieldsOf(payload: Buffer): ReadonlyMap<string, string> | null {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload));
  } catch {
    return null;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return null;
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(json)) {
    if (typeof value !== 'string') return null;
    fields.set(name, value);
  }
  return fields;
}

/** RFC 3339 §5.6, with a time and a zone; what is finer than a millisecond is cut off. */
function endOf(text: string | undefined): number | null {
  if (text === undefined || !/^.{10}[Tt]/.test(text)) return null;
  const until = parseUntil(text.replace(/(\.\d{3})\d{1,6}(?=[Zz+-])/, '$1'));
  return until.ok ? until.value : null;
}

/** Only what is spelled as an encoder spells it: no padding, no other alphabet, no stray bits. */
function bytesOf(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url');
  return text !== '' && bytes.toString('base64url') === text ? bytes : null;
}

function ignored(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}

/**
 * What the signed tokens of a request say; undefined: there is no right one. Of each type the first source that
 * holds anything is looked at.
 */
export function readAnnotations(
  { rawHeaders }: Head,
  query: string | null,
  { annotate }: Pick<Route, 'annotate'>,
  { triggerKeys, now }: { readonly triggerKeys: TriggerKeys; readonly now: () => number },
  trace?: Trace,
): Annotations | undefined {
  if (annotate === undefined) return undefined;
  let annotations: Map<string, ReadonlyMap<string, string>> | undefined;
  for (const type of annotate) {
    const sent = sentAs(type, rawHeaders, query);
    if (sent === null) continue;
    const reading = sent.ok
      ? verifyTrigger(sent.value, type, triggerKeys.get(type.name) ?? [], now())
      : ignored(sent.denial.reason);
    trace?.(`annotation ${type.name}`, true, reading.ok ? 'verified' : `ignored: ${reading.reason}`);
    if (!reading.ok) continue;
    annotations ??= new Map();
    annotations.set(type.name, reading.fields);
  }
  return annotations;
}

/** null: nothing was sent. */
function sentAs(
  { sources }: AnnotationType,
  rawHeaders: readonly string[],
  query: string | null,
): Outcome<string> | null {
  for (const source of sources) {
    const found = valueFrom(source, rawHeaders, query);
    if (!found.ok) return found;
    if (found.value !== null) return { ok: true, value: found.value };
  }
  return null;
}
