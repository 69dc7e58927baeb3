/** Looks, at once and then every minute, whether a rotated token can go that was asked to go once it is quiet. */
import type { Policy } from '../../policy/types.ts';
import { StoreFault } from '../../store/fault.ts';
import type { Retirement } from '../../store/retirement-store.ts';
import { type RetireRooms, retireQuiet } from './operations-retire.ts';

export type RetirerOptions = Omit<RetireRooms, 'policy'> & {
  /** The policy in force now. */
  readonly policy: () => Policy;
  /** Told of each that has ended. */
  readonly onRetired: (retirement: Retirement) => void;
  /** For what should never be thrown. */
  readonly bug: (error: unknown) => void;
  readonly everyMs?: number;
};

export interface Retirer {
  /** Never throws: a store that cannot tell is asked again at the next turn. */
  look(): Promise<void>;
  /** Stops the timer, and waits for what is under way. */
  close(): Promise<void>;
}

const everyMsDefault = 60_000;

export function createRetirer(options: RetirerOptions): Retirer {
  const { tokens, policy, now, onRetired, bug, everyMs = everyMsDefault } = options;
  let running: Promise<void> | null = null;
  const lookOnce = async (): Promise<void> => {
    try {
      await retireQuiet({ tokens, policy: policy(), now }, onRetired);
    } catch (error) {
      if (!(error instanceof StoreFault)) bug(error);
    }
  };
  const look = (): Promise<void> => {
    running ??= lookOnce().finally(() => {
      running = null;
    });
    return running;
  };
  const timer = setInterval(() => void look(), everyMs).unref();
  void look();
  const close = async (): Promise<void> => {
    clearInterval(timer);
    await running;
  };
  return { look, close };
}
