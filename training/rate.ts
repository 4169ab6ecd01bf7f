/** Tokens a second, as a run is shown them. */

/** Steps that a rate is averaged over: results of several steps can arrive at once. */
const RATE_WINDOW = 8;

/** Measures tokens a second over the last few steps. */
export interface Rate {
  /** The rate, given the tokens of one more step. */
  add(tokens: number): number;
  /** Starts anew after a pause, which doesn't count. */
  restart(): void;
}

/** A rate that starts now. */
export function createRate(): Rate {
  let times = [performance.now()];
  let counts: number[] = [];
  return {
    add(tokens) {
      times.push(performance.now());
      counts.push(tokens);
      if (counts.length > RATE_WINDOW) {
        times.shift();
        counts.shift();
      }
      const seconds = (times.at(-1)! - times[0]!) / 1000;
      return counts.reduce((sum, count) => sum + count, 0) / seconds;
    },
    restart() {
      times = [performance.now()];
      counts = [];
    },
  };
}
