/** The arithmetic of the table, and what /proc says of a process. Held by tests/bench-run.test.ts. */

/** The middle one, or the mean of the two in the middle; NaN of none. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  return upper === undefined || lower === undefined ? Number.NaN : (lower + upper) / 2;
}

/**
 * The median of `ours[n] / theirs[n]`: both were measured in the same round, so that what disturbed the machine
 * disturbed both. A round that one of them lacks (NaN) does not count; null: there is none.
 */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): number | null {
  const ratios = ours.map((figure, round) => figure / (theirs[round] ?? Number.NaN)).filter(Number.isFinite);
  return ratios.length === 0 ? null : median(ratios);
}

/** The smallest figure that at least this part of all figures does not exceed; NaN of none. */
export function quantile(figures: readonly number[], part: number): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}

export type ProcessStat = {
  readonly pid: number;
  readonly parent: number;
  /** Ticks in user and kernel mode, of all its threads, those that ended included. */
  readonly ticks: number;
};

/** Of /proc/PID/stat (proc_pid_stat(5)). The name is in brackets and may itself hold brackets and spaces. */
export function parseStat(text: string): ProcessStat {
  const nameEnd = text.lastIndexOf(')');
  const fields = text.slice(nameEnd + 2).split(' ');
  const stat = {
    pid: Number.parseInt(text, 10),
    parent: Number(fields[1]),
    ticks: Number(fields[11]) + Number(fields[12]),
  };
  if (nameEnd < 0 || !Object.values(stat).every(Number.isInteger)) throw new Error(`no process: ${text}`);
  return stat;
}

/** The processes of `roots` and all that descend from them. */
export function familyOf(roots: readonly number[], all: readonly ProcessStat[]): readonly ProcessStat[] {
  const family = new Set(roots);
  for (let before = -1; before !== family.size; ) {
    before = family.size;
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid);
  }
  return all.filter(({ pid }) => family.has(pid));
}

/** `field` of the lines of a /proc/PID/status, in KiB; 0: it has no such line. */
export function statusKib(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0);
}
