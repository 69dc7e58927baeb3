import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConfigText } from '../../gateway/config/load.ts';
import { formatProblem } from '../../gateway/config/problems.ts';
import { smallConfig } from '../fixtures/config.ts';
import { fuzz } from '../support/fuzz.ts';

/** Loads, and holds it to its promise: a config, or problems that each have a place and a message. */
function load(text: string): boolean {
  const result = loadConfigText(text, '/etc/postern/gateway.config.yaml', {});
  if (result.ok) return true;
  expect(result.problems.length).toBeGreaterThan(0);
  const lines = text.split(/\r\n|\r|\n/).length;
  for (const problem of result.problems) {
    expect(problem.message).not.toBe('');
    expect(problem.line).toBeGreaterThanOrEqual(1);
    expect(problem.line).toBeLessThanOrEqual(lines + 1);
    expect(problem.column).toBeGreaterThanOrEqual(1);
    expect(formatProblem(problem)).not.toContain('undefined');
  }
  return false;
}

const word = fc.constantFrom(
  ...[
    'version',
    'apis',
    'main',
    'routes',
    'GET /a',
    'allow',
    'public',
    'upstreams',
    'app',
    'url',
    'token_types',
    'user',
    'prefix',
  ],
  ...[
    'scopes',
    'limits',
    'rate',
    '10/1m',
    'per',
    'token',
    'pins',
    'cors',
    'errors',
    'identity',
    'headers',
    'fixtures',
    'bind',
    'to',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    '',
    'http://127.0.0.1:1',
    '{x}',
    '{x...}',
    'any_scope',
    'a + b',
    'u_',
    '<<',
    '*x',
    '&x',
  ],
);
const leaf = fc.oneof(
  word,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.string({ maxLength: 8 }),
);
const tree = fc.letrec((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('node'), { maxLength: 3 }),
    fc.array(fc.tuple(word, tie('node')), { maxLength: 4 }).map((entries) => new Map(entries)),
  ),
})).node;

test('no YAML makes the loader throw', () => {
  fc.assert(
    fc.property(tree, (value) => {
      load(stringify(value));
    }),
    fuzz(300),
  );
});

test('no text makes the loader throw', () => {
  const mark = fc.constantFrom(
    ...'{}[]:,-?&*!|>\'"%@`#\n\t \r~',
    '\n  ',
    '---\n',
    '...\n',
    '!!js/function',
    '\0',
    '\ufeff',
    '\u2028',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(mark, word), { maxLength: 30 }), (parts) => {
      load(parts.join(''));
    }),
    fuzz(500),
  );
});

test('no damage to a right config makes the loader throw, and most of it is noticed', () => {
  let refused = 0;
  let tried = 0;
  const damage = fc.tuple(fc.nat(smallConfig.length), fc.nat(6), fc.oneof(word, fc.string({ maxLength: 4 })));
  expect(load(smallConfig)).toBe(true);
  fc.assert(
    fc.property(damage, ([at, gone, put]) => {
      tried++;
      if (!load(smallConfig.slice(0, at) + put + smallConfig.slice(at + gone))) refused++;
    }),
    fuzz(500),
  );
  expect(refused).toBeGreaterThan(tried / 3);
});

/** A config of any keys under the right ones: the cross rules see it, not only the shape. */
test('no entry under a right key makes the loader throw', () => {
  const sections = [
    'token_types',
    'scopes',
    'apis',
    'limits',
    'pins',
    'cors',
    'identity',
    'fixtures',
    'listen',
    'redis',
    'store',
  ];
  fc.assert(
    fc.property(fc.constantFrom(...sections), tree, (section, value) => {
      const rest = smallConfig.replace(new RegExp(`^${section}:[\\s\\S]*?(?=^\\w|$(?![\\s\\S]))`, 'm'), '');
      load(`${rest}${stringify({ [section]: value })}`);
    }),
    fuzz(500),
  );
});
