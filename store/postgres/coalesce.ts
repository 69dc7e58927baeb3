/**
 * Questions of the same kind, asked together: what gathers while queries are in flight goes in the next one.
 * Nobody ever joins a query already sent, so every answer is as new as its question.
 */
import { createBatch } from '../batch.ts';

export type CoalesceOptions<Answer> = {
  /** One query for all of the keys, none twice. A key that it does not answer has no answer. */
  readonly ask: (keys: readonly string[]) => Promise<ReadonlyMap<string, Answer>>;
  readonly inFlightMax: number;
  readonly keysMax: number;
};

type Job<Answer> = {
  readonly key: string;
  readonly resolve: (answer: Answer | undefined) => void;
  readonly reject: (error: unknown) => void;
};

/** undefined: there is none. @throws what `ask` throws. */
export function coalesce<Answer>(
  options: CoalesceOptions<Answer>,
): (key: string) => Promise<Answer | undefined> {
  const batch = createBatch<Job<Answer>>({
    open: () => true,
    inFlightMax: options.inFlightMax,
    jobsMax: options.keysMax,
    async send(jobs) {
      try {
        const answers = await options.ask([...new Set(jobs.map(({ key }) => key))]);
        for (const { key, resolve } of jobs) resolve(answers.get(key));
      } catch (error) {
        for (const { reject } of jobs) reject(error);
      }
    },
  });
  return (key) => new Promise((resolve, reject) => batch.add({ key, resolve, reject }));
}
