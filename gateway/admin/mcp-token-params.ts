/** The attributes of a token type as parameters of its tools. */
import * as v from 'valibot';
import { attributesOfPairs, type Checked, checkAttributes, complain } from '../../policy/token-input.ts';
import type { AttributeRule, AttributeValue, TokenRecord, TokenType } from '../../policy/token-types.ts';
import { camel, text, texts } from './mcp-tool.ts';

export type Attributes = ReadonlyMap<string, AttributeValue>;

/** Parameters that every type's tools may have. */
const taken = [
  'label',
  'scopes',
  'allowedOrigins',
  'expiresInSeconds',
  'limit',
  'after',
  'tokenId',
  'overlapSeconds',
  'retireWhenQuiet',
  'reason',
  'dryRun',
];

export type TypeParams = {
  /** Said by the operator for all calls. */
  readonly own: Attributes;
  /** Which tokens are meant: the required attributes, with the rule of each, by parameter. */
  readonly whose: Readonly<Record<string, v.GenericSchema>>;
  /** The same, with those that a token may lack. */
  readonly all: Readonly<Record<string, v.GenericSchema>>;
  /** What was said, by attribute, the operator's own among it. */
  readonly read: (named: Readonly<Record<string, unknown>>) => Checked<Attributes>;
};

/** @param own `name=value` of the operator; what the type has no attribute for is left out. */
export function paramsOf(type: TokenType, own: readonly string[]): Checked<TypeParams> {
  const pairs = own.filter((pair) => type.attributes.has(pair.slice(0, pair.indexOf('='))));
  const said = attributesOfPairs(type, pairs);
  if (!said.ok) return said;
  const asked = [...type.attributes].filter(
    ([name]) => !said.value.has(name) && name !== type.csrf?.attribute,
  );
  const names = new Map(asked.map(([name]) => [paramName(name, asked), name]));
  const entries = (isOf: (rule: AttributeRule) => boolean) =>
    Object.fromEntries(
      [...names].flatMap(([param, name]) => {
        const rule = type.attributes.get(name);
        return rule === undefined || !isOf(rule) ? [] : [[param, schemaOf(name, rule)]];
      }),
    );
  return {
    ok: true,
    value: {
      own: said.value,
      whose: entries(({ required }) => required),
      all: entries(() => true),
      read: (named) => {
        const given = [...names].flatMap(([param, name]) => {
          const value = named[param] as AttributeValue | undefined;
          return value === undefined ? [] : [[name, value] as const];
        });
        return checkAttributes(type, new Map([...said.value, ...given]));
      },
    },
  };
}

function schemaOf(name: string, { required, list }: AttributeRule): v.GenericSchema {
  const what = `the attribute ${name} of its tokens`;
  const many = v.pipe(texts(`${what}, one or several`), v.minLength(1));
  const schema = list ? many : text(what);
  return required ? schema : v.optional(schema);
}

/** Its own name in the spelling of parameters, unless another parameter has it, or every object. */
function paramName(name: string, all: readonly (readonly [string, AttributeRule])[]): string {
  const param = camel(name);
  const isAlone = all.filter(([other]) => camel(other) === param).length === 1;
  const isFree = isAlone && !taken.includes(param) && !(param in {}) && /^[A-Za-z][A-Za-z0-9]*$/.test(param);
  return isFree ? param : `attribute_${name}`;
}

/** @returns a complaint where an attribute of the operator's is one of no type. */
export function checkOwn(types: ReadonlyMap<string, TokenType>, own: readonly string[]): Checked<null> {
  for (const pair of own) {
    const name = pair.slice(0, Math.max(0, pair.indexOf('=')));
    const having = [...types.values()].filter(({ attributes }) => attributes.has(name));
    if (having.length === 0) return complain('no token type has the attribute', name, 'write name=value');
    for (const type of having) {
      const params = paramsOf(type, own);
      if (!params.ok) return params;
    }
  }
  return { ok: true, value: null };
}

/** Whether a token has all of these; of a list, each value that is named. */
export function belongsTo({ attributes }: TokenRecord, wanted: Attributes): boolean {
  return [...wanted].every(([name, value]) => {
    const held = attributes.get(name);
    if (held === undefined) return false;
    if (typeof value === 'string' && typeof held === 'string') return held === value;
    return [value].flat().every((one) => [held].flat().includes(one));
  });
}

/** As words of the command line. */
export function attributeWords(attributes: Attributes): readonly string[] {
  return [...attributes].flatMap(([name, value]) =>
    [value].flat().flatMap((one) => ['--attribute', `${name}=${one}`]),
  );
}
