/** DebugBundle on Postern: its tokens as they come from its own tables, and a service that answers as its own would. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { Seen } from '../fixtures/upstream.ts';
import { type Answering, openProduct, type Product, type Told } from './stage.ts';

/** The documented test vector: this secret and this project sign this trigger. */
export const shopProject = '11111111-1111-4111-8111-111111111111';
const serverSecret = 'gateway-test-secret';
const vector =
  'dbundle_probe_eyJhY3RpdmF0aW9uX2lkIjoiNTUwZTg0MDAtZTI5Yi00MWQ0LWE3MTYtNDQ2NjU1NDQwMDAwIiwibGFiZWxfcGF0dGVybiI6InBheW1lbnQuKiIsInNlcnZpY2UiOiJwYXltZW50cyIsImVudmlyb25tZW50Ijoic3RhZ2luZyIsInRyaWdnZXJfZXhwaXJlc19hdCI6IjIwOTktMDEtMDFUMDA6MDA6MDAuMDAwWiJ9.Y5lTBNv67nccIQQF_XKZvh-FnFQJGQlJkiT7u86lpKU';

export const nobody = { error: 'invalid_member_token' };

/** The body of a refusal on the ways of events, where none was counted. */
export const ingestion = (reason: string) => ({ accepted: 0, rejected: 0, errors: [{ index: -1, reason }] });

type Row = Readonly<Record<string, unknown>>;

export const hex = () => randomBytes(24).toString('hex');

/** A trigger as the product's own service signs it. */
export function trigger(fields: Readonly<Record<string, string>>, project = shopProject): string {
  const key = createHmac('sha256', serverSecret).update(project).digest('hex');
  const payload = Buffer.from(JSON.stringify(fields)).toString('base64url');
  return `dbundle_probe_${payload}.${createHmac('sha256', key).update(payload).digest('base64url')}`;
}

const manages = ['account:read', 'account:manage', 'probes:manage'];

/** By the name it has in curl: the plaintext, and its row without the hash. */
function cast(): Readonly<Record<string, { readonly token: string; readonly row: Row }>> {
  const project = (more: Row = {}, attributes: Row = {}) => ({
    token: `dbundle_proj_${hex()}`,
    row: {
      type: 'project',
      attributes: {
        project_id: 'proj_01HXYZ',
        organization_id: 'org_1',
        organization_plan: 'solo',
        ...attributes,
      },
      ...more,
    },
  });
  const person = (prefix: string, user_id: string, role: string, scopes: readonly string[]) => ({
    token: `${prefix}${hex()}`,
    row: {
      type: 'member',
      scopes,
      attributes: { user_id, organization_id: 'org_1', email: `${user_id}@example.com`, role },
    },
  });
  const page = 'https://www.example.com';
  return {
    P: project(),
    P2: project({}, { project_id: 'proj_2' }),
    PO: project({ origins: [page] }),
    PD: project({ origins: ['http://localhost:3000', 'https://shop.example.com:8443'] }),
    PX: project({ label: 'to be revoked' }, { project_id: 'proj_revoked' }),
    PE: project({ expires_at: '2020-01-01T00:00:00Z' }),
    M: person('dbundle_mem_', 'usr_owner', 'owner', manages),
    MM: person('dbundle_mem_', 'usr_plain', 'member', manages),
    MR: person('dbundle_mem_', 'usr_reader', 'member', ['account:read']),
    ML: person('dbundle_member_', 'usr_legacy', 'member', manages),
    S: {
      token: hex(),
      row: {
        type: 'session',
        scopes: manages,
        attributes: {
          user_id: 'usr_owner',
          csrf: 'csrf_of_S',
          email: 'usr_owner@example.com',
          role: 'owner',
        },
      },
    },
  };
}

/** Who sees which project, and who administers it, is the service's to say: `$MM` is a plain member of all. */
function visibility({ target, headers }: Seen): number {
  if (target.startsWith('/v1/projects/proj_unknown')) return 404;
  const isAdmins = target.endsWith('/invites');
  return isAdmins && headers['x-postern-member'] === 'usr_plain' ? 403 : 200;
}

/** What the service says to who may not; null: it does as it is asked. */
function withheld(request: Seen): { readonly status: number; readonly body: unknown } | null {
  const status = visibility(request);
  if (status === 200) return null;
  return { status, body: { error: status === 403 ? 'forbidden' : 'project_not_found' } };
}

export type DebugBundle = Product & {
  /** Refused in these words, and the service never heard of it. */
  readonly refused: (told: Told, status: number, body: unknown) => void;
};

export async function openDebugBundle(
  answering: Answering = () => null,
  replaced: Readonly<Record<string, string>> = {},
): Promise<DebugBundle> {
  const tokens = Object.entries(cast());
  const product = await openProduct({
    example: 'debugbundle',
    answering: (request) => withheld(request) ?? answering(request),
    env: { DEBUGBUNDLE_PROBE_SECRET: serverSecret },
    replaced,
    imported: tokens.map(([, { token, row }]) => {
      const sha256 = createHash('sha256').update(token).digest('hex');
      return { label: 'imported', ...row, sha256 };
    }),
  });
  for (const [name, { token }] of tokens) product.names[name] = token;
  product.names.TR = vector;
  await revokePX(product);
  product.seen.length = 0;
  return {
    ...product,
    refused: (told, status, body) => {
      expect({ status: told.status, body: told.body }).toEqual({ status, body });
      expect(told.headers['content-type']).toBe('application/json');
      expect(told.headers).not.toHaveProperty('www-authenticate');
      expect(product.seen).toEqual([]);
    },
  };
}

async function revokePX({ curl }: Product): Promise<void> {
  const way = '$GW/v1/projects/proj_revoked/tokens';
  const { body } = await curl(`curl ${way} -H "Authorization: Bearer $M"`);
  const told = await curl(
    `curl -X POST ${way}/${body.tokens[0].token_id}/revoke -H "Authorization: Bearer $M"`,
  );
  expect(told.status).toBe(200);
}
