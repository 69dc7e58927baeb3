/**
 * Operators' passwords: Argon2id (RFC 9106), on libuv's threads and never on the event loop, few at a time. An unknown
 * name costs what a known one does.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { type OperatorSettings, type Operators, phcText } from '../config/operators.ts';

export type PasswordCheck = {
  /**
   * Who it is; null: nobody of that name has that password. `busy`: too many wait already.
   *
   * @param operators those of the config in force.
   */
  readonly check: (
    operators: Operators,
    name: string,
    password: string,
  ) => Promise<OperatorSettings | null | 'busy'>;
};

/** Each holds 19 MiB and a core for some 20 ms. */
const atOnceMax = 2;
const waitingMax = 8;

/** OWASP's first choice: 19 MiB, two passes, one lane. */
const newHash = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Loaded when it is first needed: most gates have no operator with a password. */
const argon2 = () => import('@node-rs/argon2');

/** As a PHC string. */
export async function hashPassword(password: string): Promise<string> {
  const { hash } = await argon2();
  // Argon2id is its default; its enum cannot be named where types are stripped.
  return hash(password.normalize('NFC'), newHash);
}

export function createPasswordCheck(): PasswordCheck {
  const inTurn = createTurns(atOnceMax, waitingMax);
  const standIn = createStandIns();
  return {
    async check(operators, name, password) {
      const operator = operators.get(name);
      const hash = operator?.passwordHash ?? standIn(operators, name);
      if (hash === null) return null;
      const isRight = await inTurn(async () => {
        const { verify } = await argon2();
        return verify(hash, password.normalize('NFC'));
      });
      if (isRight === 'busy') return 'busy';
      return isRight && operator !== undefined ? operator : null;
    },
  };
}

/** `busy`: it was not done, for too many wait. */
export function createTurns(atOnce: number, waiting: number) {
  let running = 0;
  const queue: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T | 'busy'> => {
    if (running < atOnce) running++;
    else if (queue.length >= waiting) return 'busy';
    else await new Promise<void>((resolve) => queue.push(resolve));
    try {
      return await work();
    } finally {
      // Whoever waits longest takes the place over.
      const next = queue.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

/**
 * Hashes that no password fits, to be asked for names that nobody has. With the parameters of one operator or another,
 * chosen by the name: names cannot be told apart by what they cost where operators' hashes cost different.
 */
function createStandIns(): (operators: Operators, name: string) => string | null {
  const key = randomBytes(32);
  const made = new Map<string, string>();
  return (operators, name) => {
    if (operators.size === 0) return null;
    const nth = createHmac('sha256', key).update(name).digest().readUInt32BE(0) % operators.size;
    const { passwordHash = '' } = [...operators.values()][nth] ?? {};
    const parameters = passwordHash.split('$', 4).join('$');
    const [, , , , salt = '', hash = ''] = phcText.exec(passwordHash) ?? [];
    const shape = `${parameters} ${salt.length} ${hash.length}`;
    const before = made.get(shape);
    if (before !== undefined) return before;
    const filler = `${parameters}$${unpadded(salt.length)}$${unpadded(hash.length)}`;
    made.set(shape, filler);
    return filler;
  };
}

/** Random bytes that take so many characters. */
function unpadded(length: number): string {
  return randomBytes(Math.floor((length * 3) / 4))
    .toString('base64')
    .replace(/=+$/, '');
}
