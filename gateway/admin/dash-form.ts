/** What a browser sends from a form: bounded, urlencoded, nothing else. */
import { readBounded } from './http-input.ts';
import { Refused } from './http-problem.ts';

/** @throws Refused */
export async function readForm(request: Request): Promise<URLSearchParams> {
  const bytes = await readBounded(request);
  const type = request.headers.get('content-type') ?? '';
  const isForm = /^application\/x-www-form-urlencoded[ \t]*(;[ \t]*charset[ \t]*=[ \t]*"?utf-8"?[ \t]*)?$/i;
  if (bytes.length > 0 && (!isForm.test(type) || request.headers.has('content-encoding'))) {
    throw new Refused({ code: 'body_encoding', detail: 'The body must be a form.' });
  }
  try {
    const form = new URLSearchParams(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if ([...form.values()].some((value) => value.includes('\0'))) throw new Error('NUL');
    return form;
  } catch {
    throw new Refused({ code: 'body_malformed', detail: 'The body is not a form in UTF-8.' });
  }
}

/** One a line, or with commas between. */
export function listOf(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((one) => one !== '');
}

/** One a line, as it stands. */
export function linesOf(text: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
