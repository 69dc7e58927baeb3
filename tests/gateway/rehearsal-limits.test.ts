/** The Nth request of a fixture meets what the Nth of as many real ones would. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { explain } from '../../gateway/explain.ts';
import { runFixtures } from '../../gateway/fixtures.ts';
import { rehearsedLimiter } from '../../gateway/rehearsal-limits.ts';
import type { Charge } from '../../policy/types.ts';
import { createMemoryLimiter } from '../../store/limiter-memory.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';
import { limitOf } from '../support/policy.ts';

const config = (fixtures: string) =>
  loaded(`${smallConfig.replace(
    'POST /events: { allow: { project: events:write } }',
    'POST /events: { allow: { project: events:write }, limits: [items], pins: [office] }',
  )}limits: { items: { rate: 5/10s, per: [token], cost: "json:/events#" } }
pins: { office: { kind: cidr, allow: [203.0.113.0/24, "2001:db8::/32"] }, site: { kind: origin, when_missing: deny } }
fixtures:
${fixtures}`);

const one = '  - { name: n, request: POST /events, as: { project: {} }, body: { events: [1, 2] }';

test('nth of the same requests in a row says what the limiter would say to the last of them', () => {
  const charges = fc.array(
    fc.record({ quota: fc.integer({ min: 1, max: 30 }), cost: fc.integer({ min: 1, max: 8 }) }),
    {
      minLength: 1,
      maxLength: 3,
    },
  );
  fc.assert(
    fc.property(charges, fc.integer({ min: 1, max: 40 }), (rates, nth) => {
      const asked = rates.map(({ quota, cost }, index): Charge => {
        const name = `l${index}`;
        return { limit: limitOf({ name, quota }), key: name, cost };
      });
      const limiter = createMemoryLimiter({ now: () => 0 });
      for (let before = 1; before < nth; before++) limiter.consume(asked);
      expect(rehearsedLimiter(nth).consume(asked)).toEqual(limiter.consume(asked));
    }),
  );
});

test('a fixture with nth holds where the limit is what it says, and only there', async () => {
  const of = (rest: string) => runFixtures(config(`${one}, from: 203.0.113.9, ${rest} }\n`));
  expect(await of('nth: 1, expect: forward')).toEqual([]);
  expect(await of('nth: 2, expect: forward')).toEqual([]);
  expect(await of('nth: 3, expect: 429 rate_limited')).toEqual([]);
  expect(await of('nth: 1000000000, expect: 429 rate_limited')).toEqual([]);
  expect(await of('expect: forward')).toEqual([]);
  const [problem] = await of('nth: 3, expect: forward');
  expect(problem?.message).toBe(
    'fixture "n" expects forward and gets 429 rate_limited (limit items is spent)',
  );
  expect(problem?.hint).toContain(' --from 203.0.113.9 --nth 3 ');
});

test('a fixture comes from an address, and its token may be pinned to origins', async () => {
  const of = (rest: string) => runFixtures(config(`${one}, ${rest} }\n`));
  expect(await of('from: 203.0.113.9, expect: forward')).toEqual([]);
  expect(await of('from: "2001:DB8::1", expect: forward')).toEqual([]);
  expect(await of('from: "::ffff:203.0.113.9", expect: forward')).toEqual([]);
  expect(await of('from: 198.51.100.1, expect: 403 address_not_allowed')).toEqual([]);
  expect(await of('expect: 403 address_not_allowed')).toEqual([]);

  const pinned = (origin: string, expected: string) =>
    runFixtures(
      config(
        `  - { name: n, request: POST /events, from: 203.0.113.9, as: { project: { origins: ["https://SHOP.example:443"] } }, ${origin} body: {}, expect: ${expected} }\n`,
      ),
    );
  expect(await pinned('headers: { Origin: "https://shop.example" },', 'forward')).toEqual([]);
  expect(await pinned('headers: { Origin: "https://other.example" },', '403 origin_not_allowed')).toEqual([]);
  expect(await pinned('', '403 origin_not_allowed')).toEqual([]);
  const [problem] = await pinned('', 'forward');
  expect(problem?.hint).toContain(' --as project --origin https://shop.example --from 203.0.113.9 ');
});

test('explain takes the same words', async () => {
  const { policy } = config(`${one}, from: 203.0.113.9, expect: forward }\n`);
  const ask = async (more: object) => {
    const request = { method: 'POST', target: '/events', attributes: [], headers: [] };
    const body = Buffer.from('{}');
    const said = await explain(policy, { ...request, as: 'project', body, ...more });
    return said.ok ? (said.value.code ?? said.value.outcome) : said.complaint.message;
  };
  expect(await ask({})).toBe('address_not_allowed');
  expect(await ask({ from: '203.0.113.9' })).toBe('forward');
  expect(await ask({ from: '203.0.113.9', nth: 5 })).toBe('forward');
  expect(await ask({ from: '203.0.113.9', nth: 6 })).toBe('rate_limited');
  expect(await ask({ from: '203.0.113.9', origins: ['https://a.example'] })).toBe('origin_not_allowed');
  expect(await ask({ from: '203.0.113.0/24' })).toBe('not an address');
  expect(await ask({ origins: ['a.example'] })).toBe('not an origin');
  expect(await ask({ as: null, origins: ['https://a.example'] })).toBe('origins of nobody');
});
