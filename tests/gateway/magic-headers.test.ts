import { expect, test } from 'vitest';
import { readFacts } from '../../gateway/request.ts';
import { walk } from '../../gateway/walk.ts';
import { gateHead, gatePolicy, goodToken } from '../support/gate.ts';
import { memoryPins } from '../support/pins.ts';

test('H8 no magic header opens a protected row', async () => {
  const names = [
    ...[
      'X-Middleware-Subrequest',
      'X-Middleware-Rewrite',
      'X-Auth-User',
      'X-Authenticated-User',
      'X-Remote-User',
    ],
    ...[
      'Remote-User',
      'X-Forwarded-User',
      'X-Forwarded-Email',
      'X-Forwarded-Access-Token',
      'X-WebAuth-User',
      'X-Admin',
    ],
    ...[
      'X-Internal',
      'X-Debug',
      'X-Bypass',
      'X-Skip-Auth',
      'X-Api-Key',
      'X-Access-Token',
      'X-Auth-Token',
      'X-Token',
    ],
    ...[
      'Proxy-Authorization',
      'Cookie2',
      'X-Health-Check',
      'X-Consumer-Id',
      'X-Consumer-Username',
      'X-Client-Cert',
    ],
    ...[
      'SSL-Client-Verify',
      'X-SSL-Client-Verify',
      'X-Goog-IAP-JWT-Assertion',
      'X-Amzn-Oidc-Identity',
      'X-MS-Client-Principal',
    ],
    ...[
      'X-Envoy-Internal',
      'X-Envoy-Original-Path',
      'X-Original-URL',
      'X-Rewrite-URL',
      'X-Forwarded-Uri',
      'X-Forwarded-Method',
    ],
    ...[
      'X-HTTP-Method-Override',
      'X-Postern-Token-Id',
      'X-Postern-Scopes',
      'X-Org',
      'X-Row',
      'X-Postern-Admin',
    ],
  ];
  const rooms = {
    policy: gatePolicy,
    tokens: { find: () => null, verifiedBefore: () => false },
    limiter: { consume: () => [] },
    failures: null,
    triggerKeys: new Map(),
    body: () => Promise.reject(new Error('no row reads a body')),
    pins: memoryPins(),
    now: () => 0,
  };
  const values = ['true', 'admin', '127.0.0.1', '/pass', goodToken, `Bearer ${goodToken}`];
  for (const name of names) {
    for (const value of values) {
      const head = gateHead([name, value, 'User-Agent', 'GoogleHC/1.0']);
      const facts = readFacts(head, 'id');
      if (!facts.ok) throw new Error(facts.denial.reason);
      const ruling = await walk(head, facts.value, rooms);
      expect([name, ruling]).toMatchObject([
        name,
        { kind: 'refuse', denial: { code: 'credential_missing' } },
      ]);
    }
  }
});
