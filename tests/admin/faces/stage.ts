/** One gateway that runs, every face to it, and the same look at what each has done. */
import { expect, onTestFinished } from 'vitest';
import { run } from '../../../gateway/admin/cli.ts';
import { toldToken } from '../../../gateway/admin/token-told.ts';
import type { AuditEntry } from '../../../store/audit-store.ts';
import { wholeConfig } from '../../fixtures/admin.ts';
import { type DashFixture, startDash } from '../../fixtures/dash.ts';
import { mcpOver, openMcp } from '../../fixtures/mcp.ts';
import { startUpstream } from '../../fixtures/upstream.ts';
import { Terminal } from '../terminal.ts';
import { apiFace } from './api-face.ts';
import { cliFace } from './cli-face.ts';
import { dashFace } from './dash-face.ts';
import { type Face, factsOf, type Ops } from './face.ts';
import { mcpFace } from './mcp-face.ts';
import type { Scenario, Stage } from './scenarios.ts';

const dayMs = 86_400_000;
const theStage = 'the stage';

/** An operation that a face does not have. */
export class NotOffered extends Error {
  readonly op: string;

  constructor(op: string) {
    super(op);
    this.op = op;
  }
}

/** What a scenario came to, with what differs from run to run made the same. */
export type Came = { readonly answers: unknown; readonly tokens: unknown; readonly audit: unknown };

export type Theatre = {
  readonly terminal: Terminal;
  readonly dash: DashFixture;
  /** @throws NotOffered */
  readonly play: (scenario: Scenario, face: Face) => Promise<Came>;
};

/** @param store null: a SQLite file. */
export async function openTheatre(store: string | null = null): Promise<Theatre> {
  const upstream = await startUpstream();
  onTestFinished(() => upstream.stop());
  const config = wholeConfig.replace('http://127.0.0.1:9001', upstream.url);
  const terminal = new Terminal('');
  const key = terminal.write('audit.key', 'a key of these tests, of 32 bytes and more');
  const url = store ?? `sqlite:${terminal.path('data/postern.db')}`;
  const kept = `store: { url: "${url}" }\naudit: { key: { file: "${key}" } }`;
  terminal.write('gateway.config.yaml', `${config}${kept}\n`);
  const ended = await endedLongAgo(terminal);
  const head = `admin: { address: 127.0.0.1:0, mcp: true }\n${kept}`;
  const dash = await startDash(head, config.replace('version: 1\n', ''));
  onTestFinished(() => dash.gateway.stop());
  let plays = 0;
  const play: Theatre['play'] = async (scenario, face) => {
    plays++;
    const own = `own${String(plays).padStart(4, '0')}`;
    const before = await rowsOf(dash);
    const answers = await scenario.run(stageOf(dash, face, own, ended));
    const rows = (await rowsOf(dash)).filter(({ id }) => !before.some((one) => one.id === id));
    for (const { action, actor } of rows) {
      if (actor !== theStage && action !== 'alert.raised')
        expect(actor, `${face.name}: ${action}`).toMatch(face.actor);
    }
    const audit = rows.map(({ action, subject, detail }) => ({ action, subject, detail }));
    return alike({ answers, tokens: await statesOf(dash, rows), audit }, own);
  };
  return { terminal, dash, play };
}

/** Before the gateway is there: two tokens whose time was long ago. */
async function endedLongAgo(terminal: Terminal): Promise<Stage['ended']> {
  const make = async (...words: readonly string[]) => {
    let out = '';
    const told = (text: string) => {
      out += text;
    };
    const config = ['--config', terminal.path('gateway.config.yaml'), '--json'];
    const now = () => Date.now() - 200 * dayMs;
    const code = await run(['token', ...words, ...config], {
      env: {},
      out: told,
      err: told,
      colours: false,
      now,
    });
    expect(code, out).toBe(0);
    return String(JSON.parse(out).id);
  };
  const project = ['create', '--type', 'project', '--attribute', 'project=long-ago', '--label', 'old'];
  const expired = await make(...project, '--expires-in', '30d');
  const revoked = await make(...project);
  await make('revoke', revoked, '--reason', 'over');
  return { expired, revoked };
}

