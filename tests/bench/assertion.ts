/** Prints what the assertion costs a request: µs of CPU for one that is kept, one that is signed, and the two ways to sign. */
import { generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { createSigner } from '../../gateway/signer.ts';
import { assertionClaims } from '../../policy/assertion.ts';
import { admit } from '../../policy/decide.ts';
import { createAssertionCache } from '../../store/assertion-cache.ts';
import { assertionOf, factsOf, matchOf, owesNothing, tokenOf } from '../support/policy.ts';

const ROUNDS = 5;
const { privateKey } = generateKeyPairSync('ed25519');
const cryptoKey = privateKey.toCryptoKey('Ed25519', false, ['sign']);

const attributes = new Map<string, string | readonly string[]>([
  ['tenant', 'acme'],
  ['projects', ['p1', 'p2']],
]);
const tokens = Array.from({ length: 1000 }, (_, n) =>
  tokenOf({ id: `tok_${String(n).padStart(26, '0')}`, attributes }),
);
const permits = tokens.map((token) =>
  admit(
    {
      match: matchOf({ upstream: 'app' }),
      facts: factsOf(),
      token,
      scopes: ['read', 'write'],
      charges: [],
      ...owesNothing,
    },
    [],
  ),
);

const open = (bindPath: boolean) =>
  createSigner({
    rule: assertionOf({ bindPath }),
    keys: [privateKey],
    cache: createAssertionCache(),
    now: Date.now,
  });

/** The median of some rounds. `run` is given a number that counts up. */
async function measure(what: string, times: number, run: (n: number) => unknown): Promise<void> {
  const figures: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let n = 0; n < times; n++) {
      const done = run(n);
      if (done instanceof Promise) await done;
    }
    const { user, system } = process.cpuUsage(before);
    if (round > 0) figures.push((user + system) / times);
  }
  const median = figures.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
  console.log(`${what.padEnd(44)} ${median.toFixed(2)} µs`);
}

const kept = await open(false);
const bound = await open(true);
const [permit] = permits;
if (permit === undefined) throw new Error('no permit');

await measure('kept, one token', 200_000, () => kept.fieldFor(permit));
await measure('kept, 1,000 tokens in turn', 200_000, (n) => kept.fieldFor(permits[n % 1000] ?? permit));
await measure('signed anew (node:crypto, in place)', 10_000, (n) =>
  bound.fieldFor(permits[n % 1000] ?? permit),
);
await measure('signed anew (jose, by WebCrypto)', 5000, () =>
  new SignJWT({ ...assertionClaims(assertionOf(), permit) })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: 'x'.repeat(43) })
    .setIssuedAt()
    .setExpirationTime('60s')
    .sign(cryptoKey),
);
