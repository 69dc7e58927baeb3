/** What operators do, each written once in words of operations, for whichever face does it. */
import { expect } from 'vitest';
import type { Change, Facts, Made, NewToken, No, Ops, Target } from './face.ts';

/** A face at work, and what there is around it. */
export type Stage = {
  readonly face: Ops;
  /** A text that no other run of a scenario has. */
  readonly own: string;
  /** The status of a request at the gate by this token. */
  readonly gate: (line: string, token: string) => Promise<number>;
  /** Writes what a gateway would have counted of a token. */
  readonly count: (id: string) => Promise<void>;
  /** Pins this, as a first use does. */
  readonly pin: (subject: string, value: string) => Promise<void>;
  /** Something that was noticed about `own`. */
  readonly notice: () => Promise<string>;
  /** Of 200 days ago: one that was revoked then, and one that expired since. */
  readonly ended: { readonly revoked: string; readonly expired: string };
};

/** What it answers with is the same for every face. */
export type Scenario = { readonly title: string; readonly run: (stage: Stage) => Promise<unknown> };

const send = 'POST /events';
const read = 'GET /events';

const project = ({ own }: Stage, more: Partial<NewToken> = {}): NewToken => ({
  ...{ type: 'project', label: 'CI', attributes: { project: own } },
  ...more,
});

const user = ({ own }: Stage, more: Partial<NewToken> = {}): NewToken => ({
  ...{ type: 'user', label: 'Ada', scopes: ['events:read'], attributes: { team: own } },
  ...more,
});

/** What there must be. */
function yes<T extends object>(answer: T | No): T {
  if ('no' in answer) throw new Error(`refused: ${answer.no}`);
  return answer;
}

async function make(stage: Stage, token = project(stage)): Promise<Made & { target: Target }> {
  const made = yes(await stage.face.create(token));
  const { id, type } = made.made;
  return { ...made, target: { id, type, attributes: token.attributes ?? {} } };
}

/** Without the secret itself. */
function told({ secret, ...made }: Made) {
  return { ...made, secret: secret.slice(0, 4) };
}

const refusals: readonly (readonly [title: string, kind: string, token: (stage: Stage) => NewToken])[] = [
  ['a type that the config has not', 'no such type', (stage) => project(stage, { type: 'projct' })],
  [
    'a scope that its type does not grant',
    'an unknown scope',
    (stage) => user(stage, { scopes: ['events:raed'] }),
  ],
  ['an attribute that is missing', 'an attribute is missing', () => ({ type: 'project', label: 'CI' })],
  ['a label that looks like another', 'no label', (stage) => project(stage, { label: 'a\u202eb' })],
  ['an origin that is none', 'not an origin', (stage) => user(stage, { origins: ['nope'] })],
];

