import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration, parseRate, parseSize } from '../../policy/units.ts';

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['0s', 0],
  ])('%s is %d ms', (text, value) => {
    expect(parseDuration(text)).toEqual({ ok: true, value });
  });

  test.each([
    '10',
    '10 s',
    '1.5s',
    '-1s',
    's',
    '',
    '10S',
    '10seconds',
    '1h30m',
    '10constructor',
    '1__proto__',
  ])('"%s" is refused, and the hint shows what is meant', (text) => {
    expect(parseDuration(text)).toEqual({
      ok: false,
      message: `"${text}" is not a duration`,
      hint: 'write a number and a unit: 500ms, 10s, 5m, 24h or 7d',
    });
  });

  test('what is formatted reads back as the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000_000_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toEqual({ ok: true, value: ms });
      }),
    );
  });
});

describe('sizes', () => {
  test.each([
    ['512B', 512],
    ['1KB', 1000],
    ['16KiB', 16_384],
    ['10MiB', 10_485_760],
    ['2GB', 2_000_000_000],
    ['1GiB', 1_073_741_824],
  ])('%s is %d bytes', (text, value) => {
    expect(parseSize(text)).toEqual({ ok: true, value });
  });

  test.each(['16', '16k', '16kib', '1.5MiB', 'none', '', '999999999999GiB'])('"%s" is refused', (text) => {
    expect(parseSize(text)).toMatchObject({ ok: false });
  });
});

describe('rates', () => {
  test.each([
    ['600/1m', 600, 60_000],
    ['5/10s', 5, 10_000],
    ['1/24h', 1, 86_400_000],
    ['1/1d', 1, 86_400_000],
    ['1000000000/1s', 1_000_000_000, 1000],
  ])('%s is %d in %d ms', (text, quota, windowMs) => {
    expect(parseRate(text)).toEqual({ ok: true, value: { quota, windowMs } });
  });

  test.each([
    '600',
    '600/m',
    '600/min',
    '600 / 1m',
    '-5/1s',
    '1.5/1s',
    '0/1m',
    '1000000001/1s',
    '1/999ms',
    '1/25h',
    '1/2d',
  ])('"%s" is refused', (text) => {
    expect(parseRate(text)).toMatchObject({ ok: false });
  });
});
