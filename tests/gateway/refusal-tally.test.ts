/** What the overview says was refused: by code, of the last hour, and no more. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRefusalTally } from '../../gateway/refusal-tally.ts';

const codes = ['token_unknown', 'scope_missing', 'rate_limited'] as const;

test('refusals are counted by code, those of the last sixty minutes, the most frequent first', () => {
  const step = fc.record({
    code: fc.constantFrom(null, ...codes),
    // Sometimes the clock goes back.
    ms: fc.oneof(fc.nat(90_000), fc.nat(4_000_000), fc.integer({ min: -70_000, max: 0 })),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let now = 1_800_000_000_000;
      const tally = createRefusalTally(() => now);
      const noted: { code: string; minute: number }[] = [];
      let latest = 0;
      for (const { code, ms } of steps) {
        now += ms;
        tally.note({ code });
        const minute = Math.floor(now / 60_000);
        latest = Math.max(latest, minute);
        if (code !== null) noted.push({ code, minute });
      }
      now = latest * 60_000;
      const recent = noted.filter(({ minute }) => minute > latest - 60);
      const said = tally.byCode();
      expect(new Map(said)).toEqual(
        new Map(
          codes
            .map((code) => [code, recent.filter((one) => one.code === code).length] as const)
            .filter(([, count]) => count > 0),
        ),
      );
      const counts = said.map(([, count]) => count);
      expect(counts).toEqual([...counts].sort((one, other) => other - one));
    }),
  );
});
