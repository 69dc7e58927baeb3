/** Pionne on its example config: its service's answers, its tokens, and the shape of its refusals. */
import { createHash, randomInt } from 'node:crypto';
import { expect } from 'vitest';
import { type Answering, openProduct, type Product, type Told } from './stage.ts';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const random = (length: number): string =>
  Array.from({ length }, () => base62[randomInt(base62.length)]).join('');

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A project's token, and the row that imports it. */
export function projectToken(project: string): { token: string; row: object } {
  const token = `pio_live_${random(48)}`;
  return { token, row: { type: 'project', sha256: sha256(token), label: 'Shop', attributes: { project } } };
}

/** A person's token as Sanctum makes it: what it keeps is the sha256 of what follows the bar. */
export function userToken(id: string, user: string, client = 'cli'): { token: string; row: object } {
  const secret = random(40);
  const attributes = { user, client };
  return {
    token: `${id}|${secret}`,
    row: { type: 'user', sha256: sha256(secret), external_id: id, label: client, attributes },
  };
}

/** A token that nobody ever had. */
export const strangerToken = (): string => projectToken('prj_x').token;

const project = {
  id: 'prj_a',
  name: 'Acme iOS',
  platform: 'ios',
  bundle_id: 'com.acme.app',
  token_preview: 'pio_live_abcd...',
  notify_on_first_seen: true,
};

let signIns = 100;

/** Who `email` is: `jane@…` is `usr_jane`. */
const userOf = (email: string) => ({ id: `usr_${email.split('@')[0]}`, email, name: 'Jane Doe' });

function signIn(email: string): object {
  signIns += 1;
  if (email.startsWith('odd@')) return { user: userOf(email), token: 'no token at all' };
  return { user: userOf(email), token: `${signIns}|${random(40)}` };
}

const accepted: Readonly<Record<string, unknown>> = {
  '/ingest': { event_id: 'evt_a1b2c3', issue_id: 'iss_xxx' },
  '/sessions': { ok: true, session_id: '0d8c1a47-9a87-4cc0-a8fa-3a8ce6f77c43' },
  '/feedback': { ok: true, feedback_id: 42 },
  '/events/1234/feedback': { ok: true, feedback_id: 42 },
  '/profiles': { profile_id: 7 },
};

/** On every answer: what must pass as it is, and a name that only the gateway may say. */
export const beside = { ETag: '"v1"', 'Set-Cookie': 'seen=1; Path=/; HttpOnly', 'Retry-After': '42' };

/** What Pionne's own server answers, as its pages have it. */
const service: Answering = (request) => {
  const answer = answerTo(request);
  if (answer === null || answer === 'nothing') return answer;
  return { ...answer, headers: { ...beside, 'X-Postern-User': 'forged by the service' } };
};

const answerTo: Answering = ({ method, target, body: text }) => {
  const path = target.replace(/^\/api(?=\/)/, '').replace(/\?.*/, '');
  if (method === 'POST' && path in accepted) return { status: 202, body: accepted[path] };
  // An event of this number has feedback with this status.
  const [, status] = /^\/events\/(\d+)\/feedback$/.exec(path) ?? [];
  if (status !== undefined) return { status: Number(status), body: { message: `It is ${status}.` } };
  if (path.startsWith('/auth/')) return signing(path, JSON.parse(text || '{}'));
  if (path === '/projects' && method !== 'POST') return { status: 200, body: { data: [project] } };
  if (path === '/projects') {
    const { name } = JSON.parse(text);
    const made = { id: `prj_${name}`, name, platform: 'ios', bundle_id: null, token: strangerToken() };
    return { status: 201, body: made };
  }
  if (method === 'POST' || path.includes('/issues/')) return { status: 200, body: { ok: true } };
  return projects(method, path.split('/')[2] ?? '', JSON.parse(text || '{}'));
};

function projects(method: string, id: string, body: Record<string, unknown>): ReturnType<Answering> {
  if (method === 'GET') {
    if (id === 'prj_of_another') return { status: 403, body: { message: 'This action is unauthorized.' } };
    if (id === 'prj_gone') return { status: 404, body: { message: 'Not Found' } };
    return { status: 200, body: { ...project, id } };
  }
  if (method === 'DELETE' || 'bundle_id' in body) {
    if (body.deletion_code === '0000') return { status: 409, body: { message: 'deletion_code_not_set' } };
    if (body.deletion_code !== '1234') return { status: 422, body: { message: 'deletion_code_invalid' } };
  }
  if (method === 'DELETE') return { status: 204 };
  return { status: 200, body: { ...project, ...body, id, deletion_code: undefined } };
}

function signing(path: string, body: Record<string, string>): ReturnType<Answering> {
  const { email = 'jane@example.com', password, totp_token: challenge } = body;
  if (path === '/auth/logout') return { status: 204 };
  if (path === '/auth/me') return { status: 200, body: userOf(email) };
  if (path === '/auth/register') return { status: 201, body: signIn(email) };
  if (path === '/auth/login/totp') {
    if (body.code !== '123456') return { status: 401, body: { message: 'Invalid code.' } };
    return { status: 200, body: signIn(`${challenge?.split('_').at(-1)}@example.com`) };
  }
  if (password === 'wrong') return { status: 401, body: { message: 'Invalid credentials.' } };
  if (password !== 'two factors') return { status: 200, body: signIn(email) };
  const challenged = { requires_totp: true, totp_token: `pionne_totp_${email.split('@')[0]}` };
  return { status: 200, body: challenged };
}

/** For who makes many tokens: as it stands, the hash of each takes some 90 ms of a core. */
export const quick = { replaced: { 'cost: 10,': 'cost: 4,' } };

/**
 * The gateway from docs/examples/pionne.yaml with the tokens of the acceptance requests: `$T1` of `prj_a`
 * (nothing pinned), `$T2` of `prj_b` (pinned to `com.acme.app`), `$TB` of `prj_n` and the person's `$U`;
 * beside them `projects`, by the name of their token, and `rows` of an import.
 */
export async function openPionne(
  projects: Readonly<Record<string, string>> = {},
  {
    rows = [],
    replaced = {},
  }: { rows?: readonly object[]; replaced?: Readonly<Record<string, string>> } = {},
): Promise<Product> {
  const product = await openProduct({ example: 'pionne', answering: service, replaced });
  const all = { T1: 'prj_a', T2: 'prj_b', TB: 'prj_n', ...projects };
  const tokens = Object.entries(all).map(([name, id]) => ({ name, ...projectToken(id) }));
  const user = userToken('2', 'usr_a1b2c3');
  for (const { name, token } of tokens) product.names[name] = token;
  product.names.U = user.token;
  await Promise.all([
    product.bring('token', [...tokens.map(({ row }) => row), user.row, ...rows]),
    product.bring('pin', [{ pin: 'app', subject: 'project=prj_b', value: 'com.acme.app' }]),
  ]);
  return product;
}

/** A refusal of ours as Pionne's clients know them; the service has heard nothing of it. */
export function refusedBy({ seen }: Product, told: Told, status: number, more: object = {}): void {
  expect([told.status, told.body]).toEqual([status, { message: expect.stringMatching(/./), ...more }]);
  expect(told.headers['content-type']).toBe('application/json');
  expect(told.headers['cache-control']).toBe('no-store');
  expect(told.headers).not.toHaveProperty('www-authenticate');
  expect(seen).toEqual([]);
}

/** What is answered to an event of another app, or of none, where `com.acme.app` is pinned. */
export const bundleRefusal = {
  message: expect.stringMatching(/bundle\s*id/i),
  expected_format: '*om.acme.app',
};
