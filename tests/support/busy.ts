/** For tests of what must be quick, on machines that are busy with others. */

/** A delay that was too long is measured again: what is slow is slow each time. Not for what must never happen, not even once. */
export const again = { retry: 2 } as const;

/** For `vi.waitFor` and `vi.waitUntil`, whose second is short where much runs at once. What they wait for has no time limit of its own. */
export const patiently = { timeout: 10_000, interval: 1 } as const;

/** What this thread has worked since, ms; a busy machine does not lengthen it. */
export function cpuMs(): () => number {
  const began = process.threadCpuUsage();
  return () => {
    const { user, system } = process.threadCpuUsage(began);
    return (user + system) / 1000;
  };
}
