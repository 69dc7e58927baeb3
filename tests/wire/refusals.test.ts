/** Every refusal there is, reached over the wire: what the caller gets, what the log says, what passes. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { refusalCodes, refusalKinds } from '../../gateway/refusals.ts';
import { flawsInRefusal, problemOf } from '../fixtures/answers.ts';
import { startTestGateway } from '../fixtures/gateway.ts';
import { startRawUpstream } from '../fixtures/raw-upstream.ts';
import { startUpstream } from '../fixtures/upstream.ts';
import { shapes } from './refusal-shapes.ts';
import { type Stage, stageConfig, ways } from './refusal-ways.ts';

let stage: Stage;

beforeAll(async () => {
  const [upstream, raw] = await Promise.all([startUpstream(), startRawUpstream()]);
  const yaml = stageConfig(upstream.url, raw.url);
  const [gateway, poor] = await Promise.all([
    startTestGateway(yaml, '', { headersTimeoutMs: 50 }),
    startTestGateway(
      `failure_budget: { rate: 3/1m, per: address }\n${yaml}`,
      'redis: { url: "redis://127.0.0.1:1" }',
      { verifier: { threads: 1, queueMax: 0 }, upstreamVisitsMax: 1 },
    ),
  ]);
  stage = { gateway, poor, upstream, raw, yaml };
});

afterAll(async () => {
  await Promise.all([stage.gateway.stop(), stage.poor.stop()]);
  await Promise.all([stage.upstream.stop(), stage.raw.stop()]);
});

beforeEach(() => {
  stage.upstream.seen.length = 0;
});

test.each(refusalCodes)(
  '%s is reached, in our shape, named in the log, and forwards nothing',
  async (code) => {
    const { gateway, answer, route, tokenId } = await ways[code](stage);
    const shape = shapes[code];
    expect(flawsInRefusal(answer)).toEqual([]);
    expect(answer.status).toBe(shape.status);
    expect(problemOf(answer)?.code).toBe(shape.code ?? code);
    const realm = route === undefined ? 'realm="postern"' : 'realm="main"';
    expect(answer.field('www-authenticate')).toBe(shape.challenge?.replace('realm="main"', realm) ?? null);
    expect(answer.field('allow')).toBe(shape.allow ?? null);
    expect(stage.upstream.seen).toEqual([]);
    const line = await gateway.account(answer.field('x-request-id'));
    expect(line).toMatchObject({ event: 'request', status: shape.status, code, address: '127.0.0.1' });
    expect(line.route).toBe(route);
    expect(line.tokenId).toBe(tokenId);
    // The host's style words what is refused before a row is known; these two come before and after.
    const either = code === 'request_timeout' || code === 'method_not_allowed';
    if (!either) expect(refusalKinds.get(code)?.beforeRows).toBe(route === undefined);
  },
);
