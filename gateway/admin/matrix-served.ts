/** What a row that is answered here does, and to which tokens alone: in the words a table has room for. */
import type {
  ConfirmRule,
  ProbeRule,
  ServedAttribute,
  ServedSource,
  ServeRule,
  TokenRule,
} from '../../policy/serve-types.ts';
import { formatDuration } from '../../policy/units.ts';

/** `token.create of type project, project={project}, at most 90d, confirm GET /projects/{project} at app`. */
export function formatServe(rule: ServeRule): string {
  const { operation, type, confirm } = rule;
  return [
    `${operation} of type ${type.name}`,
    ...(rule.kind === 'probe' ? probeWords(rule) : tokenWords(rule)),
    ...(confirm === null ? [] : [formatConfirm(confirm)]),
  ].join(', ');
}

function tokenWords(rule: TokenRule): readonly string[] {
  const { operation, attributes, answered, scopes, tokenParam, graceMsMax, overlapMs, lifeMsMax } = rule;
  return [
    ...attributes.map(formatAttribute),
    ...(answered?.attributes ?? []).map(({ name, pointer }) => `${name}=json:${pointer}`),
    ...(scopes === null ? [] : [scopesText(scopes)]),
    ...(tokenParam === null ? [] : [`token {${tokenParam}}`]),
    ...(graceMsMax === 0 ? [] : [`grace up to ${formatDuration(graceMsMax)}`]),
    ...(operation === 'token.rotate' ? [`overlap ${formatDuration(overlapMs)}`] : []),
    ...(lifeMsMax === null ? [] : [`at most ${formatDuration(lifeMsMax)}`]),
  ];
}

function scopesText(scopes: readonly string[] | 'caller'): string {
  if (scopes === 'caller') return 'scopes of the caller';
  return scopes.length === 0 ? 'no scopes' : `scopes ${scopes.join(' ')}`;
}

function probeWords({
  operation,
  derive,
  activeMax,
  lifeMsMax,
  triggerLifeMsMax,
}: ProbeRule): readonly string[] {
  const derived = `key derived for ${formatSource(derive)}`;
  if (operation !== 'probe.activate') return [derived];
  const lives = `at most ${formatDuration(lifeMsMax)}, its trigger ${formatDuration(triggerLifeMsMax)}`;
  return [derived, `${activeMax} at a time`, lives];
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
    case 'answer':
      return `json:${source.pointer}`;
  }
}

function formatConfirm({ upstream, segments }: ConfirmRule): string {
  const path = segments.map((segment) => (segment.kind === 'literal' ? segment.text : `{${segment.name}}`));
  return `confirm GET /${path.join('/')} at ${upstream}`;
}
