/** The paths Postern answers itself. No row has them, whatever its pattern: an upstream must not speak for us. */
import { denied } from './denial.ts';
import type { Outcome, Policy, RequestFacts, Segment } from './types.ts';

/** `jwks`: the public keys of the assertion (RFC 7517). `leaks`: where reports of leaked tokens are taken. */
export type OwnEndpoint = 'jwks' | 'leaks';

const ownSegment = '_postern';
const ownPath = `/${ownSegment}`;
export const jwksPath = `${ownPath}/jwks.json`;

/** null: the path is for the rows. */
export function ownEndpoint(policy: Policy, facts: RequestFacts): Outcome<OwnEndpoint> | null {
  const { path, method } = facts;
  if (!path.startsWith(ownPath) || (path.length > ownPath.length && path[ownPath.length] !== '/'))
    return null;
  if (path === policy.leaksPath) {
    if (method === 'POST') return { ok: true, value: 'leaks' };
    return denied('method_not_allowed', 'reports can only be sent here', { allow: ['POST'] });
  }
  if (path !== jwksPath || policy.identity.assertion === null) {
    return denied('route_not_found', 'a path of Postern itself, and nothing is served there');
  }
  if (method === 'GET' || method === 'HEAD') return { ok: true, value: 'jwks' };
  return denied('method_not_allowed', 'the key set can only be read', { allow: ['GET', 'HEAD'] });
}

/** Whether a row of this pattern could only be asked for with a path of ours. */
export function isOwnPattern(segments: readonly Segment[]): boolean {
  const [first] = segments;
  return first?.kind === 'literal' && first.text === ownSegment;
}
