/** A pin store in memory, as small as one can be that keeps its promise in one process. */
import type { PinKey, PinRecord, PinStore } from '../../store/pin-store.ts';

export type MemoryPins = Pick<PinStore, 'read' | 'pinFirst'> & {
  /** Values by `pin subject`. */
  readonly values: () => Readonly<Record<string, string>>;
  readonly forget: () => void;
};

/** Answers asynchronously, as a database in another place would, so that first uses meet each other. */
export function memoryPins(given: Readonly<Record<string, string>> = {}): MemoryPins {
  const records = new Map<string, PinRecord>();
  const keep = (pin: string, subject: string, value: string, pinnedBy: string): PinRecord => {
    const record = { pin, subject, value, pinnedAt: 0, pinnedBy, version: 1 };
    records.set(`${pin} ${subject}`, record);
    return record;
  };
  for (const [key, value] of Object.entries(given)) {
    const [pin = '', ...subject] = key.split(' ');
    keep(pin, subject.join(' '), value, 'test');
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    read: async ({ pin, subject }: PinKey) => {
      await turn();
      return records.get(`${pin} ${subject}`) ?? null;
    },
    pinFirst: async ({ pin, subject }: PinKey, value: string, by: string) => {
      await turn();
      const held = records.get(`${pin} ${subject}`);
      return held === undefined
        ? { pin: keep(pin, subject, value, by), isFirst: true }
        : { pin: held, isFirst: false };
    },
    values: () => Object.fromEntries([...records].map(([key, { value }]) => [key, value])),
    forget: () => records.clear(),
  };
}
