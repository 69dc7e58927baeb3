/** Bodies as operators write them: what is read at load, and what a refusal makes of it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ConfigProblem } from '../../policy/config-problem.ts';
import { commonStyle, errorFields, type RefusalFacts, renderBody } from '../../policy/error-style.ts';
import { readBody } from '../../policy/error-template.ts';
import { fuzz } from '../support/fuzz.ts';
import { matchOf } from '../support/policy.ts';

const full: RefusalFacts = {
  code: 'rate_limited',
  detail: 'Too many requests.',
  title: 'Too Many Requests',
  status: 429,
  requestId: 'id-1',
  retryAfterMs: 11_001,
  maskedPin: '*om.acme.app',
  requiredScopes: ['a', 'b:c'],
  batchCount: 2,
};
const bare: RefusalFacts = {
  ...full,
  retryAfterMs: null,
  maskedPin: null,
  requiredScopes: null,
  batchCount: null,
};

function read(body: unknown) {
  const errors: ConfigProblem[] = [];
  const template = readBody(body, ['body'], errors);
  return { template, errors };
}

function rendered(body: unknown, facts: RefusalFacts): unknown {
  const { template, errors } = read(body);
  expect(errors).toEqual([]);
  return JSON.parse(renderBody(template, facts));
}

describe('a field', () => {
  test.each([
    ['code', 'rate_limited', 'rate_limited'],
    ['detail', 'Too many requests.', 'Too many requests.'],
    ['title', 'Too Many Requests', 'Too Many Requests'],
    ['status', 429, 429],
    ['request_id', 'id-1', 'id-1'],
    ['retry_after_s', 12, null],
    ['retry_after_ms', 11_001, null],
    ['pin.masked', '*om.acme.app', null],
    ['required_scopes', ['a', 'b:c'], null],
    ['count', 2, 0],
  ])('{%s} alone keeps its type, and is null where there is none', (field, value, none) => {
    expect(rendered({ x: `{${field}}` }, full)).toEqual({ x: value });
    expect(rendered({ x: `{${field}}` }, bare)).toEqual({ x: none });
  });

  test('inside a text is text, and nothing where there is none', () => {
    const text = '{code}: {retry_after_s}s, {required_scopes}, {pin.masked}.';
    expect(rendered(text, full)).toBe('rate_limited: 12s, a b:c, *om.acme.app.');
    expect(rendered(text, bare)).toBe('rate_limited: s, , .');
  });

  test('has braces of its own only; doubled ones go out as one', () => {
    expect(rendered(['{{code}}', '{{{code}}}', '}}{{'], full)).toEqual(['{code}', '{rate_limited}', '}{']);
  });

  test('is never read out of what it is filled with', () => {
    const facts = { ...full, maskedPin: '{code}{{"' };
    expect(rendered(['{pin.masked}', 'x{pin.masked}'], facts)).toEqual(['{code}{{"', 'x{code}{{"']);
  });
});

describe('a repeat', () => {
  const body = { rejected: '{count}', errors: { repeat: 'batch', item: { at: '{index}', is: 'n{index}' } } };

  test('writes one entry per item', () => {
    expect(rendered(body, full)).toEqual({
      rejected: 2,
      errors: [
        { at: 0, is: 'n0' },
        { at: 1, is: 'n1' },
      ],
    });
  });

  test.each([null, 0])('writes one entry numbered -1 where %s items were counted', (batchCount) => {
    expect(rendered(body, { ...full, batchCount })).toEqual({ rejected: 0, errors: [{ at: -1, is: 'n-1' }] });
  });

  test('writes one entry where all of them would be too much, and says how many there were', () => {
    const many = 1_000_000_000;
    expect(rendered(body, { ...full, batchCount: many })).toEqual({
      rejected: many,
      errors: [{ at: -1, is: 'n-1' }],
    });
    const entries = rendered({ repeat: 'batch', item: 'x' }, { ...full, batchCount: 16_384 });
    expect(entries).toHaveLength(16_384);
    expect(rendered({ repeat: 'batch', item: 'x' }, { ...full, batchCount: 16_385 })).toHaveLength(1);
  });
});

/** The plainest reading there is, to hold the prepared one to. */
function naive(value: unknown, facts: RefusalFacts): unknown {
  if (Array.isArray(value)) return value.map((item) => naive(item, facts));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, below]) => [name, naive(below, facts)]));
  if (typeof value !== 'string') return value;
  const values: Record<string, unknown> = {
    code: facts.code,
    detail: facts.detail,
    title: facts.title,
    status: facts.status,
    request_id: facts.requestId,
    retry_after_s: facts.retryAfterMs === null ? null : Math.ceil(facts.retryAfterMs / 1000),
    retry_after_ms: facts.retryAfterMs,
    'pin.masked': facts.maskedPin,
    required_scopes: facts.requiredScopes,
    count: facts.batchCount ?? 0,
  };
  const lone = /^\{([^{}]+)\}$/.exec(value)?.[1];
  if (lone !== undefined) return values[lone];
  return value.replace(/\{\{|\}\}|\{([^{}]+)\}/g, (piece, name?: string) => {
    if (name === undefined) return piece.slice(1);
    const one = values[name];
    return Array.isArray(one) ? one.join(' ') : String(one ?? '');
  });
}

