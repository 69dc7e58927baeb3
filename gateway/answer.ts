/** An answer of ours as data, and its writers. What it says is decided elsewhere. */
import type { ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { endConnection, isLast } from './connection.ts';

export type Field = readonly [name: string, value: string];

export type Answer = {
  readonly status: number;
  readonly fields: readonly Field[];
  readonly body: string;
};

/** Names and values in turn, the shape node's writers take. */
export function flatten(fields: readonly Field[]): string[] {
  const flat: string[] = [];
  for (const [name, value] of fields) flat.push(name, value);
  return flat;
}

/** `close`: no further request is read from this connection. */
export function writeResponse(res: ServerResponse, answer: Answer, close: boolean): void {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  const flat = flatten(answer.fields);
  if (answer.status !== 204) flat.push('Content-Length', String(Buffer.byteLength(answer.body)));
  if (close) endConnection(res);
  if (isLast(res)) flat.push('Connection', 'close');
  res.writeHead(answer.status, flat);
  res.end(answer.body);
}

/** For sockets that no `ServerResponse` speaks for: parse errors and upgrades. Always the last words. */
export function writeSocket(socket: Duplex, answer: Answer): void {
  // Node takes its own listener off before it hands over a socket; a reset must not end the process.
  socket.on('error', () => socket.destroy());
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const lines = [`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}`];
  for (const [name, value] of answer.fields) lines.push(`${name}: ${value}`);
  lines.push(
    `Date: ${new Date().toUTCString()}`,
    `Content-Length: ${Buffer.byteLength(answer.body)}`,
    'Connection: close',
  );
  socket.end(`${lines.join('\r\n')}\r\n\r\n${answer.body}`, () => socket.destroy());
}
