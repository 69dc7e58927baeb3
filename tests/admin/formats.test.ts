/** `postern token` for types with a format, a checksum, a pepper: what it makes and imports is found by a gateway. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { endsInChecksum } from '../../store/token-format.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { loaded } from '../fixtures/config.ts';
import { Terminal } from './terminal.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

const config = `version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types:
  sanctum: { format: id_pipe_random, scopes: [] }
  checked: { prefix: ck_, checksum: required, scopes: [] }
  keyed: { prefix: pk_, hash: { use: sha256, pepper: [{ file: pepper }] }, scopes: [] }
  moving: { prefix: mv_, aliases: [x|y], hash: { use: sha256, pepper: [{ file: pepper }, none] }, scopes: [] }
apis:
  main:
    to: app
    routes:
      GET /: { allow: { sanctum: any_scope, checked: any_scope, keyed: any_scope, moving: any_scope } }
`;

function terminal(): Terminal {
  const made = new Terminal(config);
  made.write('pepper', 'kept beside the config for this test');
  return made;
}

/** The type of the record each token is found as, by a store opened as the gateway opens it. */
async function found(desk: Terminal, tokens: readonly string[]) {
  const { policy, peppers } = loaded(config, {}, desk.path('gateway.config.yaml'));
  const store = await openSqliteTokens({ path: desk.path('data/postern.db'), now: Date.now, peppers });
  try {
    const records = await Promise.all(tokens.map((token) => store.find(token, [...policy.types.values()])));
    return records.map((record) => record?.type ?? null);
  } finally {
    await store.close();
  }
}

describe('postern token', () => {
  test('create makes a token of each format that is found', async () => {
    const desk = terminal();
    const types = ['sanctum', 'checked', 'keyed', 'moving'];
    const tokens: string[] = [];
    for (const type of types) tokens.push((await desk.json('token', 'create', '--type', type)).token);
    expect(tokens[0]).toMatch(/^[0-9A-Z]{26}\|[0-9A-Za-z]{48}$/);
    expect(endsInChecksum(tokens[1] ?? '')).toBe(true);
    expect(await found(desk, tokens)).toEqual(types);
  });

  test('import takes <id>|<random> by its id, and rows without a pepper where none is listed', async () => {
    const desk = terminal();
    const rows = [
      { type: 'sanctum', sha256: digest('random part 1'), external_id: '2' },
      { type: 'moving', sha256: digest('mv_0123456789abcdef') },
    ];
    const file = desk.write('rows.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const answers = [
      await desk.json('token', 'import', '--file', file),
      await desk.json('token', 'import', '--file', file),
    ];
    expect(answers).toEqual([
      { imported: 2, skipped: 0, problems: [] },
      { imported: 0, skipped: 2, problems: [] },
    ]);
    const tokens = ['2|random part 1', 'random part 1', 'mv_0123456789abcdef'];
    expect(await found(desk, tokens)).toEqual(['sanctum', null, 'moving']);
  });

  const sha256 = digest('any');
  test.each([
    [
      { type: 'sanctum', sha256 },
      'external_id is missing; write what stands before the |: 1 to 64 letters, digits, _ or -',
    ],
    [
      { type: 'sanctum', sha256, external_id: 'a.b' },
      'external_id is wrong; write what stands before the |: 1 to 64 letters, digits, _ or -',
    ],
    [
      { type: 'sanctum', sha256, external_id: 'ck_7' },
      'external_id begins like a token of type checked, so nobody could use the token; leave the row out and issue a new token',
    ],
    [
      { type: 'sanctum', sha256, external_id: 'x' },
      'external_id begins like a token of type moving, so nobody could use the token; leave the row out and issue a new token',
    ],
    [
      { type: 'keyed', sha256 },
      'tokens of type keyed are never looked for without a pepper, and this one was kept without; write none at the end of hash.pepper, until each such token has been used once',
    ],
  ])('import refuses %j', async (row, message) => {
    const desk = terminal();
    const file = desk.write('rows.jsonl', JSON.stringify(row));
    const told = await desk.run('token', 'import', '--file', file, '--json');
    expect(JSON.parse(told.stdout)).toEqual({ imported: 0, skipped: 0, problems: [{ line: 1, message }] });
    expect(told.code).toBe(1);
  });
});
