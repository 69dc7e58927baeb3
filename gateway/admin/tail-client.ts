/** Reads the live tail of a gateway over its admin API (Server-Sent Events, WHATWG HTML §9.2). Loaded only when asked for. */
import { Agent, request } from 'undici';
import type { Api, ApiAnswer } from './remote.ts';

export type TailMessage =
  /** `text`: as it came, one line of JSON. */
  | { readonly kind: 'decision'; readonly text: string }
  | { readonly kind: 'lost'; readonly lost: number }
  | { readonly kind: 'end' };

/** The gateway answered, and not with a tail. */
export class TailRefused extends Error {
  readonly answer: ApiAnswer;

  constructor(answer: ApiAnswer) {
    super(`it answered ${answer.status}`);
    this.name = 'TailRefused';
    this.answer = answer;
  }
}

const answerMs = 10_000;
/** Three heart-beats. */
const silenceMs = 45_000;
const problemBytesMax = 64 * 1024;
/** One event is far shorter. */
const eventCharsMax = 1024 * 1024;

const direct = new Agent();

export type Connected = { readonly messages: AsyncIterable<TailMessage> };

/** @param path with its query. @throws TailRefused; else as undici gives it. */
export async function connectTail(
  { origin, token }: Api,
  path: string,
  signal: AbortSignal,
): Promise<Connected> {
  const { statusCode, headers, body } = await request(origin + path, {
    // Its own, for node's may go by way of a proxy that the environment names: no token is sent there.
    dispatcher: direct,
    headers: { Authorization: `Bearer ${token}`, Accept: 'text/event-stream', Prefer: 'given' },
    headersTimeout: answerMs,
    bodyTimeout: silenceMs,
    signal,
  });
  const type = String(headers['content-type'] ?? '').split(';', 1)[0];
  if (statusCode === 200 && type === 'text/event-stream') return { messages: messagesOf(body) };
  throw new TailRefused({ status: statusCode, headers, text: await textOf(body) });
}

async function* messagesOf(body: AsyncIterable<Buffer>): AsyncGenerator<TailMessage> {
  for await (const { event, data } of eventsOf(body)) {
    if (event === 'decision') yield { kind: 'decision', text: data };
    else if (event === 'lost') yield { kind: 'lost', lost: numberIn(data) };
    else if (event === 'end') yield { kind: 'end' };
  }
}

function numberIn(data: string): number {
  const { lost } = JSON.parse(data) as { readonly lost?: unknown };
  return typeof lost === 'number' ? lost : 0;
}

export type SentEvent = { readonly event: string; readonly data: string };

/** Comments and what is not known are passed over; an event that is not whole is none. @throws Error if one has no end. */
export async function* eventsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<SentEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let event = '';
  let data: string[] = [];
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    if (rest.length > eventCharsMax) throw new Error('an event without an end');
    for (const line of lines) {
      const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (line === '') {
        if (data.length > 0) yield { event: event === '' ? 'message' : event, data: data.join('\n') };
        event = '';
        data = [];
      } else if (field === 'event') event = value;
      else if (field === 'data') data.push(value);
    }
  }
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of body) {
    text += chunk.toString();
    if (text.length > problemBytesMax) break;
  }
  return text;
}
