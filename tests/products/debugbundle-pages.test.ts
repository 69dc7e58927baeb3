/** The calls that DebugBundle's own pages print, as they stand there: only host and token are others. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type DebugBundle, openDebugBundle } from './debugbundle-stage.ts';

let product: DebugBundle;

beforeAll(async () => {
  product = await openDebugBundle();
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

/** With our host, and a token where the page has a placeholder. */
const asPrinted = (call: string) =>
  call
    .replace(/https:\/\/(?:api\.debugbundle\.com|payments\.example\.internal)/, '$GW')
    .replace(/dbundle_(?:mem|member)_[\w.]+/, '$M')
    .replace(/dbundle_proj_\w+/, '$P')
    .replace(/dbundle_probe_[\w.]+/, '$TR')
    .replace(/'Authorization/, '"Authorization');

/** Page, call, status, and whether the service gets it; null: it is answered here. */
const calls: readonly (readonly [page: string, call: string, status: number, target: string | null])[] = [
  [
    'security/tokens',
    `curl https://api.debugbundle.com/v1/projects \\
  -H "Authorization: Bearer dbundle_mem_x9y8z7w6v5u4..."`,
    200,
    '/v1/projects',
  ],
  [
    'security/tokens',
    `curl -X POST https://api.debugbundle.com/v1/projects/proj_01HXYZ/probes/activate \\
  -H "Authorization: Bearer dbundle_mem_x9y8z7w6v5u4..." \\
  -H "Content-Type: application/json" \\
  -d '{
    "label_pattern": "payment.*",
    "service": "payments",
    "environment": "staging",
    "ttl_seconds": 300,
    "trigger_ttl_seconds": 3600
  }'`,
    201,
    null,
  ],
  [
    'security/tokens',
    `curl https://payments.example.internal/checkout \\
  -H "X-DebugBundle-Probe-Trigger: dbundle_probe_m3n4o5p6q7r8..."`,
    200,
    '/checkout',
  ],
  [
    'security/tokens',
    `curl -X POST https://api.debugbundle.com/v1/projects/proj_01HXYZ.../tokens \\
  -H "Authorization: Bearer dbundle_mem_..." \\
  -H "Content-Type: application/json" \\
  -d '{
    "label": "Production SDK"
  }'`,
    201,
    null,
  ],
  [
    'security/tokens',
    `curl -X POST https://api.debugbundle.com/v1/member/tokens \\
  -H "Authorization: Bearer dbundle_mem_..." \\
  -H "Content-Type: application/json" \\
  -d '{
    "label": "CI pipeline"
  }'`,
    201,
    null,
  ],
  [
    'api/authentication',
    `curl -X POST https://api.debugbundle.com/v1/events \\
  -H "Authorization: Bearer dbundle_proj_xxxxxxxxxxxx" \\
  -H "Content-Type: application/json" \\
  -d '{
    "events": [
      {
        "event_id": "evt_001",
        "event_type": "exception",
        "occurred_at": "2025-01-15T10:30:00.000Z",
        "service": { "name": "my-api", "environment": "production" },
        "payload": {
          "type": "TypeError",
          "message": "Cannot read property id of undefined",
          "stacktrace": "..."
        }
      }
    ]
  }'`,
    200,
    '/v1/events',
  ],
  [
    'api/projects',
    `curl -X POST https://api.debugbundle.com/v1/projects \\
  -H "Authorization: Bearer dbundle_mem_a1b2c3d4..." \\
  -H "Content-Type: application/json" \\
  -d '{
    "name": "Backend API",
    "slug": "backend-api",
    "environment_default": "production"
  }'`,
    200,
    '/v1/projects',
  ],
  [
    'api/projects',
    `curl https://api.debugbundle.com/v1/projects/proj_01HXYZ... \\
  -H "Authorization: Bearer dbundle_mem_a1b2c3d4..."`,
    200,
    '/v1/projects/proj_01HXYZ...',
  ],
  [
    'api/members',
    `curl -X PATCH https://api.debugbundle.com/v1/projects/proj_01HABCDE.../members/usr_01HFGHIJ... \\
  -H "Authorization: Bearer dbundle_mem_a1b2c3d4..." \\
  -H "Content-Type: application/json" \\
  -d '{
    "role": "admin"
  }'`,
    200,
    '/v1/projects/proj_01HABCDE.../members/usr_01HFGHIJ...',
  ],
  [
    'api/incidents',
    `curl -H "Authorization: Bearer dbundle_mem_xxx" \\
  "https://api.debugbundle.com/v1/incidents?project_id=proj_xxx&status=active&severity=high&limit=10"`,
    200,
    '/v1/incidents?project_id=proj_xxx&status=active&severity=high&limit=10',
  ],
  [
    'api/incidents',
    `curl -X POST -H "Authorization: Bearer dbundle_mem_xxx" \\
  "https://api.debugbundle.com/v1/incidents/inc_abc123/resolve"`,
    200,
    '/v1/incidents/inc_abc123/resolve',
  ],
  [
    'api/incidents',
    `curl -X POST -H "Authorization: Bearer dbundle_mem_xxx" \\
  -H "Content-Type: application/json" \\
  -d '{"incident_ids":["00000000-0000-0000-0000-000000000101","00000000-0000-0000-0000-000000000102"]}' \\
  "https://api.debugbundle.com/v1/incidents/resolve"`,
    200,
    '/v1/incidents/resolve',
  ],
  [
    'api/incidents',
    `curl -H "Authorization: Bearer dbundle_mem_xxx" \\
  "https://api.debugbundle.com/v1/incidents/inc_abc123/logs?level=error&limit=50"`,
    200,
    '/v1/incidents/inc_abc123/logs?level=error&limit=50',
  ],
  [
    'api/probes, of once',
    `curl -X POST https://api.debugbundle.com/v1/probes \\
  -H "Authorization: Bearer dbundle_member_a1b2c3d4..." \\
  -H "Content-Type: application/json" \\
  -d '{
    "project_id": "proj_01HXYZ...",
    "label_pattern": "auth.*",
    "ttl_seconds": 3600
  }'`,
    200,
    '/v1/probes',
  ],
];

test.each(calls)('%s: %s', async (_page, call, status, target) => {
  const told = await product.curl(asPrinted(call));
  expect(told.status).toBe(status);
  const reached = product.seen.filter(
    ({ target }) => !/\/(?:invites|probes)$/.test(target) || target === '/v1/probes',
  );
  expect(reached.map((one) => one.target)).toEqual(target === null ? [] : [target]);
  const sent = /-d '([^']+)'/.exec(call)?.[1];
  if (target !== null && sent !== undefined) expect(reached[0]?.body).toBe(sent);
});

test('the trigger’s placeholder opens nothing, and stands in nobody’s way', async () => {
  const told = await product.curl(
    'curl $GW/checkout -H "X-DebugBundle-Probe-Trigger: dbundle_probe_m3n4o5p6q7r8..."',
  );
  expect(told.status).toBe(200);
  expect(product.seen[0]?.headers).not.toHaveProperty('x-postern-probe-activation');
});
