/** Asks each url of an upstream, every now and then, whether it is well. Never part of a request. */
import type { Target, Targets } from './targets.ts';

export type HealthCheck = { readonly path: string; readonly everyMs: number };

/** Out after two bad answers in a row, in again after one good one: a single slow answer costs nothing. */
const badMax = 2;
const answerMsMax = 2000;

/** A 2xx within 2 s is well. @returns what ends the checks. */
export function watchHealth(targets: Targets, { path, everyMs }: HealthCheck): () => void {
  const stops = targets.all.map((target) => watchOne(targets, target, path, everyMs));
  return () => {
    for (const stop of stops) stop();
  };
}

function watchOne(targets: Targets, target: Target, path: string, everyMs: number): () => void {
  let bad = 0;
  let asking = false;
  const ended = new AbortController();
  const look = async (): Promise<void> => {
    if (asking) return;
    asking = true;
    const flaw = await flawOf(
      target,
      path,
      AbortSignal.any([ended.signal, AbortSignal.timeout(answerMsMax)]),
    );
    asking = false;
    if (ended.signal.aborted) return;
    bad = flaw === null ? 0 : bad + 1;
    if (flaw === null) targets.checked(target, true, 'its health check passes');
    else if (bad >= badMax) targets.checked(target, false, `its health check failed: ${flaw}`);
  };
  const timer = setInterval(() => void look(), everyMs).unref();
  void look();
  return () => {
    clearInterval(timer);
    ended.abort();
  };
}

/** null: it is well. Never rejects. */
async function flawOf(target: Target, path: string, signal: AbortSignal): Promise<string | null> {
  try {
    const question = {
      method: 'GET' as const,
      path,
      headers: { 'user-agent': 'postern-health' },
      signal,
      // The same as for requests: undici gives up a TLS connection when it changes.
      servername: target.host,
    };
    const { statusCode, body } = await target.pool.request(question);
    await body.dump();
    // A body that is called off ends like one that is whole.
    if (signal.aborted) return 'no answer in time';
    return statusCode >= 200 && statusCode < 300 ? null : `status ${statusCode}`;
  } catch (error) {
    if (signal.aborted) return 'no answer in time';
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    return code || (error instanceof Error ? error.name : 'unknown');
  }
}
