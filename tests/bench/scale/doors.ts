/** What operators' doors cost the requests that pass beside them: a listener, alerts, pages that are open, a tail that is read. */
import { readFileSync } from 'node:fs';
import { get, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { freePort } from '../machine.ts';
import { type Curve, inRounds, summaryCells, summaryHead, summaryOf } from './curve.ts';
import { type Asked, askFile, configOf, drive, newToken, openGateway, pause, type Stand } from './stand.ts';

/** How often an open page is loaded again, and which. */
const reloadMs = 2_000;
const pages = ['/', '/tokens', '/usage'];

/** Whoever looks on; ends when it is told to. */
type Watching = { readonly end: () => void };

type Point = {
  readonly name: string;
  readonly asked: Asked;
  readonly watch: (() => Watching) | null;
};

type Door = { readonly url: string; readonly token: string; readonly cookie: string };

async function signIn(url: string, token: string): Promise<string> {
  const headers = { Origin: url, 'Content-Type': 'application/x-www-form-urlencoded' };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const asking = request(`${url}/sign-in`, { method: 'POST', headers }, resolve);
    asking.once('error', reject);
    asking.end(new URLSearchParams({ with: 'token', token }).toString());
  });
  answer.resume();
  const cookie = answer.headers['set-cookie']?.[0]?.split(';')[0];
  if (cookie === undefined) throw new Error(`the dashboard let nobody in: ${answer.statusCode}`);
  return cookie;
}

function read(url: string, headers: Readonly<Record<string, string>>): Watching {
  const asking = get(url, { headers, agent: false }, (answer) => {
    if ((answer.statusCode ?? 0) >= 400) throw new Error(`${url} answered ${answer.statusCode}`);
    answer.resume();
  });
  asking.on('error', () => {});
  return { end: () => asking.destroy() };
}

/** A browser with one page open after the other. */
function browse({ url, cookie }: Door): Watching {
  let at = 0;
  const load = (): void => {
    read(`${url}${pages[at++ % pages.length]}`, { Cookie: cookie });
  };
  load();
  const timer = setInterval(load, reloadMs);
  return { end: () => clearInterval(timer) };
}

function tail({ url, token }: Door, query: string): Watching {
  return read(`${url}/v1/tail${query}`, { Authorization: `Bearer ${token}` });
}

function together(...all: readonly Watching[]): Watching {
  return {
    end: () => {
      for (const one of all) one.end();
    },
  };
}

async function open(stand: Stand, name: string, rest: string): Promise<Asked & { readonly folder: string }> {
  const token = newToken();
  const yaml = configOf(stand, '      GET /items: { allow: { service: items:read } }', rest);
  const gateway = await openGateway(stand, { yaml, tokens: [{ token }] });
  const folder = join(stand.folder, `postern-${gateway.port}`);
  const asked = { gateway, file: askFile(stand, `doors-${name}`, [token]), path: '/items', folder };
  await drive(stand, asked, stand.warmSeconds);
  return asked;
}

export async function doorsCurve(stand: Stand): Promise<Curve> {
  const port = await freePort();
  const closed = await open(stand, 'closed', '');
  const opened = await open(stand, 'open', `admin: { address: 127.0.0.1:${port} }\nalerts: {}`);
  try {
    // The first token is made when the gate listens already.
    await pause(1_000);
    const url = `http://127.0.0.1:${port}`;
    const token = readFileSync(join(opened.folder, 'data/bootstrap-token'), 'utf8').trim();
    const door = { url, token, cookie: await signIn(url, token) };
    const points: readonly Point[] = [
      { name: 'no admin listener, no alerts', asked: closed, watch: null },
      { name: 'both, nobody there', asked: opened, watch: null },
      {
        name: 'the dashboard open, refusals read live',
        asked: opened,
        watch: () => together(browse(door), tail(door, '?refusals=true')),
      },
      { name: 'every decision read live', asked: opened, watch: () => tail(door, '') },
    ];
    const measured = await inRounds(points, stand.rounds, async ({ asked, watch }) => {
      const watching = watch?.() ?? null;
      try {
        await pause(200);
        return await drive(stand, asked, stand.seconds);
      } finally {
        watching?.end();
      }
    });
    return {
      name: 'doors',
      plot: null,
      table: {
        head: ['doors', ...summaryHead.map((head) => head.replace('smallest', 'without'))],
        rows: measured.map((one, n) => [points[n]?.name ?? '', ...summaryCells(summaryOf(one))]),
      },
      notes: [
        `Usage is counted in all of them. The dashboard: ${pages.join(', ')} in turn, one every ${reloadMs / 1000} s.`,
      ],
      figures: {},
    };
  } finally {
    await closed.gateway.stop();
    await opened.gateway.stop();
  }
}
