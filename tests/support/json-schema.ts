/** As much of JSON Schema 2020-12 as the OpenAPI document says; a keyword beside it is an error, so nothing is passed over. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const says = new Set(['title', 'description', 'examples', 'default']);

/** What is wrong, each with its place; empty: it is what the schema says. @param root where `$ref` looks. */
export function schemaFlaws(
  schema: JsonSchema,
  value: unknown,
  root: JsonSchema,
  at = '$',
): readonly string[] {
  return Object.entries(schema).flatMap(([keyword, rule]) => {
    if (says.has(keyword)) return [];
    const check = checks[keyword];
    if (check === undefined) return [`${at}: the check does not know ${keyword}`];
    return check(rule as never, value, { schema, root, at });
  });
}

type Place = { readonly schema: JsonSchema; readonly root: JsonSchema; readonly at: string };
type Check = (rule: never, value: unknown, place: Place) => readonly string[];

const flaw = (isRight: boolean, at: string, words: string) => (isRight ? [] : [`${at}: ${words}`]);
const isObject = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function isOf(type: string, value: unknown): boolean {
  return type === 'integer' ? Number.isInteger(value) : typeOf(value) === type;
}

const checks: Readonly<Record<string, Check>> = {
  $ref: (rule: string, value, { root, at }) => {
    const found = rule
      .replace(/^#\//, '')
      .split('/')
      .reduce<unknown>((node, key) => (node as JsonSchema)[key], root);
    return schemaFlaws(found as JsonSchema, value, root, at);
  },
  type: (rule: string, value, { at }) => flaw(isOf(rule, value), at, `is ${typeOf(value)}, not ${rule}`),
  const: (rule: unknown, value, { at }) => flaw(rule === value, at, `is not ${JSON.stringify(rule)}`),
  enum: (rule: readonly unknown[], value, { at }) => flaw(rule.includes(value), at, 'is none of the values'),
  anyOf: (rule: readonly JsonSchema[], value, { root, at }) => {
    const all = rule.map((one) => schemaFlaws(one, value, root, at));
    return all.some(({ length }) => length === 0)
      ? []
      : [`${at}: is none of these: ${all.flat().join('; ')}`];
  },
  format: (rule: string, value, { at }) => {
    if (rule !== 'date-time') return [`${at}: the check does not know the format ${rule}`];
    return flaw(!Number.isNaN(Date.parse(String(value))), at, 'is no time');
  },
  required: (rule: readonly string[], value, { at }) =>
    rule.filter((key) => isObject(value) && !Object.hasOwn(value, key)).map((key) => `${at}: lacks ${key}`),
  properties: (rule: Readonly<Record<string, JsonSchema>>, value, { root, at }) =>
    Object.entries(rule).flatMap(([key, schema]) =>
      isObject(value) && Object.hasOwn(value, key)
        ? schemaFlaws(schema, value[key], root, `${at}.${key}`)
        : [],
    ),
  propertyNames: (rule: JsonSchema, value, { root, at }) =>
    isObject(value) ? Object.keys(value).flatMap((key) => schemaFlaws(rule, key, root, `${at}.${key}`)) : [],
  additionalProperties: (rule: false | JsonSchema, value, { schema, root, at }) => {
    const known = Object.keys((schema.properties ?? {}) as object);
    const others = isObject(value) ? Object.keys(value).filter((key) => !known.includes(key)) : [];
    if (rule === false) return others.map((key) => `${at}: has ${key}, which nobody declared`);
    return others.flatMap((key) => schemaFlaws(rule, (value as JsonSchema)[key], root, `${at}.${key}`));
  },
  items: (rule: JsonSchema, value, { root, at }) =>
    Array.isArray(value) ? value.flatMap((one, i) => schemaFlaws(rule, one, root, `${at}[${i}]`)) : [],
  minimum: (rule: number, value, { at }) =>
    flaw(typeof value !== 'number' || value >= rule, at, 'is too small'),
  maximum: (rule: number, value, { at }) =>
    flaw(typeof value !== 'number' || value <= rule, at, 'is too large'),
  minItems: (rule: number, value, { at }) =>
    flaw(!Array.isArray(value) || value.length >= rule, at, 'is too short'),
};
