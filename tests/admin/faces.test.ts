/** The same scenarios through every face: the same answers, the same tokens in the store, the same rows in the audit. */
import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../fixtures/postgres.ts';
import type { Face, OpName } from './faces/face.ts';
import { scenarios } from './faces/scenarios.ts';
import { type Came, facesOf, NotOffered, openTheatre, type Theatre } from './faces/stage.ts';

const onlyPurges =
  'of the command line only purges and imports have one: a person looks before, and is asked';
const whoeverSees = 'whoever decides about it looks at it: the dashboard, the API or the command line';
const upkeep = 'upkeep is for people and their timers';
const byEye = 'its page says it in words and pictures, not in rows: see dash-policy.test.ts';
const bySight = 'its page is for people who see what was noticed: see dash-alerts.test.ts';
const noPage = 'the dashboard has no page for it';

const mcp: Partial<Record<OpName, string>> = {
  regenerate: 'it would end what the program was not told of',
  update: 'what it read may have come from whoever holds the token, and would be let do more by it',
  enable: 'somebody, or a report of a leak, has stopped the token: whoever lets it pass again is a person',
  ...{ setPin: 'a pin says what a client is: programs may let go of one, and no more' },
  ...{ acknowledge: whoeverSees, tryPurge: upkeep, verify: upkeep },
};

/** What a face does not offer, and why. Every line must be true: a face that learns an operation is held to the others by it. */
const lacking: Readonly<Record<string, Partial<Record<OpName, string>>>> = {
  'command line': { tryCreate: onlyPurges },
  'command line by --url': { tryCreate: onlyPurges },
  'admin API': {},
  'MCP over stdio': mcp,
  'MCP over HTTP': mcp,
  dashboard: {
    tryCreate: 'its forms say what is wrong, and make nothing',
    pages: 'its pages are of 50 each: see dash-tokens.test.ts',
    ...{ activate: noPage, probes: noPage, deactivate: noPage },
    ...{ alerts: bySight, acknowledge: bySight, audit: byEye },
    ...{ tryPurge: noPage, verify: noPage, matrix: byEye, explain: byEye },
  },
};

const twin = 'its twin is: the same operation of one, or of all';
const listTokens = { list_tokens: twin };

/** What a face offers and no scenario asks for, and why. What comes new is to be played, or stands here. */
const unplayed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'command line': {},
  'command line by --url': {},
  'admin API': {
    ...{ listPins: twin, usage: twin },
    findToken: 'whoever has its text in hand is a person: see token-text.test.ts',
    reloadConfig: "it is about the gateway, and no program's to do: see reload.test.ts",
    ...{ whoami: 'it does nothing', tail: 'what it says of a gateway is no answer: see tail.test.ts' },
  },
  'MCP over stdio': listTokens,
  'MCP over HTTP': listTokens,
  dashboard: {
    ...{ '/audit': byEye, '/explain': byEye, '/matrix': byEye, '/pins': twin },
    ...{ '/alerts': bySight, '/usage': twin },
    '/': 'it shows what other pages have: see dash-home.test.ts',
    '/live': 'what it shows is no answer: see dash-live.test.ts',
    '/sessions': 'only it has sessions: see dash-door.test.ts',
  },
};

/** Every scenario by one face, held to what is expected of it; the first face sets that. */
async function playAll({ play }: Theatre, face: Face, expected: Map<string, Came>): Promise<void> {
  for (const scenario of scenarios) {
    const where = `${face.name}: ${scenario.title}`;
    try {
      const came = await play(scenario, face);
      const first = expected.get(scenario.title);
      if (first === undefined) expected.set(scenario.title, came);
      else expect.soft(came, where).toEqual(first);
    } catch (error) {
      const isKnown = error instanceof NotOffered && Object.hasOwn(lacking[face.name] ?? {}, error.op);
      if (!isKnown) expect.soft(error, where).toBeNull();
    }
  }
}

const expected = new Map<string, Came>();

test(`${scenarios.length} scenarios end alike by every face, and the table of what each lacks is true`, async () => {
  const theatre = await openTheatre();
  const faces = await facesOf(theatre);
  const all = new Set(faces.flatMap(({ ops }) => Object.keys(ops)));
  for (const face of faces) {
    const [has, lacks] = [Object.keys(face.ops), Object.keys(lacking[face.name] ?? {})];
    expect.soft([...has, ...lacks].sort(), face.name).toEqual([...all].sort());
    await playAll(theatre, face, expected);
    const left = new Set((await face.offers()).filter((one) => !face.used.has(one)));
    expect
      .soft([...left].sort(), `${face.name} offers more`)
      .toEqual(Object.keys(unplayed[face.name] ?? {}).sort());
  }
}, 120_000);

test('on PostgreSQL they end as they do on SQLite', async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const theatre = await openTheatre(database.url);
  const face = (await facesOf(theatre)).find(({ name }) => name === 'admin API');
  if (face === undefined) throw new Error('no such face');
  await playAll(theatre, face, expected);
}, 120_000);