function stageOf(dash: DashFixture, face: Face, own: string, ended: Stage['ended']): Stage {
  const { gateway } = dash;
  const { tokens } = gateway.running;
  const route = 'main POST /events';
  return {
    face: offeredBy(face),
    ...{ own, ended },
    gate: async (line, token) => {
      const [method = '', path = ''] = line.split(' ');
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
      const body = method === 'POST' ? { body: '{}' } : {};
      const { status } = await fetch(`${gateway.url}${path}`, { method, headers, ...body });
      return status;
    },
    count: async (tokenId) => {
      const at = Date.now() - 1000;
      await tokens.usage.add(
        [{ tokenId, minuteMs: at - (at % 60_000), route, passed: 3, refused: 1, failed: 2 }],
        [{ tokenId, at, address: '10.0.0.1', route }],
      );
    },
    pin: async (subject, value) => {
      await tokens.pins.replace({ pin: 'app', subject }, value, theStage, null);
    },
    notice: async () => {
      const about = { kind: 'refusals.network', subject: own, tokenId: null, quietMs: 0 } as const;
      return (await tokens.alerts.raise({ ...about, detail: { refused: 7 } }))?.id ?? '';
    },
  };
}

/** Asks for what the face does not have are told apart from all else that may go wrong. */
function offeredBy({ ops }: Face): Ops {
  return new Proxy(ops as Ops, {
    get: (offered, name) => {
      if (Object.hasOwn(offered, name)) return offered[name as keyof Ops];
      throw new NotOffered(String(name));
    },
  });
}

async function rowsOf({ gateway }: DashFixture): Promise<readonly AuditEntry[]> {
  const rows: AuditEntry[] = [];
  for (let after: string | null = null, isMore = true; isMore; isMore = after !== null) {
    const page = await gateway.running.tokens.audit.list({ subject: null, limit: 1000, after });
    rows.push(...page.entries);
    after = page.next;
  }
  return rows;
}

/** As the store has them now: every token that the audit speaks of. */
async function statesOf({ gateway }: DashFixture, rows: readonly AuditEntry[]): Promise<readonly unknown[]> {
  const ids = new Set(
    rows.flatMap(
      ({ subject, detail }) => `${subject} ${JSON.stringify(detail)}`.match(/tok_[0-9A-Z]{26}/g) ?? [],
    ),
  );
  const { tokens, config } = gateway.running;
  const { usage, retirements } = tokens;
  const desk = { policy: config().policy, tokens, usage, retirements, now: Date.now };
  const states: unknown[] = [];
  for (const id of ids) {
    const record = await tokens.byId(id);
    if (record === null) continue;
    const view = await toldToken(desk, record);
    states.push({ ...factsOf(view), version: view.version });
  }
  return states;
}

/** Ids by the order in which they appear, times and who did it left out. */
function alike(came: Came, own: string): Came {
  const names = new Map<string, string>();
  const named = (id: string) => {
    const name = names.get(id) ?? `${id.slice(0, 4)}${names.size + 1}`;
    names.set(id, name);
    return name;
  };
  const text = JSON.stringify(came)
    .replaceAll(own, 'own')
    .replaceAll(/(?:tok|alr)_[0-9A-Z]{26}/g, named)
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'uuid')
    .replaceAll(/\b(prj|usr|old)_[0-9A-Za-z]{4}\.\.\./g, '$1_...')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'time')
    .replaceAll(/\b\d{13}\b/g, '"time"');
  return JSON.parse(text);
}

/** Every face to it; the first is what the others are held to. */
export async function facesOf({ terminal, dash }: Theatre): Promise<readonly Face[]> {
  const operator = await dash.mint();
  const far = new Terminal('');
  far.env.POSTERN_ADMIN_TOKEN = operator.token;
  const { cookie } = await dash.signIn();
  const allowed = ['--allow', 'read,propose,apply', '--reveal'];
  const stdio = await openMcp(terminal.path('gateway.config.yaml'), allowed);
  const http = await mcpOver(dash.url, operator.token, '?secrets=reveal');
  return [
    cliFace('command line', /^cli$/, (words) => terminal.run(...words)),
    cliFace('command line by --url', /^token:tok_/, (words) => far.here(...words, '--url', dash.url)),
    apiFace(dash, operator.token),
    mcpFace('MCP over stdio', /^mcp:/, stdio),
    mcpFace('MCP over HTTP', /^token:tok_/, http),
    dashFace(dash, cookie),
  ];
}
