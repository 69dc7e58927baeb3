/** Origins as RFC 6454 serialises them: scheme, host and port, compared exactly. */

const serialised = /^(https?):\/\/([a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?$/;

/**
 * The one spelling of an origin: lower case, default port left out.
 * null: not a serialised http(s) origin (`null`, a path, user info, two values, …).
 */
export function normaliseOrigin(text: string): string | null {
  if (text.length > 2048) return null;
  const parts = serialised.exec(text.toLowerCase());
  if (parts === null) return null;
  const [, scheme, host, port] = parts;
  if (host?.includes('..')) return null;
  if (port === undefined) return `${scheme}://${host}`;
  const number = Number(port);
  if (number > 65535) return null;
  const isDefault = number === (scheme === 'https' ? 443 : 80);
  return isDefault ? `${scheme}://${host}` : `${scheme}://${host}:${number}`;
}
