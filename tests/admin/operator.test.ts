/** Operators' passwords: hashed by a command, checked off the event loop, and never told. */
import { readFileSync, statSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { askSecret } from '../../gateway/admin/ask-secret.ts';
import { run } from '../../gateway/admin/cli.ts';
import { createPasswordCheck, createTurns, hashPassword } from '../../gateway/admin/passwords.ts';
import { type OperatorSettings, phcText } from '../../gateway/config/operators.ts';
import { password, passwordHash } from '../fixtures/dash.ts';
import { Terminal } from './terminal.ts';

async function* piped(text: string) {
  yield Buffer.from(text);
}

async function told(
  stdin: AsyncIterable<Buffer>,
  answers: readonly string[] | null = null,
  more: readonly string[] = [],
) {
  let [out, err] = ['', ''];
  const left = [...(answers ?? [])];
  const terminal = { out: true, err: true, ask: null, askSecret: async () => left.shift() ?? '' };
  const code = await run(['operator', 'hash', ...more], {
    env: {},
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    colours: false,
    now: Date.now,
    stdin: () => stdin,
    ...(answers === null ? {} : { terminal }),
  });
  return { code, out, err };
}

const ada: OperatorSettings = { name: 'ada', passwordHash, scopes: ['tokens:read'] };
const operators = new Map([['ada', ada]]);

describe('postern operator hash', () => {
  test('prints what the config takes, of a line of stdin or of what is typed twice', async () => {
    for (const { code, out, err } of [
      await told(piped(`${password}\n`)),
      await told(piped(''), [password, password]),
    ]) {
      expect([code, err]).toEqual([0, '']);
      expect(out).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
      expect(out.trim()).toMatch(phcText);
      const again = new Map([['ada', { ...ada, passwordHash: out.trim() }]]);
      expect(await createPasswordCheck().check(again, 'ada', password)).toMatchObject({ name: 'ada' });
    }
  });

  test('makes a file of it that this user alone can read, and writes over none', async () => {
    const folder = new Terminal('');
    const file = folder.path('ada.hash');
    const { code, out, err } = await told(piped(`${password}\n`), null, ['--out', file]);
    expect([code, out, err]).toEqual([0, `${file}: made, for this user alone\n`, '']);
    const made = readFileSync(file, 'utf8');
    expect([made.trim()]).toEqual([expect.stringMatching(phcText)]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const again = await told(piped(`${password}\n`), null, ['--out', file]);
    expect([again.code, again.out]).toEqual([1, '']);
    expect(again.err).toMatch(/^error: .* is there already; /);
    expect(readFileSync(file, 'utf8')).toBe(made);
    const nowhere = await told(piped(`${password}\n`), null, ['--out', `${file}/x`]);
    expect([nowhere.code, nowhere.out]).toEqual([1, '']);
  });

  test('refuses what is short, long, several lines, or not the same twice, and repeats none of it', async () => {
    for (const { code, out, err } of [
      await told(piped('elevenchars\n')),
      await told(piped('x'.repeat(1025))),
      await told(piped('correct horse\nbattery staple\n')),
      await told(piped('')),
      await told(piped(''), [password, `${password}r`]),
    ]) {
      expect([code, out]).toEqual([1, '']);
      expect(err).not.toMatch(/eleven|xxx|horse/);
    }
  });
});

test('a password is typed without being shown, with the keys that people use', async () => {
  const seen: (string | boolean)[] = [];
  const type = (keys: string) => {
    const input = Object.assign(new PassThrough(), {
      setRawMode(mode: boolean) {
        seen.push(mode);
        return this;
      },
    });
    const asked = askSecret(input as never, (text) => seen.push(text), 'Password: ');
    input.write(keys);
    return asked;
  };
  expect(await type('sesan\u007f\u007fame\r')).toBe('sesame');
  expect(await type('pä\u0001ss🔑\n')).toBe('päss🔑');
  await expect(type('abc\u0003')).rejects.toThrow('nothing was changed');
  await expect(type('\u0004')).rejects.toThrow('nothing was changed');
  // The terminal shows what is typed until it is told not to: that comes before the question.
  const once = [true, 'Password: ', false, '\n'];
  expect(seen).toEqual([...once, ...once, ...once, ...once]);
});

describe('a password', () => {
  test('opens by its own name alone', async () => {
    const { check } = createPasswordCheck();
    expect(await check(operators, 'ada', password)).toBe(ada);
    for (const [name, word] of [
      ['ada', `${password} `],
      ['ada', ''],
      ['Ada', password],
      ['bob', password],
      ['__proto__', password],
      ['', ''],
    ] as const) {
      expect([name, await check(operators, name, word)]).toEqual([name, null]);
    }
    expect(await check(new Map(), 'ada', password)).toBeNull();
  });

  test('is the same in both ways that Unicode spells it', async () => {
    const hash = await hashPassword('caf\u00e9 caf\u00e9 caf\u00e9');
    const { check } = createPasswordCheck();
    const spelled = 'cafe\u0301 cafe\u0301 cafe\u0301';
    expect(await check(new Map([['ada', { ...ada, passwordHash: hash }]]), 'ada', spelled)).not.toBeNull();
  });

  test('of a name that nobody has costs what a wrong one does', async () => {
    const { check } = createPasswordCheck();
    const cost = async (name: string) => {
      const started = performance.now();
      await check(operators, name, 'not the password');
      return performance.now() - started;
    };
    await cost('ada');
    let known = Infinity;
    let unknown = Infinity;
    // The least of each: what the machine does beside it only adds. A busy one takes more rounds.
    for (let round = 0; round < 100; round++) {
      known = Math.min(known, await cost('ada'));
      unknown = Math.min(unknown, await cost('bob'));
      if (round >= 12 && Math.abs(Math.log2(unknown / known)) < 1) break;
    }
    expect(unknown / known).toBeGreaterThan(0.5);
    expect(unknown / known).toBeLessThan(2);
  });
});

test('of what comes at once so many run, so many wait, in order, and the rest is told so', async () => {
  const inTurn = createTurns(2, 3);
  const log: string[] = [];
  const ends: (() => void)[] = [];
  const work = (name: string) => () => {
    log.push(name);
    return new Promise<string>((resolve) => ends.push(() => resolve(name)));
  };
  const all = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => inTurn(work(name)));
  expect(await all[5]).toBe('busy');
  expect(log).toEqual(['a', 'b']);
  for (let at = 0; at < 5; at++) {
    ends[at]?.();
    await all[at];
    await Promise.resolve();
  }
  expect(log).toEqual(['a', 'b', 'c', 'd', 'e']);
  const failing = inTurn(() => Promise.reject(new Error('no')));
  await expect(failing).rejects.toThrow('no');
  expect(await inTurn(async () => 'still')).toBe('still');
});
