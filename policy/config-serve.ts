/** The schema of a row's `serve`, `with` and `confirm`: rows that Postern answers itself. Cross rules are compile-serve.ts. */
import * as v from 'valibot';
import { closed, duration, list, name, oneOf, plain, some, text, whole } from './config-fields.ts';
import { type Parsed, parsed, unreadable } from './config-problem.ts';
import { parameterName, parseRowKey } from './config-rows.ts';
import { parseAttribute, typeName } from './config-tokens.ts';
import { parsePointer } from './json-pointer.ts';
import type { ServedSource } from './serve-types.ts';
import type { Segment } from './types.ts';

const answerHint = 'write json: and a JSON pointer: json:/project/plan';

/** `{project}`, `token.attribute.user`, `json:/plan`, or a text. */
function parseSource(value: string): Parsed<ServedSource> {
  const param = parameterName(value);
  if (param !== null) return parsed({ kind: 'param', param });
  if (/[{}]/.test(value)) {
    return unreadable(
      `"${value}" mixes a parameter with other text`,
      'a parameter stands alone: "{project}"',
    );
  }
  if (value.startsWith('json:')) {
    const pointer = value.slice('json:'.length);
    const steps = parsePointer(pointer);
    if (steps.ok && steps.value.length === 0)
      return unreadable(`"${value}" points at the whole answer`, answerHint);
    return steps.ok ? parsed({ kind: 'answer', pointer }) : steps;
  }
  if (!value.startsWith('token.')) return parsed({ kind: 'text', text: value });
  const attribute = parseAttribute(value);
  return attribute.ok ? parsed({ kind: 'attribute', name: attribute.value }) : attribute;
}

function parseTokenParam(value: string): Parsed<string> {
  const param = parameterName(value);
  if (param !== null) return parsed(param);
  return unreadable(`"${value}" is not a path parameter`, 'write the one that holds the id: token: "{id}"');
}

function parseRequest(value: string): Parsed<readonly Segment[]> {
  const hint = 'write GET and a path: GET /projects/{project}';
  const key = parseRowKey(value);
  if (!key.ok) return key;
  if (key.value.method !== 'GET') return unreadable(`"${value}" could change something`, hint);
  if (key.value.segments.some(({ kind }) => kind === 'rest')) {
    return unreadable(`"${value}" asks for the rest of a path`, hint);
  }
  return parsed(key.value.segments);
}

const source = text(
  'A text, a path parameter "{project}", token.attribute.NAME of the caller, or json:/POINTER into what confirm answers.',
  parseSource,
  ['{project}'],
);

export const serveEntries = {
  serve: v.optional(
    oneOf('Answers the row here instead of forwarding it: what is done.', [
      'token.create',
      'token.list',
      'token.revoke',
      'token.regenerate',
      'token.rotate',
      'probe.activate',
      'probe.list',
      'probe.deactivate',
    ]),
  ),
  with: v.optional(
    v.pipe(
      closed({
        type: typeName,
        attributes: v.optional(
          v.pipe(
            v.record(name('An attribute of the type.'), v.union([source, some('Several.', source)])),
            v.description('What the tokens must have, and new ones get.'),
          ),
          {},
        ),
        scopes: v.optional(
          v.pipe(
            v.union([
              v.pipe(
                v.literal('token.scopes'),
                v.description('Those of its maker, as far as the type may have them.'),
                v.transform(() => 'caller' as const),
              ),
              list('These.', plain('A scope.')),
            ]),
            v.description('What a new token may do, where its type lets choose: a list, or token.scopes.'),
          ),
        ),
        token: v.optional(
          text('token.revoke and token.rotate: the path parameter that holds the id.', parseTokenParam, [
            '{id}',
          ]),
        ),
        grace: v.optional(
          duration(
            'token.regenerate: for how long the tokens before still work, at most, if the caller asks (default 0s: not at all).',
            '24h',
          ),
        ),
        overlap: v.optional(
          duration('token.rotate: for how long the token before still works (default 24h).', '24h'),
        ),
        expires_in: v.optional(
          duration(
            'token.create: the longest life of a token; callers may choose a shorter one. probe.activate: the longest life of an activation (default 1h).',
            '90d',
          ),
        ),
        derive: v.optional(source),
        active_max: v.optional(
          whole('probe.activate: how many there may be at a time (default 5).', 1, 1000),
        ),
        trigger_expires_in: v.optional(
          duration('probe.activate: the longest life of a trigger (default 24h).', '24h'),
        ),
      }),
      v.description('Which tokens or probes it is about. The caller chooses nothing of it.'),
    ),
  ),
  confirm: v.optional(
    v.pipe(
      closed({
        to: name('The upstream that is asked.'),
        request: text('GET and a path, with parameters of the row.', parseRequest, [
          'GET /projects/{project}',
        ]),
      }),
      v.description(
        "Asks an upstream first, with the caller's own credential: 2xx goes on, 401, 403 and 404 are the answer, else 503.",
      ),
    ),
  ),
};
