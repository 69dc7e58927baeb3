/** Asks a connection that may be broken. A failed read is "cannot tell", never "there is none". */
import { StoreFault } from './fault.ts';

export type Ask = <T>(question: () => T) => T;

/** @param broken why the file must not be believed; null: it may. */
export function askWith(broken: () => string | null): Ask {
  return (question) => {
    const reason = broken();
    if (reason !== null) throw new StoreFault('store_unavailable', reason);
    try {
      return question();
    } catch (cause) {
      throw new StoreFault('store_unavailable', 'the token store could not be read', { cause });
    }
  };
}
