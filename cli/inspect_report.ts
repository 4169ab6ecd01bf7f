/** What `inspect` says of a file of records, for people and for machines. */
import { describeExample } from "../data/inspect.ts";
import { recommendKtoWeights } from "../data/kto_weights.ts";
import type { LengthSummary, RecordStatistics } from "../data/statistics.ts";
import { describeDropped } from "../data/tally.ts";
import type { TokenizedRecord } from "../data/token_store.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import type { LoadedFile } from "../training/load_records.ts";
import { formatCount } from "./format.ts";
import { drawBars } from "./histogram.ts";

/** A file and what is known of it. */
export interface InspectedFile extends LoadedFile {
  /** What its records are like; null if none is left. */
  readonly statistics: RecordStatistics | null;
  /** Records to show. */
  readonly shown: readonly TokenizedRecord[];
}

/** What the settings of a run change about the report. */
export interface ReportOptions {
  /** The tokenizer. */
  readonly tokenizer: Tokenizer;
  /** Whether invalid records would stop the run. */
  readonly stops: boolean;
  /** KTO's weights, where the run has that loss. */
  readonly weights: { desirableWeight: number; undesirableWeight: number } | null;
}

const KINDS = { paired: "pairs", unpaired: "labelled completions", sft: "demonstrations" } as const;

/** Describes a file in lines of text. */
export function describeFile(file: InspectedFile, options: ReportOptions & { color: boolean }): string {
  const { statistics, shown, dropped, problems, truncated } = file;
  const { tokenizer, color, stops } = options;
  const lines = [`${file.file}: ${file.count} ${KINDS[file.kind]}`];
  const drops = describeDropped(dropped);
  lines.push(...(drops === "" ? ["nothing dropped"] : drops.split("\n")));
  for (const problem of problems) lines.push(`  ${problem}`);
  if (problems.length > 0 && stops) {
    lines.push("  A run would stop at the first of these: data.invalid is error");
  }
  if (truncated.prompt + truncated.completion > 0) {
    lines.push(`cut to length: ${truncated.prompt} prompts, ${truncated.completion} completions`);
  }
  if (statistics === null) return lines.join("\n");

  lines.push(...describeStatistics(statistics, options), "");
  for (const record of shown) lines.push(describeExample(record, tokenizer, { color }), "");
  return lines.join("\n");
}

function describeStatistics(statistics: RecordStatistics, { tokenizer, weights }: ReportOptions): string[] {
  const { tokens, special, duplicates, labels, lengths } = statistics;
  const lines = [
    `tokens: ${formatCount(tokens.all)}, of which ${formatCount(tokens.completions)} are trained on`,
  ];
  const counts = (entries: { [name: string]: number }) =>
    Object.entries(entries).map(([name, count]) => `${name}: ${count}`).join(", ");
  if (special.bos) {
    lines.push(
      `BOS (${tokenizer.tokenText(tokenizer.bosId!)}) at the front of prompts, times: ${counts(special.bos)}`,
    );
  } else {
    lines.push("BOS: the tokenizer has none");
  }
  lines.push(`end of completions: ${counts(special.end)}`);
  if (special.eosInside > 0) lines.push(`EOS inside of completions, before their end: ${special.eosInside}`);
  lines.push(
    `duplicates: ${duplicates.records} ${duplicates.records === 1 ? "record" : "records"}` +
      (duplicates.records === 0 ? "" : ` (${describeLines(duplicates)})`) +
      `, ${duplicates.prompts} prompts` +
      (duplicates.contradictions === 0
        ? ""
        : `; ${duplicates.contradictions} pairs that prefer the opposite of another`),
  );
  if (labels) lines.push(...describeLabels(labels, weights));
  for (const [part, summary] of Object.entries(lengths)) lines.push("", ...describeLengths(part, summary));
  return lines;
}

function describeLines({ records, lines }: { records: number; lines: readonly number[] }): string {
  return `${records === 1 ? "line" : "lines"} ${lines.join(", ")}${records > lines.length ? ", …" : ""}`;
}

function describeLabels(
  labels: { desirable: number; undesirable: number },
  weights: ReportOptions["weights"],
): string[] {
  const { desirable, undesirable } = labels;
  const balance = `labels: ${desirable} desirable, ${undesirable} undesirable`;
  const advice = recommendKtoWeights(labels, weights ?? {});
  if (advice === null) return [`${balance}; KTO needs both`];
  const range = ([least, most]: [number, number]) => `${least.toPrecision(3)} to ${most.toPrecision(3)}`;
  const set = weights === null ? "weights of 1" : "the weights set";
  if (advice.isBalanced) return [`${balance}; balanced for KTO with ${set}`];
  // The rarer class is the one to raise.
  const [name, other, best] = desirable < undesirable
    ? ["desirable_weight", "undesirable_weight", advice.desirable]
    : ["undesirable_weight", "desirable_weight", advice.undesirable];
  return [
    `${balance}; with ${set}, KTO's λ_D n_D / (λ_U n_U) is ${
      advice.ratio.toPrecision(3)
    }; recommended is 1 to 4/3: ` +
    `${name} ${range(best)} with ${other} 1`,
  ];
}

function describeLengths(part: string, summary: LengthSummary): string[] {
  const { mean, median, p90, p99, longest, histogram } = summary;
  const title = part === "whole" ? "prompt and longest completion" : part;
  return [
    `${title}: tokens before cutting: mean ${
      mean.toFixed(1)
    }, median ${median}, 90 % ≤ ${p90}, 99 % ≤ ${p99}, longest ` +
    `${longest}`,
    ...drawBars(histogram.map(({ from, to, count }) => ({ label: `${from}–${to - 1}`, count }))),
  ];
}

/** The same as an object for JSON. */
export function fileObject(file: InspectedFile, { tokenizer, weights }: ReportOptions): unknown {
  const { file: name, kind, count, dropped, problems, truncated, statistics, shown } = file;
  return {
    file: name,
    kind: KINDS[kind],
    records: count,
    dropped,
    problems,
    truncated,
    ...(statistics === null ? {} : { statistics }),
    ...(statistics?.labels ? { kto_weights: recommendKtoWeights(statistics.labels, weights ?? {}) } : {}),
    shown: shown.map((record) => {
      const { line, cut } = record;
      const part = (ids: Int32Array) => ({ text: tokenizer.decode(ids), ids: [...ids] });
      return {
        line,
        prompt: part(record.prompt),
        ...("chosen" in record
          ? { chosen: part(record.chosen), rejected: part(record.rejected) }
          : { completion: part(record.completion) }),
        ...("label" in record ? { label: record.label } : {}),
        ...(cut ? { cut } : {}),
      };
    }),
  };
}