export const scenarios: readonly Scenario[] = [
  {
    title: 'a token is made, shown once, and works',
    run: async (stage) => {
      const { target, ...made } = await make(stage);
      expect(await stage.gate(send, made.secret)).toBe(200);
      return [told(made), await stage.face.show(target)];
    },
  },
  {
    title: 'a token is made with scopes, a list, origins and an end',
    run: async (stage) => {
      const attributes = { team: stage.own, projects: ['a', 'b'] };
      const more = { attributes, origins: ['https://app.example'], expires: '2160h' };
      const { target: _, ...made } = await make(stage, user(stage, more));
      expect(made.made).toMatchObject({ scopes: ['events:read'], expires: 2160 });
      return told(made);
    },
  },
  {
    title: 'a token of a type that is kept by bcrypt',
    run: async (stage) => {
      const { target: _, ...made } = await make(stage, { type: 'legacy', label: stage.own });
      expect(await stage.gate(send, made.secret)).toBe(200);
      return told(made);
    },
  },
  ...refusals.map(
    ([title, kind, token]): Scenario => ({
      title: `nothing is made of ${title}`,
      run: async (stage) => {
        const answer = await stage.face.create(token(stage));
        expect(answer).toEqual({ no: kind });
        return answer;
      },
    }),
  ),
  {
    title: 'a dry run makes nothing',
    run: async (stage) => [
      await stage.face.tryCreate(user(stage)),
      await stage.face.tryCreate(user(stage, { scopes: ['events:raed'] })),
      await stage.face.list({ type: 'user', attribute: `team=${stage.own}` }),
    ],
  },
  {
    title: 'a list has those of one owner, ended ones too',
    run: async (stage) => {
      const first = await make(stage);
      await make(stage, project(stage, { label: 'second' }));
      await make(stage, project(stage, { attributes: { project: `${stage.own}-other` } }));
      await stage.face.revoke(first.target, 'over');
      const listed = await stage.face.list({ type: 'project', attribute: `project=${stage.own}` });
      expect(listed.map(({ label, state }) => [label, state])).toEqual([
        ['CI', 'revoked'],
        ['second', 'active'],
      ]);
      return listed;
    },
  },
  {
    title: 'a list goes on from page to page',
    run: async (stage) => {
      for (const label of ['a', 'b', 'c']) await make(stage, project(stage, { label }));
      const pages = await stage.face.pages({ type: 'project', attribute: `project=${stage.own}` }, 2);
      expect(pages.map(({ length }) => length)).toEqual([2, 1]);
      return pages;
    },
  },
  {
    title: 'an id that nobody has is unknown, whatever is asked of it',
    run: async ({ face, own }) => {
      const nobody = { id: 'tok_00000000000000000000000000', type: 'project', attributes: { project: own } };
      const answers = [
        await face.show(nobody),
        await face.revoke(nobody, 'over'),
        await face.rotate(nobody, '1h'),
        await face.usage(nobody),
      ];
      expect(answers).toEqual(answers.map(() => ({ no: 'no such token' })));
      return answers;
    },
  },
  {
    title: 'a rotated token works beside its successor, and has one only',
    run: async (stage) => {
      const first = await make(stage);
      const next = yes(await stage.face.rotate(first.target, '24h'));
      expect(next.old).toMatchObject({ retires: 24, successor: next.made.id });
      expect(await Promise.all([first, next].map((one) => stage.gate(send, one.secret)))).toEqual([200, 200]);
      const again = await stage.face.rotate(first.target, '24h');
      expect(again).toEqual({ no: 'a successor already' });
      return [told(next), again];
    },
  },
  {
    title: 'a token that is rotated without an overlap ends at once',
    run: async (stage) => {
      const first = await make(stage);
      const next = yes(await stage.face.rotate(first.target, '0s'));
      expect(await Promise.all([first, next].map((one) => stage.gate(send, one.secret)))).toEqual([401, 200]);
      return told(next);
    },
  },
  {
    title: 'a token is rotated to end when nobody needs it',
    run: async (stage) => {
      const { target } = await make(stage);
      const tooShort = await stage.face.rotateWhenQuiet(target, '1h');
      expect(tooShort).toEqual({ no: 'too short an overlap' });
      const next = yes(await stage.face.rotateWhenQuiet(target, '168h'));
      expect(next.old?.quiet).toMatchObject({ successor: next.made.id, asked: 0, from: null, until: 168 });
      await stage.count(next.made.id);
      const shown = yes(await stage.face.show(target));
      expect(shown.quiet).toMatchObject({ from: 25, until: 168, because: null });
      return [tooShort, told(next), shown];
    },
  },
  {
    title: 'one token stands instead of all of an owner',
    run: async (stage) => {
      const first = await make(stage);
      await make(stage, project(stage, { label: 'second' }));
      const next = yes(await stage.face.regenerate(first.target));
      expect(next.replaced).toHaveLength(2);
      expect(await Promise.all([first, next].map((one) => stage.gate(send, one.secret)))).toEqual([401, 200]);
      return told(next);
    },
  },
  {
    title: 'label, scopes, origins and when it expires are changed, and nothing else is',
    run: async (stage) => {
      const { target, secret } = await make(stage, user(stage, { origins: ['https://a.example'] }));
      const changes: readonly Change[] = [
        { label: 'Grace' },
        { scopes: ['events:write'] },
        { origins: ['https://b.example'] },
        { origins: [] },
        ...['30d', '5h', null, '90d'].map((expires) => ({ expires })),
      ];
      const answers: (Facts | No)[] = [];
      for (const change of changes) answers.push(await stage.face.update(target, change));
      expect(answers.slice(4).map((one) => yes(one).expires)).toEqual([720, 5, null, 2160]);
      expect(answers.at(-1)).toMatchObject({ label: 'Grace', scopes: ['events:write'], origins: [] });
      expect(await stage.gate(read, secret)).toBe(200);
      const wrong = [{ label: 'a\u202eb' }, { expires: '0d' }];
      for (const change of wrong) answers.push(await stage.face.update(target, change));
      return [answers, await stage.face.show(target)];
    },
  },
  {
    title: 'a disabled token is refused until it is enabled',
    run: async (stage) => {
      const { target, secret } = await make(stage);
      const disabled = await stage.face.disable(target);
      expect(await stage.gate(send, secret)).toBe(401);
      const enabled = await stage.face.enable(target);
      expect(await stage.gate(send, secret)).toBe(200);
      return [disabled, enabled];
    },
  },
  {
    title: 'a revoked token is refused at once, and keeps its first reason',
    run: async (stage) => {
      const { target, secret } = await make(stage);
      const first = await stage.face.revoke(target, 'lost laptop');
      expect(await stage.gate(send, secret)).toBe(401);
      const again = yes(await stage.face.revoke(target, 'another'));
      expect(again).toMatchObject({ state: 'revoked', reason: 'lost laptop' });
      return [first, again, await stage.face.rotate(target, '1h')];
    },
  },
  {
    title: 'a revoked token is not enabled, disabled or changed',
    run: async (stage) => {
      const { target } = await make(stage);
      await stage.face.revoke(target, 'over');
      const answers = [
        await stage.face.disable(target),
        await stage.face.enable(target),
        await stage.face.update(target, { label: 'other' }),
      ];
      expect(answers).toEqual(answers.map(() => ({ no: 'not alive' })));
      return answers;
    },
  },
  {
    title: 'what ended by itself is shown as ended, and has no successor',
    run: async ({ face, ended }) => {
      const target = { id: ended.expired, type: 'project', attributes: { project: 'long-ago' } };
      const { expires, ...facts } = yes(await face.show(target));
      expect([facts.state, (expires ?? 0) < 0]).toEqual(['expired', true]);
      return [facts, await face.rotate(target, '1h')];
    },
  },
  {
    title: 'usage says how often, where last, and whether the old one is needed',
    run: async (stage) => {
      const first = await make(stage);
      const unused = await stage.face.usage(first.target);
      const next = yes(await stage.face.rotate(first.target, '168h'));
      await stage.count(first.target.id);
      await stage.count(next.made.id);
      const used = yes(await stage.face.usage(first.target));
      expect(used).toMatchObject({ figures: [3, 1, 2], rotation: { successor: next.made.id, safe: false } });
      return [unused, used];
    },
  },
  {
    title: 'a pin is set, whatever was pinned',
    run: async ({ face, own }) => {
      const subject = `project=${own}`;
      const set = [await face.setPin(subject, 'com.a'), await face.setPin(subject, 'com.b')];
      const shown = await face.showPin(subject);
      expect(shown).toEqual({ value: 'com.b' });
      return [set, shown];
    },
  },
  {
    title: 'a pin is let go, and then there is none to let go',
    run: async ({ face, own, pin }) => {
      await pin(`project=${own}`, 'com.a');
      expect(await face.showPin(`project=${own}`)).toEqual({ value: 'com.a' });
      const answers = [
        await face.resetPin(`project=${own}`, 'new app'),
        await face.resetPin(`project=${own}`, 'again'),
      ];
      expect(answers).toEqual([{ value: null, before: 'com.a' }, { no: 'nothing is pinned' }]);
      return answers;
    },
  },
  {
    title: 'a probe is switched on and off',
    run: async ({ face, own }) => {
      const { id, secret } = await face.activate(own, 'pay.*');
      const active = await face.probes(own);
      expect([secret.startsWith('probe_'), active]).toEqual([true, ['pay.*']]);
      return [active, await face.deactivate(own, id)];
    },
  },
  {
    title: 'what was noticed is listed',
    run: async ({ face, own, notice }) => {
      const id = await notice();
      const listed = (await face.alerts()).filter(({ subject }) => subject === own);
      expect(listed).toEqual([{ id, subject: own, open: true }]);
      return listed;
    },
  },
  {
    title: 'what was noticed is seen to, once',
    run: async ({ face, notice }) => {
      const id = await notice();
      const answers = [await face.acknowledge(id), await face.acknowledge(id)];
      expect(answers).toEqual([{ open: false }, { open: false }]);
      return [answers, await face.acknowledge('alr_none')];
    },
  },
  {
    title: 'the audit says who did what to one token',
    run: async (stage) => {
      const { target } = await make(stage);
      await stage.face.revoke(target, 'over');
      const rows = await stage.face.audit(target.id);
      expect(rows.map(({ action }) => action)).toEqual(['token.create', 'token.revoke']);
      return rows;
    },
  },
  {
    title: 'a purge says first what would go, and the audit is whole',
    run: async ({ face }) => {
      expect(await face.tryPurge('tokens')).toBe(2);
      return [await face.tryPurge('audit'), await face.verify()];
    },
  },
  {
    title: 'the matrix, and why a request would pass or not',
    run: async ({ face }) => [
      await face.matrix(),
      await face.explain('GET', '/events', 'user:events:read'),
      await face.explain('POST', '/events', 'user:events:read'),
    ],
  },
];
