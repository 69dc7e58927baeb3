/** The routes of the admin API as an OpenAPI 3.1 document, made of the schemas that judge and word its requests. */
import { toJsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import { adminTypeName } from '../../policy/admin-type.ts';
import { problemCodes, statusOfProblem } from './http-problem.ts';
import { problemView } from './http-reload.ts';
import type { AdminRoute } from './http-route.ts';

type Json = Readonly<Record<string, unknown>>;

/** In a query everything is a text; what they are to be read as says more. */
const readAs: Readonly<Record<string, Json>> = {
  limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
};

const dryRunParameter = {
  name: 'dry_run',
  in: 'query',
  description:
    'true: everything is checked and nothing is done; the answer is what would be, without a secret.',
  schema: { type: 'boolean', default: false },
};

const onceParameter = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'The same request under the same key is done once in 24 hours; a replay has no secret.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
};

const matchParameter = {
  name: 'If-Match',
  in: 'header',
  description:
    'The ETag of an answer: it is changed only if it still has it, else 412. Left out: whatever it has.',
  schema: { type: 'string' },
};

const tagHeader = {
  description: 'The version of what is written in it, for If-Match; when it was last used is no part of it.',
  schema: { type: 'string' },
};

export function openApiDocument(routes: readonly AdminRoute[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Postern admin API',
      version: '1',
      description: `What operators do with tokens, pins, probes and the config. Every request has a token of type ${adminTypeName}.`,
    },
    security: [{ admin: [] }],
    paths,
    components: {
      securitySchemes: { admin: { type: 'http', scheme: 'bearer', bearerFormat: adminTypeName } },
      schemas: { Problem: problemSchema },
      responses: {
        Problem: {
          description: 'No, and why.',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
  };
}

function operationOf(route: AdminRoute): Json {
  const { name, summary, scope, body, status, answer, versioned, media = 'application/json' } = route;
  const needed = scope === null ? 'Any admin token.' : `Needs the scope ${scope}.`;
  const isList = 'entries' in answer && 'next' in (answer.entries as object);
  return {
    operationId: name,
    summary,
    description: needed,
    parameters: parametersOf(route),
    ...(body === null ? {} : { requestBody: bodyOf(body) }),
    responses: {
      [status]: {
        description: status === 201 ? 'Made.' : 'Done.',
        ...(isList ? { headers: { Link: linkHeader } } : {}),
        ...(versioned === true ? { headers: { ETag: tagHeader } } : {}),
        content: { [media]: { schema: schemaOf(answer, 'output') } },
      },
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

const linkHeader = {
  description: 'rel="next": the next page, where there is one.',
  schema: { type: 'string' },
};

function parametersOf({ path, query, changes, once, versioned }: AdminRoute): readonly Json[] {
  const inPath = [...path.matchAll(/\{([a-z_]+)\}/g)].map(([, name]) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } };
  });
  const { properties = {}, required = [] } = schemaOf(query, 'input') as {
    properties?: Readonly<Record<string, Json>>;
    required?: readonly string[];
  };
  const inQuery = Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    description,
    schema: readAs[name] ?? schema,
  }));
  return [
    ...inPath,
    ...inQuery,
    ...(changes ? [dryRunParameter] : []),
    ...(once === null ? [] : [onceParameter]),
    ...(changes && versioned === true ? [matchParameter] : []),
  ];
}

/** A body that may be left out altogether is one that needs no key. */
function bodyOf(body: v.GenericSchema): Json {
  const schema = schemaOf(body, 'input') as { readonly required?: readonly string[] };
  const required = (schema.required ?? []).length > 0;
  return {
    required,
    content: { 'application/json': { schema: { ...schema, additionalProperties: false } } },
  };
}

function schemaOf(schema: v.GenericSchema, typeMode: 'input' | 'output'): Json {
  const { $schema: _dialect, ...json } = toJsonSchema(schema, { typeMode, errorMode: 'ignore' });
  return json;
}

const problemSchema = {
  type: 'object',
  description: 'RFC 9457.',
  required: ['type', 'title', 'status', 'detail', 'instance', 'code'],
  properties: {
    type: { const: 'about:blank' },
    title: { type: 'string' },
    status: { enum: [...new Set(problemCodes.map(statusOfProblem))].sort() },
    detail: { type: 'string' },
    instance: { type: 'string', description: 'Names this one answer.' },
    code: { enum: problemCodes },
    path: {
      type: 'string',
      description:
        'The field it is about: a key of the body (`scopes.2`, `attributes.project`; … for a key that is not told), or a parameter or header field by its name. Absent: no single one.',
    },
    given: { type: 'string', description: 'What was written, to whoever sends Prefer: given.' },
    hint: { type: 'string', description: 'What to do instead.' },
    problems: {
      type: 'array',
      description: 'Everything that is wrong with a config, of code config_refused.',
      items: schemaOf(problemView, 'output'),
    },
  },
  additionalProperties: false,
} as const;
