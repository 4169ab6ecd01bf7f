import { describeLoss, describeReference, isPapers } from "./settings.ts";
import { formatMeasured, formatNumber } from "./table.ts";
import { type SettingSummary, signOf } from "./summary.ts";
import type { Measured } from "./statistics.ts";

/** What the numbers say, one sentence each; nothing in it is decided beforehand. */
export function conclude(summaries: readonly SettingSummary[]): string[] {
  const isFrozen = ({ setting }: SettingSummary) => setting.reference.update === "frozen";
  const frozen = summaries.filter(isFrozen);
  const moving = summaries.filter((summary) => !isFrozen(summary));
  return [
    ...frozen.map(hump),
    tally("Gold reward at the end with a moving reference, less that with a frozen one of the same β", {
      of: moving.flatMap((summary) => named(summary, summary.endOverFrozen)),
    }),
    tally("Gold reward at the same KL with a moving reference, less that with a frozen one of the same β", {
      of: moving.flatMap((summary) =>
        summary.matched.flatMap(({ kl, overFrozen }) => named(summary, overFrozen, `at KL ${kl}`))
      ),
    }),
    tally(
      "Gold reward at the same KL with a moving reference, less that with a frozen one of the β that is best there",
      {
        of: moving.flatMap((summary) =>
          summary.matched.flatMap(({ kl, overBest }) => named(summary, overBest?.gain ?? null, `at KL ${kl}`))
        ),
      },
    ),
    ...moving.filter(({ setting }) => isPapers(setting)).map(paper),
    tally("Best gold reward with a moving reference, less that at the end", {
      of: moving.flatMap((summary) => named(summary, summary.lost)),
    }),
  ];
}

function hump({ setting, curve, best, lost }: SettingSummary): string {
  const [start, end] = [curve[0]!, curve.at(-1)!];
  const verdict = {
    above: "overoptimization, beyond the interval",
    unclear: "within the interval of no loss",
    below: "no overoptimization",
  }[signOf(lost)];
  return `${describeLoss(setting)}, frozen reference: gold reward goes from ${
    formatNumber(start.gold.value)
  } at the start to ${formatMeasured(best.gold)} at KL ${best.kl.toFixed(1)} (step ${best.step}) and ${
    formatMeasured(end.gold)
  } at KL ${end.kl.value.toFixed(1)}; ${formatMeasured(lost)} is lost: ${verdict}.`;
}

/** How a setting that the paper recommends stands. */
function paper({ setting, best, curve, endOverFrozen, matched }: SettingSummary): string {
  const end = curve.at(-1)!;
  const gains = matched.flatMap(({ kl, overFrozen }) =>
    overFrozen === null ? [] : [`${formatMeasured(overFrozen)} at KL ${kl}`]
  );
  const over = endOverFrozen === null ? [] : [`${formatMeasured(endOverFrozen)} at the end`];
  return `The paper's setting, ${describeLoss(setting)} ${describeReference(setting.reference)}: best ${
    formatMeasured(best.gold)
  } at KL ${best.kl.toFixed(1)}, end ${formatMeasured(end.gold)} at KL ${
    end.kl.value.toFixed(1)
  }; over the frozen reference ${[...gains, ...over].join(", ")}.`;
}

interface Named {
  readonly name: string;
  readonly measured: Measured;
}

function named({ setting }: SettingSummary, measured: Measured | null, where?: string): Named[] {
  if (measured === null) return [];
  const name = `${describeLoss(setting)} ${describeReference(setting.reference)}`;
  return [{ name: where === undefined ? name : `${name} ${where}`, measured }];
}

/** Counts how many numbers are above and below 0 beyond their interval, and names the extremes. */
function tally(what: string, { of }: { of: readonly Named[] }): string {
  if (of.length === 0) return `${what}: there is nothing to compare.`;
  const count = (sign: string) => of.filter(({ measured }) => signOf(measured) === sign).length;
  const sorted = of.toSorted((a, b) => b.measured.value - a.measured.value);
  const show = ({ name, measured }: Named) => `${formatMeasured(measured)} for ${name}`;
  return `${what}: above 0 in ${count("above")} of ${of.length} comparisons, below in ${
    count("below")
  }, and the interval contains 0 in ${count("unclear")}; from ${show(sorted.at(-1)!)} to ${
    show(sorted[0]!)
  }.`;
}
