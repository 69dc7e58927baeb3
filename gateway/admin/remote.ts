/** The admin API from outside: one request, one answer. The token goes where it is meant to go, and follows no redirect. */
import { type IncomingHttpHeaders, request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import { urlToHttpOptions } from 'node:url';

/** A gateway's admin listener, and the token to ask it by. */
export type Api = {
  /** `http://127.0.0.1:8081`: no path, no slash at its end. */
  readonly origin: string;
  readonly token: string;
  /** Where the token was found. */
  readonly from: 'login' | 'environment';
};

export type ApiRequest = {
  readonly method: string;
  /** As it stands on the wire, with its query. */
  readonly path: string;
  /** JSON; null: none. */
  readonly body: string | null;
  /** Idempotency-Key; null: none. */
  readonly key: string | null;
};

export type ApiAnswer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
};

/** Nothing came back, or not all of it. `isSent`: the request may have arrived, and been done. */
export class NoAnswer extends Error {
  readonly code: string;
  readonly isSent: boolean;

  constructor(code: string, isSent: boolean) {
    super(code);
    this.name = 'NoAnswer';
    this.code = code;
    this.isSent = isSent;
  }
}

const answerMs = 30_000;
const answerBytesMax = 64 * 1024 ** 2;

/** @throws NoAnswer */
export async function askOnce(api: Api, { method, path, body, key }: ApiRequest): Promise<ApiAnswer> {
  const isTls = api.origin.startsWith('https:');
  let isSent = false;
  const options = {
    // No URL is made of the path: that would take `..` out of it.
    ...urlToHttpOptions(new URL(api.origin)),
    method,
    path,
    agent: false,
    signal: AbortSignal.timeout(answerMs),
    headers: {
      Authorization: `Bearer ${api.token}`,
      Accept: 'application/json, application/problem+json',
      // Who wrote it is who reads the answer.
      Prefer: 'given',
      ...(body === null
        ? {}
        : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
      ...(key === null ? {} : { 'Idempotency-Key': key }),
    },
  };
  try {
    return await new Promise<ApiAnswer>((resolve, reject) => {
      const request = (isTls ? overHttps : overHttp)(options);
      request.on('socket', (socket) => {
        socket.once(isTls ? 'secureConnect' : 'connect', () => {
          isSent = true;
        });
      });
      request.on('error', reject);
      request.on('response', (response) => {
        const { statusCode: status = 0, headers } = response;
        textOf(response).then((text) => resolve({ status, headers, text }), reject);
      });
      request.end(body ?? undefined);
    });
  } catch (error) {
    throw new NoAnswer(codeOf(error), isSent);
  }
}

async function textOf(response: AsyncIterable<Buffer> & { readonly complete: boolean }): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size > answerBytesMax) throw new Error('it is too long');
    chunks.push(chunk);
  }
  if (!response.complete) throw new Error('it was cut off');
  return Buffer.concat(chunks, size).toString();
}

/** ECONNREFUSED, or what there is of one; never more than a few words. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no error';
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return `nothing in ${answerMs / 1000} s`;
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message.slice(0, 80);
}
