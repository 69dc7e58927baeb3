/** A terminal for tests: the real command line in a process of its own, or in this one where many runs are made. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { run } from '../../gateway/admin/cli.ts';
import type { Shell } from '../../gateway/admin/cli-shell.ts';

const start = fileURLToPath(new URL('../../gateway/start.cjs', import.meta.url));

export type Told = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Tokens by bearer and by bcrypt, a fixed and a grantable type, a bind, a limit, a public row. */
export const deskConfig = `version: 1
upstreams:
  app: { url: http://127.0.0.1:9001 }
token_types:
  project: { prefix: prj_, scopes: [events:write], attributes: { project: required } }
  user:
    prefix: usr_
    grantable: [events:read, events:write]
    attributes: { team: optional, projects: list }
  legacy: { prefix: old_, issue: { length: 40 }, hash: { use: bcrypt, cost: 4 }, scopes: [events:write] }
scopes:
  events:read: Read events
  events:write: Send events
limits:
  ingest: { rate: 600/1m, per: [token] }
identity:
  headers: { X-Postern-Type: token.type, X-Postern-Project: token.attribute.project }
apis:
  main:
    to: app
    routes:
      POST /events: { allow: { project: events:write, legacy: events:write }, limits: [ingest] }
      GET /events: { allow: { user: events:read | events:write } }
      GET /projects/{project}: { allow: { user: any_scope }, bind: { project: token.attribute.projects } }
      GET /status: { allow: public }
`;

/** A folder with a config in it, removed after the test. */
export class Terminal {
  readonly folder = mkdtempSync(join(tmpdir(), 'postern-cli-'));

  /** Beside the tests' own. */
  readonly env: Record<string, string> = {};

  constructor(config = deskConfig) {
    onTestFinished(() => rmSync(this.folder, { recursive: true, force: true }));
    this.write('gateway.config.yaml', config);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string | Buffer): string {
    writeFileSync(this.path(name), text);
    return this.path(name);
  }

  /** In a process of its own, in the folder. */
  spawn(...args: string[]): Promise<Told> {
    const env = { ...process.env, NO_COLOR: '1', HOME: this.folder, ...this.env };
    const options = { cwd: this.folder, env };
    return new Promise((resolve) => {
      execFile(process.execPath, [start, ...args], options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr: stderr.replaceAll(this.folder, '.') });
      });
    });
  }

  /** In this process, at a terminal, with the folder's config; the folder reads `.` in what is told. */
  run(...args: string[]): Promise<Told> {
    return this.here(...args, '--config', this.path('gateway.config.yaml'));
  }

  /** As `run`, where nobody sits: in a pipe. */
  piped(...args: string[]): Promise<Told> {
    return this.#tell([...args, '--config', this.path('gateway.config.yaml')], {});
  }

  /** As `run`, for commands that name their files themselves. */
  here(...args: string[]): Promise<Told> {
    return this.#tell(args, { terminal: { out: true, err: false, ask: null } });
  }

  async #tell(args: readonly string[], seat: Pick<Shell, 'terminal'>): Promise<Told> {
    let stdout = '';
    let stderr = '';
    const code = await run(args, {
      ...seat,
      env: { HOME: this.folder, ...this.env },
      out: (text) => {
        stdout += text;
      },
      err: (text) => {
        stderr += text;
      },
      colours: false,
      now: Date.now,
    });
    const short = (text: string) => text.replaceAll(this.folder, '.');
    return { code, stdout: short(stdout), stderr: short(stderr) };
  }

  async json(...args: string[]) {
    const told = await this.run(...args, '--json');
    return JSON.parse(told.stdout);
  }
}