const facts: fc.Arbitrary<RefusalFacts> = fc.record({
  code: fc.string(),
  detail: fc.string({ unit: 'binary' }),
  title: fc.string(),
  status: fc.integer({ min: 400, max: 599 }),
  requestId: fc.uuid(),
  retryAfterMs: fc.option(fc.integer({ min: 1 })),
  maskedPin: fc.option(fc.string({ unit: 'binary' })),
  requiredScopes: fc.option(fc.array(fc.string())),
  batchCount: fc.option(fc.integer({ min: 0, max: 2 ** 40 })),
});
const piece = fc.oneof(
  fc.constantFrom(...errorFields.filter((field) => field !== 'index').map((field) => `{${field}}`)),
  fc.constantFrom('{{', '}}'),
  fc.string({ maxLength: 6 }).map((text) => text.replace(/[{}]/g, '')),
);
const text = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(''));
const memberName = fc.string({ maxLength: 8 }).filter((name) => !/[{}]|^(repeat|__proto__)$/.test(name));
const bodies = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(memberName, tie('value'), { maxKeys: 4 }),
  ),
})).value;
const body = bodies.filter(
  (value) => typeof value === 'string' || (typeof value === 'object' && value !== null),
);

describe('whatever the operator wrote', () => {
  test('a body that is read comes out as JSON with every field filled in, as a plain reading has it', () => {
    fc.assert(
      fc.property(body, facts, (written, filledWith) => {
        const { template, errors } = read(written);
        fc.pre(JSON.stringify(written).length <= 4096);
        expect(errors).toEqual([]);
        const expected = naive(written, filledWith);
        expect(JSON.parse(renderBody(template, filledWith))).toEqual(JSON.parse(JSON.stringify(expected)));
      }),
      fuzz(500),
    );
  });

  test('a repeat stays within bounds, whatever number the caller sent', () => {
    const item = fc.oneof(text, fc.constantFrom('{index}', { index: '{index}', why: '{code}' }));
    const modest = { ...full, requiredScopes: ['a'] };
    fc.assert(
      fc.property(item, fc.integer({ min: 0, max: 2 ** 48 }), (written, batchCount) => {
        const { template } = read({ errors: { repeat: 'batch', item: written } });
        const filled = renderBody(template, { ...modest, batchCount });
        expect(filled.length).toBeLessThan(65 * 1024);
        const { errors } = JSON.parse(filled) as { errors: unknown[] };
        expect([1, batchCount]).toContain(errors.length);
      }),
      fuzz(300),
    );
  });

  test('any text is read or refused with its place, and never half of each', () => {
    const mark = fc.constantFrom('{', '}', '{{', '}}', '{code}', '{cod}', 'a', '{ code }', '{a.b}', '{}');
    fc.assert(
      fc.property(fc.array(mark, { maxLength: 8 }), (marks) => {
        const { template, errors } = read({ x: marks.join('') });
        if (errors.length > 0) {
          expect(errors[0]?.path).toEqual(['body', 'x']);
          return;
        }
        const { x } = JSON.parse(renderBody(template, full)) as { x: string };
        expect(x).toBe(naive(marks.join(''), full));
      }),
      fuzz(500),
    );
  });
});

test('the rows of a path have a style in common only where all of them name it', () => {
  const style = { name: 'a', contentType: 'application/json', challenge: true, wordings: new Map() };
  const [styled, other, none] = [style, { ...style, name: 'b' }, null].map((errors) => matchOf({ errors }));
  if (!styled || !other || !none) return expect.unreachable();
  expect(commonStyle([styled, styled])).toBe(style);
  expect(commonStyle([none, none])).toBeNull();
  expect(commonStyle([styled, other])).toBeUndefined();
  expect(commonStyle([styled, none])).toBeUndefined();
  expect(commonStyle([none, styled])).toBeUndefined();
  expect(commonStyle([])).toBeUndefined();
});
