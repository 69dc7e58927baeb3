/** What a reload lets go of, and when. */
import { afterAll, expect, test } from 'vitest';
import { loadConfigText } from '../../gateway/config/load.ts';
import { buildSite, retireSite, type SiteMakers } from '../../gateway/site.ts';
import { openUpstream } from '../../gateway/upstream.ts';

const makers: SiteMakers = { openUpstream: (settings) => openUpstream(settings), createFailures: () => null };

function configOf(idle: string, rowName: string) {
  const loading = loadConfigText(
    `version: 1
upstreams: { app: { url: http://127.0.0.1:9, timeout: { idle: ${idle} } } }
apis: { main: { to: app, routes: { GET /${rowName}: { allow: public } } } }`,
    'gateway.config.yaml',
    {},
  );
  if (!loading.ok) throw new Error(loading.problems[0]?.message);
  return loading.config;
}

const first = buildSite(configOf('60s', 'a'), makers, null);
const second = buildSite(configOf('60s', 'b'), makers, first);
const third = buildSite(configOf('30s', 'b'), makers, second);
const upstreams = [first, second, third].map((site) => site.upstreams.get('app'));
afterAll(() => Promise.all(upstreams.map((upstream) => upstream?.destroy())));

test('an upstream that two reloads left behind stays open for what began before both', async () => {
  const [shared, kept, replaced] = upstreams;
  expect(kept).toBe(shared);
  expect(replaced).not.toBe(shared);

  // Its body still comes: it is at no upstream yet.
  first.visits.begin();
  const retired = retireSite(first);
  await retireSite(second);
  expect(shared?.targets.all[0]?.pool.closed).toBe(false);

  first.visits.end();
  await retired;
  expect(shared?.targets.all[0]?.pool.closed).toBe(true);
  expect(replaced?.targets.all[0]?.pool.closed).toBe(false);
});
