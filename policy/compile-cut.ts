/** What `body.cut` asks of its row, and of its own entries. */
import { type Compilation, errorInKey, errorInValue } from './compile-context.ts';
import type { ConfigPath } from './config-problem.ts';
import type { RowConfig } from './config-schema.ts';

/** The pointers of the members that are cut out; empty: none. None leads below another. */
export function compileCut(at: Compilation, path: ConfigPath, { body }: RowConfig): readonly string[] {
  const cut = body?.cut ?? [];
  const where = [...path, 'body', 'cut'];
  if (cut.length > 0 && body?.json !== true) {
    const hint = 'write json: true beside it; without, a body that is no JSON would go on whole';
    errorInKey(at, where, 'cut is for bodies that must be JSON', hint);
  }
  return cut.filter((pointer, index) => {
    const twice = cut.indexOf(pointer) !== index;
    const above = cut.find((other) => pointer.startsWith(`${other}/`));
    if (twice) errorInValue(at, [...where, index], `"json:${pointer}" stands twice`, 'remove one');
    else if (above !== undefined) {
      errorInValue(at, [...where, index], `"json:${pointer}" goes with "json:${above}"`, 'remove it');
    }
    return !twice && above === undefined;
  });
}
