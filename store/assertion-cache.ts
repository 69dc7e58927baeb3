/** Remembers what was signed, for as long as it may be handed out again. In this process alone. */
import { LRUCache } from 'lru-cache';

/** A signed text, and until when (Unix ms) it may be used again. `fromMs`: a clock before it was set back. */
export type Signed = { readonly text: string; readonly fromMs: number; readonly untilMs: number };

/** The key is everything that was signed but the time. */
export type AssertionCache = {
  get(key: string): Signed | undefined;
  set(key: string, signed: Signed): void;
};

const entriesMax = 10_000;
const charactersMax = 16 * 1024 * 1024;

/** Bounded by entries and by memory; the least recently used go first. */
export function createAssertionCache(max = entriesMax): AssertionCache {
  return new LRUCache<string, Signed>({
    max,
    maxSize: charactersMax,
    sizeCalculation: ({ text }, key) => text.length + key.length,
  });
}
