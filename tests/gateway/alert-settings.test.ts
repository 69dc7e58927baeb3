/** What `alerts:` comes to: its defaults, what is off, and where alerts may be sent. */
import { describe, expect, test } from 'vitest';
import { loadConfigText } from '../../gateway/config/load.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';

const env = { SECRET: 's'.repeat(32) };
const alertsOf = (yaml: string, more: Record<string, string> = {}) =>
  loaded(`${smallConfig}alerts: ${yaml}\n`, { ...env, ...more }).alerts;

describe('alerts', () => {
  test('are off where nothing is written', () => {
    expect(loaded(smallConfig).alerts).toBeNull();
  });

  test('have a default for everything', () => {
    expect(alertsOf('{}')).toEqual({
      rules: {
        spike: { times: 10, perMinute: 100 },
        unseen: ['bundle', 'origin', 'network'],
        refusals: { token: 100, network: 300 },
        learnMs: 86_400_000,
        quietMs: 3_600_000,
      },
      webhook: null,
    });
  });

  test('are each what is written, or off', () => {
    const rules = { learnMs: 0, quietMs: 60_000 };
    expect(alertsOf('{ spike: off, unseen: off, refusals: off, learn: 0s, quiet: 1m }')?.rules).toEqual({
      ...{ ...rules, spike: null, unseen: [], refusals: null },
    });
    expect(
      alertsOf('{ spike: { times: 3 }, unseen: [origin], refusals: { token: 5 }, learn: 0s, quiet: 1m }')
        ?.rules,
    ).toEqual({
      ...rules,
      spike: { times: 3, perMinute: 100 },
      unseen: ['origin'],
      refusals: { token: 5, network: 300 },
    });
  });

  test('leave commands that need only the store alone, whatever secret is missing', () => {
    const text = `${smallConfig}alerts: { webhook: { url: { env: URL }, secret: { env: SECRET } } }\n`;
    expect(loadConfigText(text, 'gateway.config.yaml', {}).ok).toBe(false);
    expect(loadConfigText(text, 'gateway.config.yaml', {}, 'store').ok).toBe(true);
  });
});

const webhook = '{ webhook: { url: { env: URL }, secret: { env: SECRET } } }';

describe('a webhook', () => {
  test.each([
    'https://hooks.example/services/T0/B0/xyz?key=1#x',
    'http://127.0.0.1:9000/a',
    'http://[::1]:9000/a',
    'http://localhost/a',
    'http://10.1.2.3/a',
    'http://172.31.0.1/a',
    'http://192.168.0.1/a',
    'http://[fd00::1]/a',
    'http://alerts/a',
    'http://alerts.ops.internal./a',
    'http://alerts.ops.svc.cluster.local/a',
  ])('may be %s', (url) => {
    expect(alertsOf(webhook, { URL: url })?.webhook).toEqual({ url, secret: env.SECRET });
  });

  test.each([
    'http://alerts.example/a',
    'http://8.8.8.8/a',
    'http://172.32.0.1/a',
    'http://[2001:db8::1]/a',
    'http://169.254.169.254/a',
    'https://169.254.169.254/a',
    'http://[fe80::1]/a',
    'http://2852039166/a',
    'https://user@hooks.example/a',
    'file:///etc/passwd',
    'hooks.example',
    'http://',
  ])('is not %s, and what was written is not repeated', (url) => {
    const result = loadConfigText(`${smallConfig}alerts: ${webhook}\n`, 'gateway.config.yaml', {
      ...env,
      URL: url,
    });
    const problems = result.ok ? [] : result.problems;
    expect(problems.map(({ path }) => path)).toEqual(['alerts.webhook.url']);
    expect(JSON.stringify(problems.map(({ message }) => message))).not.toContain(url);
  });

  test('needs a secret of 32 bytes, which is in no message', () => {
    const short = 'hunter2hunter2';
    const text = `${smallConfig}alerts: { webhook: { url: "https://a.example/", secret: { env: SECRET } } }\n`;
    const result = loadConfigText(text, 'gateway.config.yaml', { SECRET: short });
    const problems = result.ok ? [] : result.problems;
    expect(problems.map(({ message }) => message)).toEqual(['the secret is shorter than 32 bytes']);
    expect(JSON.stringify(problems)).not.toContain(short);
  });
});
