import { mean } from "@tr/align/evaluation";
import type { ExperimentEvent } from "./carry_out.ts";
import { noiseRate } from "./preferences.ts";
import { describeLoss, describeReference } from "./settings.ts";

/** Steps of supervised fine-tuning between two lines. */
const LINE_EVERY = 100;

/** A listener that prints what the experiment does, with the time that is left. */
export function createProgress(
  { runs, print = console.log }: { runs: number; print?: (line: string) => void },
): (event: ExperimentEvent) => void {
  let done = 0, made = 0, first = performance.now();
  const left = (ready: number, all: number) => {
    const seconds = (performance.now() - first) / 1000 / ready * (all - ready);
    return seconds < 90 ? `${Math.round(seconds)} s left` : `${Math.round(seconds / 60)} min left`;
  };
  return (event) => {
    switch (event.type) {
      case "supervised":
        if (event.step % LINE_EVERY !== 0) return;
        print(
          `supervised fine-tuning ${event.step}/${event.steps}, loss ${event.loss.toFixed(3)}, ` +
            left(event.step, event.steps),
        );
        return;
      case "pairs": {
        const pairs = event.preferences.flat();
        print(
          `${event.preferences.length} sets of ${
            Math.round(pairs.length / event.preferences.length)
          } pairs; ` +
            `in ${
              (100 * noiseRate(pairs)).toFixed(0)
            } % of those with a better reply the worse one was preferred`,
        );
        first = performance.now();
        return;
      }
      case "run": {
        done++;
        if (event.wasThere) return;
        made++;
        const { setting, seed, checkpoints } = event.result;
        const gold = checkpoints.map(({ gold }) => mean(gold).toFixed(2)).join(" ");
        print(
          `${done}/${runs} ${describeLoss(setting)}, ${
            describeReference(setting.reference)
          }, seed ${seed}: ` +
            `gold ${gold}; KL ${mean(checkpoints.at(-1)!.kl).toFixed(1)}; ${left(made, made + runs - done)}`,
        );
      }
    }
  };
}
