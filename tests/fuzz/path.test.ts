import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseHost, parseTarget } from '../../policy/path.ts';
import { fuzz } from '../support/fuzz.ts';

const byte = fc.nat(255).map((code) => String.fromCharCode(code));
const target = fc.oneof(
  fc.string({ unit: byte, maxLength: 40 }),
  fc.string({ unit: byte, maxLength: 40 }).map((text) => `/${text}`),
  fc.webUrl({ withQueryParameters: true, withFragments: true }),
  fc.webPath().map((path) => path || '/'),
  fc
    .string({
      unit: fc.constantFrom('/', '.', '%', '2', 'e', 'f', '5', 'c', ';', '\\', '?', 'a'),
      maxLength: 30,
    })
    .map((text) => `/${text}`),
);

test('no target makes the parser throw, and what passes is what was sent', () => {
  fc.assert(
    fc.property(target, (text) => {
      const outcome = parseTarget(text);
      if (!outcome.ok) {
        expect(outcome.denial.code).toMatch(/^(?:path_ambiguous|request_malformed|uri_too_long)$/);
        return;
      }
      const { path, query } = outcome.value;
      expect(query === null ? path : `${path}?${query}`).toBe(text);
      const url = new URL(`http://h${path}`);
      expect([url.host, url.pathname, url.search, url.hash]).toEqual(['h', path, '', '']);
    }),
    fuzz(20_000),
  );
});

test('a query never changes what the path means', () => {
  fc.assert(
    fc.property(fc.webPath(), fc.string({ unit: byte, maxLength: 20 }), (path, query) => {
      const alone = parseTarget(path);
      const both = parseTarget(`${path}?${query}`);
      if (both.ok) expect(alone).toEqual({ ok: true, value: { path: both.value.path, query: null } });
    }),
    fuzz(5000),
  );
});

test('no Host makes the reader throw, and what passes is a name in lower case', () => {
  const host = fc.oneof(
    fc.string({ unit: byte, maxLength: 20 }),
    fc
      .tuple(
        fc.oneof(
          fc.domain(),
          fc.ipV4(),
          fc.ipV6().map((ip) => `[${ip}]`),
        ),
        fc.nat(70_000),
      )
      .map(([name, port]) => `${name}:${port}`),
  );
  fc.assert(
    fc.property(host, (field) => {
      const name = parseHost(field);
      if (name === null) return;
      expect(name).toMatch(/^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/);
      expect(field.toLowerCase().replace(/:\d+$/, '')).toBe(name);
    }),
    fuzz(5000),
  );
});
