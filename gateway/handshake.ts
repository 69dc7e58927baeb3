/** The opening handshake of a WebSocket (RFC 6455 §4), both sides of it: what is one, and what answers it. */
import { createHash } from 'node:crypto';
import { fieldValues, type Head } from './head.ts';

/** RFC 6455 §1.3. */
const keySuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** 16 bytes in base64, the way every client writes them. */
const keyShape = /^[A-Za-z0-9+/]{22}==$/;

/**
 * Whether a head is a handshake and nothing else. Whatever two readers could disagree about (another protocol
 * beside, a field twice, a body, an expectation) is not: such a request is judged like any other, and Upgrade
 * is not passed on.
 */
export function isHandshake({ method, httpVersion, rawHeaders }: Head): boolean {
  if (method !== 'GET' || httpVersion !== '1.1') return false;
  const only = (name: string): string | null => {
    const values = fieldValues(rawHeaders, name);
    return values.length === 1 ? (values[0] ?? null) : null;
  };
  if (only('upgrade')?.toLowerCase() !== 'websocket') return false;
  if (!connectionUpgrades(only('connection') ?? '')) return false;
  if (only('sec-websocket-version') !== '13' || !keyShape.test(only('sec-websocket-key') ?? '')) return false;
  return foreignFields.every((name) => fieldValues(rawHeaders, name).length === 0);
}

/** What no handshake has: a body, a wish to be asked first, another protocol, an answer to itself. */
const foreignFields = [
  'content-length',
  'transfer-encoding',
  'expect',
  'http2-settings',
  'sec-websocket-accept',
];

/** `Upgrade`, or `keep-alive, Upgrade` as Firefox writes it; nothing else may be named for this hop. */
function connectionUpgrades(value: string): boolean {
  const options = value.split(',').map((option) => option.trim().toLowerCase());
  return options.includes('upgrade') && options.every((one) => one === 'upgrade' || one === 'keep-alive');
}

/** What the server has to answer to a key (RFC 6455 §4.2.2). */
export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}${keySuffix}`).digest('base64');
}

/**
 * What a client must not accept in a 101 (RFC 6455 §4.1); null: nothing.
 *
 * @param raw names and values in turn, as the upstream sent them.
 */
export function flawInAccept(raw: readonly string[], key: string): string | null {
  const accepts = fieldValues(raw, 'sec-websocket-accept');
  if (accepts.length !== 1 || accepts[0]?.trim() !== acceptOf(key)) return 'a wrong Sec-WebSocket-Accept';
  const upgrades = fieldValues(raw, 'upgrade');
  if (upgrades.length !== 1 || upgrades[0]?.toLowerCase() !== 'websocket')
    return 'an upgrade to something else';
  const options = fieldValues(raw, 'connection').flatMap((value) => value.toLowerCase().split(','));
  return options.some((option) => option.trim() === 'upgrade') ? null : 'a 101 that does not upgrade';
}
