/** The protocol's public conformance suite, against the admin listener's own `/mcp`: every scenario passes, or has a reason here. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAdmin } from '../fixtures/admin.ts';

const suite = resolve(
  import.meta.dirname,
  '../../node_modules/@modelcontextprotocol/conformance/dist/index.js',
);

const applying = ['server-initialize', 'ping', 'tools-list', 'tools-call-error', 'dns-rebinding-protection'];

/** Why a scenario is none for us; the method or the tool that it asks for is not there, and must not seem to be. */
const apart: Readonly<Record<string, readonly string[]>> = {
  'wants a tool of its own, with what an operator has no use for': [
    ...['tools-call-simple-text', 'tools-call-image', 'tools-call-audio', 'tools-call-embedded-resource'],
    ...['tools-call-mixed-content', 'json-schema-2020-12'],
  ],
  'is about asking the client, or telling it something in between, which is not done': [
    ...[
      'tools-call-sampling',
      'tools-call-elicitation',
      'tools-call-with-progress',
      'tools-call-with-logging',
    ],
    ...['elicitation-sep1034-defaults', 'elicitation-sep1330-enums', 'logging-set-level'],
  ],
  'is about resources, prompts or completion, which are not offered': [
    ...['resources-list', 'resources-read-text', 'resources-read-binary', 'resources-templates-read'],
    ...['resources-subscribe', 'resources-unsubscribe', 'prompts-list', 'prompts-get-simple'],
    ...['prompts-get-with-args', 'prompts-get-embedded-resource', 'prompts-get-with-image'],
    'completion-complete',
  ],
  'is about sessions and streams, and there are none': ['server-sse-polling', 'server-sse-multiple-streams'],
};

type Check = { readonly status: string; readonly errorMessage?: string };
const results = new Map<string, readonly Check[]>();

/** The suite knows no credential: whoever stands in between adds one, and passes on the rest as it came. */
function adding(token: string, port: number) {
  return createServer((req, res) => {
    const headers = { ...req.headers, authorization: `Bearer ${token}` };
    const there = request({ port, method: req.method, path: req.url, headers }, (back) => {
      res.writeHead(back.statusCode ?? 502, back.headers);
      back.pipe(res);
    });
    req.pipe(there);
  });
}

const folder = mkdtempSync(join(tmpdir(), 'postern-conformance-'));

beforeAll(async () => {
  const head = 'admin: { address: 127.0.0.1:0, mcp: true, hosts: [localhost] }';
  const admin = await startAdmin(undefined, head);
  const { token } = await admin.mint();
  const between = adding(token, Number(new URL(admin.url).port));
  await new Promise<void>((listening) => between.listen(0, '127.0.0.1', listening));
  const url = `http://localhost:${(between.address() as AddressInfo).port}/mcp`;
  const child = spawn(
    process.execPath,
    [suite, 'server', '--url', url, '--suite', 'all', '--output-dir', folder],
    { stdio: 'ignore' },
  );
  await once(child, 'exit');
  between.closeAllConnections();
  between.close();
  await admin.gateway.stop();
  for (const name of readdirSync(folder)) {
    const scenario = /^server-(.*)-\d{4}-\d\d-\d\dT/.exec(name)?.[1] ?? name;
    results.set(scenario, JSON.parse(readFileSync(join(folder, name, 'checks.json'), 'utf8')));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const passing = (scenario: string) => {
  const checks = results.get(scenario) ?? [];
  return (
    checks.some(({ status }) => status === 'SUCCESS') && checks.every(({ status }) => status !== 'FAILURE')
  );
};

describe('the public conformance suite', () => {
  test.each(applying)('passes: %s', (scenario) => {
    expect(results.get(scenario)).not.toContainEqual(expect.objectContaining({ status: 'FAILURE' }));
    expect(passing(scenario)).toBe(true);
  });

  test('has no scenario of which nothing is said here', () => {
    const known = [...applying, ...Object.values(apart).flat()];
    expect([...results.keys()].sort()).toEqual(known.sort());
  });

  test('passes no other that asks for what is not there', () => {
    const passed = Object.values(apart).flat().filter(passing);
    // Any text will do for it: here it is that no tool is called so.
    expect(passed).toEqual(['tools-call-simple-text']);
  });

  test('is described in docs/mcp.md, scenario by scenario', () => {
    const page = readFileSync(resolve(import.meta.dirname, '../../docs/mcp.md'), 'utf8');
    expect(applying.filter((scenario) => !page.includes(`\`${scenario}\``))).toEqual([]);
    expect(Object.keys(apart).filter((reason) => !page.includes(reason))).toEqual([]);
  });
});
