/** Reads vitest's JSON report: how many tests passed and failed, and which did not run. */
import { relative } from 'node:path';

/** The part of the report that is read. `pending` is vitest's word for skipped. */
export type Report = {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
};

export type Counts = {
  readonly passed: number;
  /** A file that could not be loaded counts as one. */
  readonly failed: number;
  /** `file > test`. */
  readonly skipped: readonly string[];
};

export function countTests(report: Report, root: string): Counts {
  let passed = 0;
  let failed = 0;
  const skipped: string[] = [];
  for (const file of report.testResults) {
    let failedHere = 0;
    for (const { status, fullName } of file.assertionResults) {
      if (status === 'passed') passed++;
      else if (status === 'failed') failedHere++;
      else skipped.push(`${relative(root, file.name)} > ${fullName}`);
    }
    failed += file.status === 'failed' && failedHere === 0 ? 1 : failedHere;
  }
  return { passed, failed, skipped };
}

/** One line per skipped test; one in all where the caller asked for tests by name. */
export function describeSkipped(skipped: readonly string[], args: readonly string[]): readonly string[] {
  const chosen = args.some((arg) => /^(-t|--testNamePattern)(=|$)/.test(arg));
  if (chosen) return [`${skipped.length} left out by name`];
  return skipped.map((name) => `skipped: ${name}`);
}
