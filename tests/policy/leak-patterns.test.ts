/** The regular expressions for other scanners: they match every token that is issued, and nothing that is nearly one. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leakPatterns, scannedTypes } from '../../policy/leak-patterns.ts';
import { endsInChecksum } from '../../store/token-format.ts';
import { chanceOf } from '../fixtures/random.ts';
import { type Leaks, openLeaks, wrappings } from '../support/leaks.ts';

let leaks: Leaks;

beforeAll(async () => {
  leaks = await openLeaks(20);
});

afterAll(() => leaks.close());

const patterns = () => leakPatterns(scannedTypes(leaks.policy));

/** What a scanner makes of a pattern, with its second look where a checksum is told. */
function found(type: string, text: string): readonly string[] {
  return patterns()
    .filter((pattern) => pattern.type === type)
    .flatMap(({ regex, checksum }) => {
      const matches = [...text.matchAll(new RegExp(regex, 'gm'))].map(([, token = '']) => token);
      return checksum === null ? matches : matches.filter(endsInChecksum);
    });
}

describe('a leak pattern', () => {
  const everywhere = [
    'alone',
    'env',
    'shell',
    'json',
    'jsonText',
    'userinfo',
    'yaml',
    'markup',
    'code',
    'sentence',
  ];
  const urls = ['query', 'nested', 'lowerQuery', 'path'];

  test.each([...everywhere, ...urls])('matches every token that is issued, as %s', (how) => {
    for (const { token, record } of leaks.issued) {
      // Its prefix is written otherwise in a url, which a pattern for plain text does not know.
      if (record.type === 'odd' && urls.includes(how)) continue;
      const written = record.type === 'piped' && urls.includes(how) ? /^.*(\||%7c)/i : /^/;
      const matches = found(record.type, wrappings[how]?.(token) ?? '');
      expect(
        matches.map((match) => match.replace(written, '')),
        `${record.type} as ${how}`,
      ).toEqual([token.replace(written, '')]);
    }
  });

  test('matches nothing that is longer, shorter, of another alphabet or has a wrong checksum', () => {
    const { one, below } = chanceOf(7);
    for (const { token, record } of leaks.issued) {
      const type = leaks.policy.types.get(record.type);
      const start = record.type === 'piped' ? 27 : (type?.prefix.length ?? 0);
      const at = start + below(token.length - start);
      const decoys = [`${token}x`, `${token}_`, token.slice(0, -1), token.slice(0, start)];
      decoys.push(`${token.slice(0, at)}!${token.slice(at + 1)}`);
      if (record.type === 'checked') decoys.push(`${token.slice(0, -6)}${one(['00000A', 'zzzzzz'])}`);
      for (const decoy of decoys)
        expect(found(record.type, ` ${decoy} `), decoy.length.toString()).toEqual([]);
    }
  });

  test('is of a dialect that every engine has, and bounded', () => {
    for (const { regex } of patterns()) {
      expect(regex).not.toMatch(/\(\?[=!<]|\\[1-9]|\\[kdwsp]|[*+](?!\))\??$|\{\d+,\}/);
      expect(regex.replace(/\\.|\[[^\]]*\]/g, '')).not.toMatch(/[*+]/);
      expect(new RegExp(`${regex}|`).exec('')?.length).toBe(2);
    }
  });

  test('is there for every prefix and alias, and says which has a checksum', () => {
    expect(patterns().map(({ type, prefix, checksum }) => [type, prefix, checksum])).toEqual([
      ['project', 'prj_live_', null],
      ['project', 'prj_', null],
      ['checked', 'ck_', 'crc32-base62'],
      ['piped', '', null],
      ['legacy', 'old_', null],
      ['keyed', 'pk-', null],
      ['odd', 'a/b+', null],
      ['bare', '', null],
      ['loose', '', null],
    ]);
  });
});
