/** Watching how a loop waits for the results of an engine's runs. */
import type { PendingRun } from "../kernels/program.ts";
import type { Engine } from "../training/engine.ts";

/** Waits since the numbers were last set to zero. */
export interface Waits {
  /** Time during which at least one result was awaited. */
  milliseconds: number;
  /** Results awaited before anything of a later step was submitted: the device runs dry there. */
  critical: number;
}

/** The engine with its reads watched. */
export function watchReads(engine: Engine): { engine: Engine; waits: Waits } {
  const waits: Waits = { milliseconds: 0, critical: 0 };
  let step = 0, waiting = 0, since = 0;
  const watch = ({ read }: PendingRun): PendingRun => {
    const own = step;
    return {
      async read() {
        if (own === step) waits.critical++;
        if (waiting++ === 0) since = performance.now();
        try {
          return await read();
        } finally {
          if (--waiting === 0) waits.milliseconds += performance.now() - since;
        }
      },
    };
  };
  return {
    waits,
    engine: {
      ...engine,
      beginStep() {
        step++;
        engine.beginStep();
      },
      accumulate: (...args) => watch(engine.accumulate(...args)),
      update: (...args) => watch(engine.update(...args)),
      score: (...args) => watch(engine.score(...args)),
    },
  };
}
