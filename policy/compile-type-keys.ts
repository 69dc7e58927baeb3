/** Keys of a token type that mean nothing on its kind: found, so that nobody believes they do. */
import { type Compilation, errorInKey } from './compile-context.ts';
import type { ConfigPath } from './config-problem.ts';
import type { TokenTypeConfig } from './config-schema.ts';

type Key = Exclude<keyof TokenTypeConfig, 'sources'>;

/** Whether tokens of the type only say something of a request. */
export function annotates({ format, use }: TokenTypeConfig): boolean {
  return format === 'signed' || use === 'annotate';
}

/** One error for each of `keys` that says something. @param kind completes "KEY is not for tokens that …". */
export function refuseKeys(
  at: Compilation,
  path: ConfigPath,
  type: TokenTypeConfig,
  kind: string,
  keys: Readonly<Partial<Record<Key, string>>>,
): void {
  for (const [key, hint] of Object.entries(keys) as [Key, string][]) {
    if (says(type, key)) errorInKey(at, [...path, key], `${key} is not for tokens that ${kind}`, hint);
  }
}

/** What is written as it would be anyway says nothing: `check --defaults` writes it out. */
function says(type: TokenTypeConfig, key: Key): boolean {
  const { issue, hash } = type;
  switch (key) {
    case 'issue':
      return issue.length !== 48 || issue.alphabet !== 'base62' || issue.avoid !== undefined;
    case 'hash':
      return hash.use !== 'sha256' || Object.values(hash).filter((value) => value !== undefined).length > 1;
    case 'aliases':
      return type.aliases.length > 0;
    case 'attributes':
      return Object.keys(type.attributes).length > 0;
    case 'prefix':
      return type.prefix !== '';
    default:
      return type[key] !== undefined;
  }
}
