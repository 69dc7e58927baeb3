/** What a scan costs, beside `JSON.parse` of the same bytes: `node tests/bench/json-scan.ts`. */
import { compileQuery } from '../../policy/json-pointer.ts';
import { scanJson } from '../../policy/json-scan.ts';

const query = compileQuery(['/app_id', '/events']);

function bodyOf(kind: 'events' | 'text' | 'numbers' | 'escapes', items: number): Uint8Array {
  const item = {
    events: {
      type: 'TypeError',
      message: 'x is undefined',
      stack: 'at f (app.js:1:2)\n'.repeat(20),
      ok: true,
      n: 12.5,
    },
    text: 'x'.repeat(10_000),
    numbers: [1, -2.5, 1e9, 0],
    escapes: '\u0001"\\é😀'.repeat(50),
  }[kind];
  return new TextEncoder().encode(
    JSON.stringify({ app_id: 'com.acme.app', events: Array.from({ length: items }, () => item) }),
  );
}

function megabytesPerSecond(bytes: Uint8Array, run: () => void): number {
  const rounds = Math.max(5, Math.ceil(200_000_000 / bytes.length));
  for (let i = 0; i < rounds / 5; i++) run();
  const startedMs = performance.now();
  for (let i = 0; i < rounds; i++) run();
  return (bytes.length * rounds) / 1e6 / ((performance.now() - startedMs) / 1000);
}

for (const [kind, items] of [
  ['events', 1],
  ['events', 20_000],
  ['text', 800],
  ['numbers', 200_000],
  ['escapes', 10_000],
] as const) {
  const bytes = bodyOf(kind, items);
  const text = new TextDecoder();
  const scan = megabytesPerSecond(bytes, () => {
    if (!scanJson(bytes, query).ok) throw new Error('refused');
  });
  const parse = megabytesPerSecond(bytes, () => JSON.parse(text.decode(bytes)));
  const size = `${(bytes.length / 1024).toFixed(1)} KiB`;
  process.stdout.write(
    `${kind.padEnd(8)} ${size.padStart(12)}: scan ${scan.toFixed(0)} MB/s, JSON.parse ${parse.toFixed(0)} MB/s\n`,
  );
}
