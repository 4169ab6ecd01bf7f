/** How fast requests may follow each other. */

/** The time, as it passes or as a test has it pass. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Waits. */
  sleep(milliseconds: number): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: Date.now,
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

/** Lets requests begin one after another, not too fast. */
export interface Pace {
  /** Waits until the next request may begin. */
  turn(): Promise<void>;
  /** Lets no request begin for a while. */
  pause(milliseconds: number): void;
}

/**
 * Spaces requests evenly.
 *
 * @param options.perMinute Requests that may begin in a minute; null for no limit.
 */
export function createPace(
  { perMinute, clock = systemClock }: { perMinute: number | null; clock?: Clock },
): Pace {
  const spacing = perMinute === null ? 0 : 60_000 / perMinute;
  let next = 0;
  let begun = -Infinity;
  let pausedUntil = 0;
  let pauses = 0;
  return {
    async turn() {
      while (true) {
        const known = pauses;
        const start = Math.max(clock.now(), next);
        next = start + spacing;
        if (start > clock.now()) await clock.sleep(start - clock.now());
        if (known === pauses) {
          begun = start;
          return;
        }
        // A pause has undone the queue: line up again behind it.
      }
    },
    pause(milliseconds) {
      pausedUntil = Math.max(pausedUntil, clock.now() + milliseconds);
      next = Math.max(pausedUntil, begun + spacing);
      pauses++;
    },
  };
}

/**
 * Does work on items, a few at a time; after a failure no more is begun.
 *
 * @throws The first failure, once what was under way has ended.
 */
export async function eachOf<T>(
  items: readonly T[],
  { concurrency, work }: { concurrency: number; work: (item: T, index: number) => Promise<void> },
): Promise<void> {
  let next = 0;
  const failures: unknown[] = [];
  const worker = async () => {
    while (next < items.length && failures.length === 0) {
      const index = next++;
      try {
        await work(items[index]!, index);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
}
