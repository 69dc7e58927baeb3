/** What `admin:` says: where the admin listener is, and by which names it may be called. Opens nothing. */
import * as v from 'valibot';
import { closed, flag, list, text } from '../../policy/config-fields.ts';
import {
  type ConfigProblem,
  inKey,
  inValue,
  type Parsed,
  parsed,
  unreadable,
} from '../../policy/config-problem.ts';
import { parseHost } from '../../policy/path.ts';
import { type Address, formatAddress, isLoopback, parseAddress } from './address.ts';
import { operatorsSchema } from './operators.ts';

export type AdminSettings = Address & {
  /** Whether it was written that others than this host may reach it. */
  readonly public: boolean;
  /** Host names it answers to beside those of this host, lower case, without port. */
  readonly hosts: readonly string[];
  /** Whether it speaks MCP too. */
  readonly mcp: boolean;
};

function parseAdminHost(value: string): Parsed<string> {
  const name = parseHost(value);
  const isBare = name !== null && name === value.toLowerCase();
  if (isBare) return parsed(name);
  return unreadable(`"${value}" is not a host`, 'write the name alone: gate.internal.example, [2001:db8::1]');
}

export const adminSchema = v.pipe(
  closed({
    address: text('HOST:PORT of the admin listener.', parseAddress, ['127.0.0.1:8081']),
    public: v.optional(flag('Whether it may listen where others than this host can reach it.'), false),
    hosts: v.optional(
      list(
        'The Host names it answers to, beside 127.0.0.1, [::1] and localhost.',
        text('A host name, without port.', parseAdminHost, ['gate.internal.example']),
      ),
      [],
    ),
    operators: v.optional(operatorsSchema, {}),
    mcp: v.optional(flag('Whether programs that speak MCP are answered at /mcp.'), false),
  }),
  v.description('The admin listener. Left out: there is none.'),
);

export type AdminConfig = v.InferOutput<typeof adminSchema>;

/** What is against listening there; null: nothing. */
export function adminFlaw({ host, port, ...admin }: AdminSettings): ConfigProblem | null {
  if (isLoopback(host)) return null;
  const where = formatAddress({ host, port });
  if (!admin.public) {
    const hint = 'write 127.0.0.1:8081, or public: true and hosts: [NAME] beside it';
    return inValue(['admin', 'address'], `${where} can be reached from other hosts`, hint);
  }
  if (admin.hosts.length > 0) return null;
  const hint = 'write hosts: [gate.internal.example], the names that operators call it by';
  return inKey(['admin', 'public'], 'a public admin listener without hosts would answer to nobody', hint);
}
