/** What a config may say and perhaps does not mean. */
import { expect, test } from 'vitest';
import { loaded, smallConfig } from '../fixtures/config.ts';

test('warns of what is allowed and may not be meant', () => {
  const text =
    `${smallConfig.replace('      GET /events', '      GET /off: { allow: { user: any_scope }, pins: { site: off } }\n      GET /events')}
# nothing below is used by a row
admin: { address: 127.0.0.1:8081 }
limits: { idle: { rate: 5/10s, per: [address] } }
cors: { sdk: { origins: any } }
pins: { site: { kind: origin, when_missing: deny } }
failure_budget: { rate: 20/1m, per: address }
`
      .replace('upstreams:\n', 'upstreams:\n  spare: { url: http://127.0.0.1:9002 }\n')
      .replace('token_types:\n', 'token_types:\n  weak: { prefix: weak_, issue: { length: 16 } }\n')
      .replace('scopes:\n  events:read', 'scopes:\n  events:purge: Purge events\n  events:read');
  const { warnings } = loaded(text);
  expect(warnings.map(({ line, path, message }) => `${line} ${path}: ${message}`)).toEqual([
    '3 upstreams.spare: upstream "spare" is not used',
    '6 token_types.weak: new tokens carry 95 random bits, fewer than 128',
    '6 token_types.weak: token type "weak" is not used',
    '14 scopes[\'events:purge\']: scope "events:purge" is not used',
    '22 apis.main.routes[\'GET /off\'].pins.site: pin "site" is off here: origins on a token are not enforced on this row',
    '27 limits: no redis: limits are counted in this process, so N processes let N times as much through',
    '27 limits.idle: limit "idle" is not used',
    '28 cors.sdk: cors block "sdk" is not used',
    '30 failure_budget: the failure budget counts by the address that connects; behind a balancer all callers share one',
  ]);
});

test.each([
  ['[10.0.0.0/8]', '[10.1.0.0/16, 203.0.113.0/24]', 'listen', [0], '10.0.0.0/8'],
  ['[203.0.113.7/32, "fd00::/8"]', '["fd00::1/128", 203.0.113.0/24]', 'both', [0, 1], 'fd00::/8'],
  ['[10.0.0.0/8]', '["a00::/8", 11.0.0.0/8]', 'none', [], ''],
  ['[]', '[10.0.0.0/8]', 'none', [], ''],
])(
  'CVE-2022-31813: warns where proxies %s may pass a cidr pin of %s by themselves',
  (proxies, allow, _, at, first) => {
    const text = `${smallConfig.replace('      GET /events: {', '      GET /events: { pins: [office],')}
listen: { trusted_proxies: ${proxies} }
pins: { office: { kind: cidr, allow: ${allow} } }
`;
    const told = loaded(text).warnings.filter(({ message }) => message.includes('names no caller'));
    expect(told.map(({ path }) => path)).toEqual(at.map((index) => `pins.office.allow[${index}]`));
    expect(told[0]?.message ?? '').toContain(first);
  },
);
