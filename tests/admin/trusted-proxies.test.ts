/** Behind a proxy that is trusted each operator has an address of their own; nobody else chooses theirs. */
import { Agent, request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callerOf } from '../../gateway/forwarded.ts';
import { parseNetwork } from '../../policy/cidr.ts';
import { type DashFixture, oneOperator, password, startDash } from '../fixtures/dash.ts';

/** Every address of 127.0.0.0/8 is this host; of these only one is a proxy. */
const proxy = '127.0.0.2';
const stranger = '127.0.0.3';

let dash: DashFixture;
beforeAll(async () => {
  dash = await startDash(
    `${oneOperator}\nlisten: { address: 127.0.0.1:0, trusted_proxies: [${proxy}/32], drain: { announce: 0s, requests: 2s, streams: 1s } }`,
  );
});
afterAll(() => dash.gateway.stop());

type Asked = { readonly status: number; readonly cookie: string };

function ask(line: string, from: string, headers: object, body = ''): Promise<Asked> {
  const [method = '', path = ''] = line.split(' ');
  return new Promise((resolve, reject) => {
    const agent = new Agent({ localAddress: from });
    const asking = request(`${dash.url}${path}`, { method, agent, headers: { ...headers } }, (response) => {
      response.resume();
      response.on('end', () => {
        agent.destroy();
        const [cookie = ''] = response.headers['set-cookie'] ?? [];
        resolve({ status: response.statusCode ?? 0, cookie });
      });
    });
    asking.on('error', reject);
    asking.end(body);
  });
}

const forwarded = (value: string | null) => (value === null ? {} : { 'X-Forwarded-For': value });
const unknown = `postern_admin_${'0'.repeat(48)}`;

const guess = async (from: string, told: string | null) => {
  const headers = { Authorization: `Bearer ${unknown}`, ...forwarded(told) };
  return (await ask('GET /v1/whoami', from, headers)).status;
};

const signIn = (from: string, told: string | null, word: string, name = 'ada') => {
  const form = new URLSearchParams({ with: 'password', name, password: word });
  const type = { 'Content-Type': 'application/x-www-form-urlencoded' };
  return ask('POST /sign-in', from, { Origin: dash.url, ...type, ...forwarded(told) }, `${form}`);
};

async function exhaust(one: () => Promise<number>): Promise<void> {
  for (let n = 0; n < 20; n++) expect(await one()).toBe(401);
  expect(await one()).toBe(429);
}

describe('behind a proxy that is trusted', () => {
  test('who guesses at tokens holds up nobody else there, nor the proxy itself', async () => {
    await exhaust(() => guess(proxy, '192.0.2.1'));
    expect(await guess(proxy, '192.0.2.2')).toBe(401);
    expect(await guess(proxy, null)).toBe(401);
  });

  test('nor does who guesses at passwords', async () => {
    let n = 0;
    await exhaust(async () => (await signIn(proxy, '192.0.2.11', 'no', `nobody-${n++}`)).status);
    expect((await signIn(proxy, '192.0.2.12', 'no', 'nobody')).status).toBe(401);
    expect((await signIn(proxy, '192.0.2.12', password)).status).toBe(303);
  });

  test('what a caller wrote itself, left of what the proxy saw, changes nothing', async () => {
    let n = 0;
    await exhaust(() => guess(proxy, `198.51.100.${n++}, 192.0.2.21`));
    expect(await guess(proxy, '192.0.2.21')).toBe(429);
  });

  test('a session says where its holder is', async () => {
    await signIn(proxy, '192.0.2.31', password);
    const { sessions } = dash.gateway.running.tokens;
    const open = await sessions.list({ kind: 'operator', name: 'ada' });
    expect(open.map(({ address }) => address)).toContain('192.0.2.31');
  });
});

describe('whoever is no trusted proxy', () => {
  test('is where it connects from, whatever it writes', async () => {
    let n = 0;
    await exhaust(() =>
      guess(stranger, n++ % 2 === 0 ? `192.0.2.${100 + n}` : `${proxy}, 192.0.2.${100 + n}`),
    );
    expect(await guess(stranger, null)).toBe(429);
    await signIn('127.0.0.4', '192.0.2.41', password);
    const { sessions } = dash.gateway.running.tokens;
    const open = await sessions.list({ kind: 'operator', name: 'ada' });
    expect(open.map(({ address }) => address)).not.toContain('192.0.2.41');
    expect(open.map(({ address }) => address)).toContain('127.0.0.4');
  });

  test('is, for any fields it sends', () => {
    const networks = ['10.0.0.0/8', '127.0.0.2/32', '2001:db8::/32'].map((text) => {
      const network = parseNetwork(text);
      if (!network.ok) throw new Error(network.message);
      return network.value;
    });
    const outside = fc.oneof(
      fc.ipV4().filter((ip) => !ip.startsWith('10.') && ip !== proxy),
      fc.ipV6().filter((ip) => !/^(?:2001|::ffff)/i.test(ip)),
    );
    const name = fc.constantFrom('X-Forwarded-For', 'x-forwarded-for', 'Forwarded', 'X-Real-IP');
    const value = fc.oneof(fc.ipV4(), fc.string(), fc.constant('10.0.0.1'), fc.constant(`for=${proxy}`));
    fc.assert(
      fc.property(outside, fc.array(fc.tuple(name, value)), (peer, fields) => {
        expect(callerOf({ rawHeaders: fields.flat(), peer }, networks)).toBe(peer);
      }),
    );
  });
});
