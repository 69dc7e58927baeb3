/** How often a property is tried: modestly and with a fixed seed, or as often as FUZZ_RUNS says with a new one. */

export type FuzzOptions = { readonly numRuns: number; readonly seed?: number };

/** `runs` is what the default run can afford. FUZZ_RUNS replaces it, and then the seed is chance. */
export function fuzz(runs: number): FuzzOptions {
  const asked = Number(process.env.FUZZ_RUNS ?? '');
  return Number.isSafeInteger(asked) && asked > 0 ? { numRuns: asked } : { numRuns: runs, seed: 20_260_101 };
}
