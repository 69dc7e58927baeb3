/**
 * `confirm`: asks an upstream whether a caller may, with the caller's credential exactly as it was presented. The
 * one case in which a credential that Postern has read goes on. Never kept: the next request is asked again.
 */
import { denied } from '../policy/denial.ts';
import { scanJson } from '../policy/json-scan.ts';
import { answeredServing, confirming } from '../policy/serve.ts';
import type { Serving } from '../policy/serve-types.ts';
import type { Outcome, Permit } from '../policy/types.ts';
import { type Cut, type Presented, readCredential } from './credential.ts';
import { UpstreamFault } from './fault.ts';
import type { Visit } from './gate.ts';
import { fieldValues } from './head.ts';
import { outgoingHeaders } from './headers.ts';
import type { Site } from './site.ts';
import type { Target } from './targets.ts';
import type { Upstream } from './upstream.ts';

const uncut: Cut = { fields: new Set(), cookies: new Set(), query: null };

/** Most rows read nothing of it but its status; more than this ends the connection. */
const answerBytesMax = 64 * 1024;

/**
 * The serving, with what the answer says of a new token where the row reads it.
 *
 * @throws UpstreamFault `confirm_unavailable` where it gives no answer that says yes or no, or does not say what the row
 * reads; `overloaded`
 */
export async function confirm(
  permit: Permit,
  serving: Serving,
  visit: Visit,
  site: Site,
): Promise<Outcome<Serving>> {
  const { rule, confirmPath } = serving;
  if (rule.confirm === null || confirmPath === null) return { ok: true, value: serving };
  const upstream = site.upstreams.get(rule.confirm.upstream);
  if (upstream === undefined) throw new UpstreamFault('confirm_unavailable', 'no such upstream');
  const place = upstream.places.take(permit);
  try {
    const isRead = serving.kind === 'token' && serving.rule.answered !== null;
    const asking = { permit: confirming(permit, confirmPath), visit, site, upstream, isRead };
    const { status, bytes } = await answerFrom(asking);
    if (status >= 200 && status <= 299) return { ok: true, value: withAnswer(serving, bytes) };
    const refused = refusalOf(status);
    if (refused !== null) return refused;
    throw new UpstreamFault('confirm_unavailable', `the upstream that confirms answered ${status}`);
  } finally {
    upstream.places.leave(place);
  }
}

/** @throws UpstreamFault where it does not say what it must */
function withAnswer(serving: Serving, bytes: Uint8Array | null): Serving {
  if (serving.kind !== 'token' || serving.rule.answered === null) return serving;
  if (bytes === null) throw new Error('an answer was not read');
  const answered = answeredServing(serving, scanJson(bytes, serving.rule.answered.query));
  if (typeof answered !== 'string') return answered;
  throw new UpstreamFault('confirm_unavailable', `the answer of the upstream that confirms: ${answered}`);
}

/** What the upstream's no is here; its own words never go out. */
function refusalOf(status: number): Outcome<never> | null {
  const reason = `the upstream that confirms answered ${status}`;
  if (status === 401) return denied('token_unknown', reason);
  if (status === 403) return denied('bind_mismatch', reason);
  return status === 404 ? denied('record_not_found', reason) : null;
}

type Asking = {
  readonly permit: Permit;
  readonly visit: Visit;
  readonly site: Site;
  readonly upstream: Upstream;
  /** Whether a yes is read, and not only its status. */
  readonly isRead: boolean;
};

type ConfirmAnswer = { readonly status: number; readonly bytes: Uint8Array | null };

async function answerFrom(asking: Asking): Promise<ConfirmAnswer> {
  const { permit, visit, site, upstream, isRead } = asking;
  const target = upstream.targets.choose();
  if (target === null) throw new UpstreamFault('confirm_unavailable', 'the upstream has no url');
  const { facts, route } = permit;
  const presented = readCredential(visit.req.rawHeaders, visit.facts.query, route, site.policy);
  if (!presented.ok) throw new Error('a caller who was let in has no credential');
  const { source, plaintext } = presented.value;
  const query = source.kind === 'query' ? `?${source.name}=${encodeURIComponent(plaintext)}` : '';
  const { idleMs } = upstream.settings;
  const call = visit.trace?.call(upstream.settings.name, target);
  const asked = headersOf(asking, target, presented.value);
  if (call !== undefined) call.stamp(asked);
  target.outstanding++;
  try {
    const { statusCode, headers, body } = await target.pool.request({
      method: 'GET',
      path: target.basePath + facts.path + query,
      headers: asked,
    });
    call?.end(statusCode, null);
    const isAsked = isRead && statusCode >= 200 && statusCode <= 299;
    if (isAsked && headers['content-encoding'] === undefined) {
      const bytes = await readWhole(body);
      upstream.targets.succeeded(target);
      return { status: statusCode, bytes };
    }
    // Read to its end for the connection's sake alone; nothing waits for it.
    body.dump({ limit: answerBytesMax, signal: AbortSignal.timeout(idleMs) }).catch(() => {});
    // It was not asked for a coding: what it says could be read in two ways.
    if (isAsked) throw unfit('an answer with a content coding');
    upstream.targets.succeeded(target);
    return { status: statusCode, bytes: null };
  } catch (cause) {
    // The url is well: what it says may be the caller's doing.
    if (cause instanceof UpstreamFault && cause.answered) {
      upstream.targets.succeeded(target);
      throw cause;
    }
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no answer';
    call?.end(null, 'confirm_unavailable');
    upstream.targets.failed(target, reason);
    throw new UpstreamFault('confirm_unavailable', `the upstream that confirms: ${reason}`, { cause });
  } finally {
    target.outstanding--;
  }
}

/** An answer, but none that can be taken for a yes. */
function unfit(what: string): UpstreamFault {
  const reason = `the upstream that confirms: ${what}`;
  return new UpstreamFault('confirm_unavailable', reason, { answered: true });
}

/** @throws UpstreamFault where it is longer than it may be, or breaks off */
async function readWhole(body: AsyncIterable<Buffer>): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw unfit(`an answer of more than ${answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Of what the caller sent only its Host and the credential that was read, and what we say of the caller ourselves. */
function headersOf(
  { permit, visit, site, upstream }: Asking,
  target: Target,
  credential: Presented,
): string[] {
  const { rawHeaders } = visit.req;
  return outgoingHeaders({
    rawHeaders: [
      'Host',
      ...fieldValues(rawHeaders, 'host'),
      'Accept',
      'application/json',
      ...credentialFields(rawHeaders, credential),
    ],
    httpVersion: visit.req.httpVersion,
    permit,
    cut: uncut,
    hops: visit.hops,
    policy: site.policy,
    assertion: site.signer === null ? null : site.signer.fieldFor(permit),
    rules: site.rules,
    host: upstream.settings.preserveHost ? null : target.host,
    contentLength: null,
  });
}

/** One credential decided; another one beside it must not decide at the upstream. */
function credentialFields(
  rawHeaders: readonly string[],
  { source, plaintext }: Presented,
): readonly string[] {
  switch (source.kind) {
    case 'bearer':
      return ['Authorization', ...fieldValues(rawHeaders, 'authorization')];
    case 'header':
      return [source.name, plaintext];
    case 'cookie':
      return ['Cookie', `${source.name}=${plaintext}`];
    case 'query':
      return [];
  }
}
