/** Addresses to listen on and urls to forward to: read and compared as text, never resolved or opened. */
import { type Parsed, parsed, unreadable } from '../../policy/config-problem.ts';

/** `host` without brackets. Port 0: the system chooses. */
export type Address = { readonly host: string; readonly port: number };

/** Where an upstream is. `basePath` is '' or starts with / and does not end with it. */
export type UpstreamUrl = Address & { readonly origin: string; readonly basePath: string };

const addressHint = 'write HOST:PORT: 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080';
const upstreamHint = 'write http://HOST:PORT or https://HOST, with a base path if the service has one';

export function parseAddress(text: string): Parsed<Address> {
  const [, literal, name, port] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const host = literal ?? name;
  if (host === undefined || port === undefined) return unreadable(`"${text}" is not an address`, addressHint);
  if (Number(port) > 65535) return unreadable(`port ${port} does not exist`, 'write a port from 0 to 65535');
  if (literal !== undefined && !URL.canParse(`http://[${literal}]/`)) {
    return unreadable(`"${text}" is not an address`, addressHint);
  }
  return parsed({ host, port: Number(port) });
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Reads an upstream's url. Refused: other schemes, credentials, query, fragment, and link-local
 * hosts, where clouds keep their metadata. The message never repeats a credential.
 */
export function parseUpstreamUrl(text: string): Parsed<UpstreamUrl> {
  if (!URL.canParse(text)) return unreadable('not a url', upstreamHint);
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return unreadable(`an upstream cannot be ${url.protocol}`, upstreamHint);
  }
  if (url.username !== '' || url.password !== '') {
    return unreadable(
      'the url holds credentials',
      'leave them out; Postern tells the upstream who calls by identity headers',
    );
  }
  if (/[?#]/.test(text))
    return unreadable('the url has a query or fragment', 'leave everything from ? or # on out');
  if (/[\\\s]/.test(text) || /\/(?:\.|%2e){1,2}(?:\/|$)/i.test(text) || /[^:]\/\//.test(text)) {
    return unreadable(
      'the base path can be read in two ways',
      'write it without //, \\, spaces and dot segments',
    );
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isLinkLocal(host)) {
    return unreadable(
      `${host} is link-local, where clouds keep their metadata`,
      'write the address of the service itself',
    );
  }
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  if (port === 0) return unreadable('port 0 cannot be reached', 'write the port the service listens on');
  return parsed({ host, port, origin: url.origin, basePath: url.pathname.replace(/\/$/, '') });
}

/** Whether a url reaches one of our own listeners: same port, and a host that can only be here. */
export function reachesListener(upstream: Address, listener: Address): boolean {
  if (listener.port === 0 || upstream.port !== listener.port) return false;
  if (canonical(upstream.host) === canonical(listener.host)) return true;
  const both = [upstream, listener].map(({ host }) => isLoopback(host) || isWildcard(host));
  return both[0] === true && both[1] === true;
}

/** Where clouds keep their metadata. */
export function isLinkLocal(host: string): boolean {
  return /^169\.254\./.test(host) || /^fe[89ab][0-9a-f]:/i.test(host) || /^::ffff:a9fe:/i.test(host);
}

export function isLoopback(host: string): boolean {
  return (
    /^127\./.test(host) ||
    /^::ffff:7f/i.test(host) ||
    ['::1', 'localhost'].includes(canonical(host)) ||
    canonical(host).endsWith('.localhost')
  );
}

function isWildcard(host: string): boolean {
  return ['0.0.0.0', '::', '::ffff:0:0'].includes(canonical(host));
}

/** One spelling: the URL parser shortens IPv6 and reads odd forms of IPv4. */
function canonical(host: string): string {
  const bracketed = host.includes(':') ? `[${host}]` : host;
  const url = `http://${bracketed}/`;
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$|\.$/g, '') : host.toLowerCase();
}
