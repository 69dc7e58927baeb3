/** What a row that is answered here does, and to which tokens alone: in the words a table has room for. */
import type { ConfirmRule, ServedAttribute, ServedSource, ServeRule } from '../../policy/serve-types.ts';
import { formatDuration } from '../../policy/units.ts';

/** `token.create of type project, project={project}, at most 90d, confirm GET /projects/{project} at app`. */
export function formatServe(rule: ServeRule): string {
  const { operation, type, attributes, scopes, tokenParam, graceMs, overlapMs, lifeMsMax, confirm } = rule;
  return [
    `${operation} of type ${type.name}`,
    ...attributes.map(formatAttribute),
    ...(scopes === null ? [] : [scopes.length === 0 ? 'no scopes' : `scopes ${scopes.join(' ')}`]),
    ...(tokenParam === null ? [] : [`token {${tokenParam}}`]),
    ...(graceMs === 0 ? [] : [`grace ${formatDuration(graceMs)}`]),
    ...(operation === 'token.rotate' ? [`overlap ${formatDuration(overlapMs)}`] : []),
    ...(lifeMsMax === null ? [] : [`at most ${formatDuration(lifeMsMax)}`]),
    ...(confirm === null ? [] : [formatConfirm(confirm)]),
  ].join(', ');
}

function formatAttribute({ name, from }: ServedAttribute): string {
  return `${name}=${from.map(formatSource).join(' ')}`;
}

function formatSource(source: ServedSource): string {
  switch (source.kind) {
    case 'text':
      return source.text;
    case 'param':
      return `{${source.param}}`;
    case 'attribute':
      return `token.attribute.${source.name}`;
  }
}

function formatConfirm({ upstream, segments }: ConfirmRule): string {
  const path = segments.map((segment) => (segment.kind === 'literal' ? segment.text : `{${segment.name}}`));
  return `confirm GET /${path.join('/')} at ${upstream}`;
}
