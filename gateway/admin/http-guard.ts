/**
 * Whom the admin listener answers at all. A page of any site can make a browser on this host send requests here, under a
 * name that its owner has let point to 127.0.0.1; the Host it sends then is that name, and its Origin is not ours.
 */
import { parseHost } from '../../policy/path.ts';
import type { ProblemCode } from './http-problem.ts';

const ownNames: readonly string[] = ['127.0.0.1', '[::1]', 'localhost'];

/** Every value of a field, as it stood on the wire. */
export function fieldsNamed(rawHeaders: readonly string[], name: string): readonly string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);
}

/**
 * @param port where this listener is.
 * @param hosts names it answers to beside those of this host, on whatever port a proxy has them.
 * @returns null: nothing is against it.
 */
export function strangerFlaw(
  rawHeaders: readonly string[],
  port: number,
  hosts: readonly string[],
): ProblemCode | null {
  const [host, second] = fieldsNamed(rawHeaders, 'host');
  if (host === undefined || second !== undefined) return 'request_malformed';
  const name = parseHost(host);
  if (name === null) return 'host_not_allowed';
  const isListed = hosts.includes(name);
  const isOwn = ownNames.includes(name) && (/:([0-9]+)$/.exec(host)?.[1] ?? '80') === String(port);
  if (!isListed && !isOwn) return 'host_not_allowed';
  const origins = fieldsNamed(rawHeaders, 'origin');
  const schemes = isListed ? ['http', 'https'] : ['http'];
  const isSame = (origin: string) =>
    schemes.some((scheme) => origin.toLowerCase() === `${scheme}://${host.toLowerCase()}`);
  return origins.length < 2 && origins.every(isSame) ? null : 'origin_not_allowed';
}

/**
 * The url by which whoever was let in has reached this listener. Behind a listed name there is a proxy, which speaks
 * https unless it says otherwise: nobody is to be shown a way on which a token would go in the clear.
 */
export function reachedAt(rawHeaders: readonly string[], hosts: readonly string[]): string {
  const [host = ''] = fieldsNamed(rawHeaders, 'host');
  const isListed = hosts.includes(parseHost(host) ?? '');
  const isPlain = !isListed || fieldsNamed(rawHeaders, 'x-forwarded-proto')[0] === 'http';
  return `${isPlain ? 'http' : 'https'}://${host.toLowerCase()}`;
}
