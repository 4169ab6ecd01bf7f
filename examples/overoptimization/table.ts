import type { PageTable } from "@tr/align/evaluation";
import { describeLoss } from "./settings.ts";
import type { Measured } from "./statistics.ts";
import { MATCHED_KL, referenceName, type SettingSummary } from "./summary.ts";

/** A number with its interval: `0.41 [0.30, 0.52]`. */
export function formatMeasured({ value, interval: [low, high] }: Measured): string {
  return `${formatNumber(value)} [${formatNumber(low)}, ${formatNumber(high)}]`;
}

/** Gold reward: the best, at the same KL, and at the end. */
export function goldTable(summaries: readonly SettingSummary[]): PageTable {
  return {
    title: "Gold reward",
    reading: "With 95 % intervals; a dash where not every seed gets that far from the start.",
    columns: [
      "loss, reference",
      "best",
      "at KL",
      ...MATCHED_KL.map((kl) => `at KL ${kl}`),
      "at the end",
      "KL at the end",
      "best − end",
    ],
    rows: summaries.map((summary) => [
      nameOf(summary),
      formatMeasured(summary.best.gold),
      summary.best.kl.toFixed(1),
      ...summary.matched.map(({ gold }) => optional(gold)),
      formatMeasured(summary.curve.at(-1)!.gold),
      summary.curve.at(-1)!.kl.value.toFixed(1),
      formatMeasured(summary.lost),
    ]),
  };
}

/** By how much moving references are better than frozen ones. */
export function gainTable(summaries: readonly SettingSummary[]): PageTable {
  const moving = summaries.filter(({ setting }) => setting.reference.update !== "frozen");
  return {
    title: "Gold reward of moving references, less that of a frozen one",
    reading:
      "The same pairs, orders and seeds on both sides. “Best β” is the frozen reference whose β gives most " +
      "at that KL, which was chosen on the same numbers, in its favour.",
    columns: [
      "loss, reference",
      ...MATCHED_KL.flatMap((kl) => [`KL ${kl}, same β`, `KL ${kl}, best β`]),
      "at the end, same β",
    ],
    rows: moving.map((summary) => [
      nameOf(summary),
      ...summary.matched.flatMap(({ overFrozen, overBest }) => [
        optional(overFrozen),
        overBest === null ? "–" : `${formatMeasured(overBest.gain)} (β ${overBest.beta})`,
      ]),
      optional(summary.endOverFrozen),
    ]),
  };
}

/** What replies are like at the end. */
export function endTable(summaries: readonly SettingSummary[]): PageTable {
  return {
    title: "Replies at the end",
    reading: "Sentences are a reply's; accuracy is that of the training pairs against the initial reference.",
    columns: [
      "loss, reference",
      "tokens",
      "garbled sentences",
      "repeated sentences",
      "distinct-2",
      "self-BLEU",
      "accuracy",
      "updates",
    ],
    rows: summaries.map((summary) => {
      const { length, garbled, repeated, distinct2, selfBleu, accuracy, updates } = summary.end;
      return [
        nameOf(summary),
        length.toFixed(1),
        garbled.toFixed(2),
        repeated.toFixed(2),
        distinct2.toFixed(3),
        selfBleu.toFixed(2),
        accuracy.toFixed(2),
        updates.toFixed(Number.isInteger(updates) ? 0 : 1),
      ];
    }),
  };
}

/** A table in Markdown. */
export function markdownTable({ columns, rows }: PageTable): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(columns), line(columns.map((_, i) => i === 0 ? "---" : "---:")), ...rows.map(line)].join("\n");
}

function nameOf(summary: SettingSummary): string {
  return `${describeLoss(summary.setting)}, ${referenceName(summary)}`;
}

function optional(measured: Measured | null): string {
  return measured === null ? "–" : formatMeasured(measured);
}

/** Two digits, with a true minus, and no minus before zero. */
export function formatNumber(value: number): string {
  const text = Math.abs(value).toFixed(2);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}
