/** Reads the bodies of `errors` once, at load: every `{field}` known, every brace paired, every mistake with its place. */
import type { ConfigPath } from './config-problem.ts';
import { inKey, inValue, type ProblemList, suggest } from './config-problem.ts';
import { type ErrorField, errorFields, type Template } from './error-style.ts';

/** Characters of JSON. Bounds what a refusal can cost. */
const bodyLengthMax = 4096;

type Reading = {
  readonly errors: ProblemList['errors'];
  /** Whether what is read stands in the item of a repeat. */
  readonly inItem: boolean;
  /** How often the body repeats so far. */
  readonly repeats: { count: number };
};

/** Reports into `errors`; what it returns is to be used only where nothing was reported. */
export function readBody(body: unknown, path: ConfigPath, errors: ProblemList['errors']): Template {
  if (typeof body !== 'string' && (typeof body !== 'object' || body === null)) {
    errors.push(inValue(path, 'a body is a map, a list or a text', 'write body: { message: "{detail}" }'));
    return nothing;
  }
  const { length } = JSON.stringify(body);
  if (length > bodyLengthMax) {
    const message = `the body is ${length} characters of JSON, more than ${bodyLengthMax}`;
    errors.push(inValue(path, message, 'shorten it; it goes out with every refusal'));
    return nothing;
  }
  return readValue(body, path, { errors, inItem: false, repeats: { count: 0 } });
}

const nothing: Template = { kind: 'fixed', value: null };

function readValue(value: unknown, path: ConfigPath, at: Reading): Template {
  if (typeof value === 'string') return readText(value, path, at);
  if (Array.isArray(value)) return readList(value, path, at);
  if (typeof value === 'object' && value !== null) return readMap(value, path, at);
  if (value === null || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) {
    return { kind: 'fixed', value };
  }
  at.errors.push(inValue(path, 'JSON cannot hold this value', 'write a text, a number, true, false or null'));
  return nothing;
}

function readList(list: readonly unknown[], path: ConfigPath, at: Reading): Template {
  const items = list.map((item, index) => {
    const read = readValue(item, [...path, index], at);
    if (read.kind === 'repeat') {
      const hint = 'write it in place of the list, without the brackets around it';
      at.errors.push(inValue([...path, index], 'a repeat is a list already', hint));
    }
    return read;
  });
  const values = items.flatMap((item) => (item.kind === 'fixed' ? [item.value] : []));
  return values.length === items.length ? { kind: 'fixed', value: values } : { kind: 'list', items };
}

function readMap(map: object, path: ConfigPath, at: Reading): Template {
  if (Object.hasOwn(map, 'repeat')) return readRepeat(map, path, at);
  const members = Object.entries(map).map(([name, value]) => {
    if (/[{}]/.test(name)) {
      const hint = 'fields are filled in values only; write the name as it goes out';
      at.errors.push(inKey([...path, name], `the name "${name}" has a brace`, hint));
    }
    return [name, readValue(value, [...path, name], at)] as const;
  });
  const values = members.flatMap(([name, read]) =>
    read.kind === 'fixed' ? [[name, read.value] as const] : [],
  );
  return values.length === members.length
    ? { kind: 'fixed', value: Object.fromEntries(values) }
    : { kind: 'map', members };
}

function readRepeat(map: object, path: ConfigPath, at: Reading): Template {
  const { repeat, item, ...others } = map as { repeat: unknown; item?: unknown };
  const hint = 'write { repeat: batch, item: { index: "{index}" } }';
  if (repeat !== 'batch' || item === undefined || Object.keys(others).length > 0) {
    at.errors.push(inValue(path, 'a repeat has repeat: batch and item, and nothing else', hint));
    return nothing;
  }
  at.repeats.count += 1;
  if (at.repeats.count > 1) {
    const message = at.inItem ? 'a repeat stands inside a repeat' : 'the body repeats twice';
    at.errors.push(inValue(path, message, 'keep one repeat; a request has one batch'));
  }
  return { kind: 'repeat', item: readValue(item, [...path, 'item'], { ...at, inItem: true }) };
}

/** `{{` and `}}` stand for single braces, `{field}` for a field. */
function readText(text: string, path: ConfigPath, at: Reading): Template {
  const parts: (string | { field: ErrorField })[] = [];
  let plain = '';
  for (const [piece, name] of text.matchAll(/\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+/g)) {
    if (name !== undefined) {
      const field = readField(name, path, at);
      if (field === null) return nothing;
      if (plain !== '') parts.push(plain);
      plain = '';
      parts.push({ field });
    } else if (piece === '{' || piece === '}') {
      const hint = 'write {field}, or {{ and }} for braces that go out';
      at.errors.push(inValue(path, `"${text}" has a brace without its partner`, hint));
      return nothing;
    } else plain += piece === '{{' || piece === '}}' ? piece.slice(1) : piece;
  }
  if (plain !== '') parts.push(plain);
  const [first] = parts;
  if (first === undefined) return { kind: 'fixed', value: '' };
  if (parts.length > 1) return { kind: 'text', parts };
  return typeof first === 'string' ? { kind: 'fixed', value: first } : { kind: 'field', field: first.field };
}

function readField(name: string, path: ConfigPath, at: Reading): ErrorField | null {
  const field = errorFields.find((known) => known === name);
  if (field === undefined) {
    const hint = suggest(name, errorFields, '');
    at.errors.push(inValue(path, `"{${name}}" is no field of a refusal`, hint));
    return null;
  }
  if (field === 'index' && !at.inItem) {
    const hint = 'write it under item: of { repeat: batch, item: … }';
    at.errors.push(inValue(path, '"{index}" stands outside a repeat', hint));
    return null;
  }
  return field;
}
