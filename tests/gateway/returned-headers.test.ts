import { describe, expect, test } from 'vitest';
import { HeaderRules, returnedHeaders } from '../../gateway/headers.ts';
import {
  type Fields,
  gatePermit,
  gatePolicy,
  gateRoute,
  identity,
  pairs,
  spellings,
} from '../support/gate.ts';
import { limitOf, stateOf } from '../support/policy.ts';

type Path = Parameters<typeof gateRoute>[0];

const rules = new HeaderRules(gatePolicy.identity);

describe('H13 what comes back', () => {
  const back = (raw: Fields, path: Path = '/user', origin: string | null = null, limited = false) => {
    const states = limited
      ? [stateOf({ limit: limitOf({ name: 'calls', quota: 10 }), remaining: 4, resetMs: 1500 })]
      : [];
    return pairs(
      returnedHeaders({ raw: raw.flat(), permit: gatePermit(gateRoute(path), origin, states), rules }),
    );
  };
  const stamp = ['X-Request-Id', 'ours-1'] as const;

  test('passes as the upstream wrote it, every Set-Cookie by itself', () => {
    const raw: Fields = [
      ['Set-Cookie', 'a=%20; b'],
      ['set-cookie', 'c=d'],
      ['Server', 'x'],
      ['X_Odd', 'y'],
      ['Vary', 'Accept'],
    ];
    expect(back(raw)).toEqual([...raw, stamp]);
  });

  test('never speaks in our name, in any spelling', () => {
    for (const [name] of [...identity, ['Remote-User'], ['X-Request-Id']] as const) {
      for (const spell of spellings) expect(back([[spell(name), 'upstream']])).toEqual([stamp]);
    }
  });

  test('leaves behind what was for that hop, with everything Connection names', () => {
    const raw: Fields = [
      ['Connection', 'close, X-Hop'],
      ['X-Hop', 'x'],
      ...[
        'Keep-Alive',
        'Transfer-Encoding',
        'Content-Length',
        'Upgrade',
        'Trailer',
        'Proxy-Authenticate',
      ].map((name) => [name, 'x'] as const),
    ];
    expect(back(raw)).toEqual([stamp]);
  });

  test("on a limited row has our limit fields in place of the upstream's", () => {
    const raw: Fields = [
      ['RateLimit', 'theirs'],
      ['ratelimit-policy', 'theirs'],
    ];
    expect(back(raw)).toEqual([...raw, stamp]);
    expect(back(raw, '/user', null, true)).toEqual([
      ['RateLimit-Policy', '"calls";q=10;w=60'],
      ['RateLimit', '"calls";r=4;t=2'],
      stamp,
    ]);
  });

  test('on a row with cors has ours alone, and varies by Origin', () => {
    const raw: Fields = [
      ['Access-Control-Allow-Origin', '*'],
      ['access-control-allow-credentials', 'x'],
      ['Vary', 'Accept, origin'],
    ];
    const vary = ['Vary', 'Origin, Accept'] as const;
    expect(back(raw, '/cors', 'https://app.test')).toEqual([
      ['Access-Control-Allow-Origin', 'https://app.test'],
      ['Access-Control-Allow-Credentials', 'true'],
      ['Access-Control-Expose-Headers', 'X-Total'],
      vary,
      stamp,
    ]);
    for (const origin of ['https://evil.test', 'null', null])
      expect(back(raw, '/cors', origin)).toEqual([vary, stamp]);
  });
});
