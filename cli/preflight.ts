/** What a run prints about itself before it starts. */
import { describeExample } from "../data/inspect.ts";
import { mixtureCounts } from "../data/mixture.ts";
import { sizeOf } from "../kernels/tensor.ts";
import { countTrained } from "../models/lora/layout.ts";
import type { PreparedRun } from "../training/prepare.ts";
import { toSnakeKeys } from "./config/case.ts";
import { formatBytes, formatCount } from "./format.ts";

/**
 * Describes a prepared run: model, memory, records, reference updates, warnings, and one record as the model sees it.
 *
 * @param options.color Whether to colour the record's parts with ANSI escapes.
 */
export function describeRun(run: PreparedRun, { color }: { color: boolean }): string {
  const { config, model, parameters, engine, records, heldOut, plan } = run;
  const { training } = config;
  const count = parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const { memory } = engine;
  const sets = Object.entries(memory.sets).map(([name, bytes]) => `${name} ${formatBytes(bytes)}`).join(", ");
  const facts: [string, string][] = [
    ["device", describeDevice(engine.device)],
    [
      "model",
      `${config.model.path}: ${model.config.family}, ${
        formatCount(count)
      } parameters, vocabulary ${model.config.vocabularySize}`,
    ],
    ...(run.lora === null ? [] : [["adapters", describeAdapters(run.lora)] as [string, string]]),
    ["loss", describeLoss(run)],
    [
      "memory",
      `${formatBytes(memory.total)}: ${sets}, ${describeActivations(run)}, ` +
      `transfers ${formatBytes(memory.transfers)}`,
    ],
    ["records", describeRecords(records)],
    ...(heldOut === null ? [] : [["held out", describeRecords(heldOut)] as [string, string]]),
    [
      "steps",
      `${training.steps} of ${training.batchSize * training.accumulate} records` +
      (training.accumulate > 1 ? ` (${training.accumulate} micro-batches of ${training.batchSize})` : "") +
      `, ${
        (training.steps * training.batchSize * training.accumulate / epochRecords(records)).toFixed(2)
      } epochs`,
    ],
    ["shapes", plan.shapes.map(({ rows, slots }) => `${rows} rows, ${slots} completion tokens`).join("; ")],
    ...(run.hasReference ? [["reference", describeReference(run)] as [string, string]] : []),
  ];
  const width = Math.max(...facts.map(([label]) => label.length));
  const warnings = run.warnings.map((warning) => `warning: ${warning}`);
  return [
    ...facts.map(([label, text]) =>
      `${label.padEnd(width)}  ${text.replaceAll("\n", `\n${" ".repeat(width + 2)}`)}`
    ),
    ...warnings,
    "",
    "One record as the model sees it:",
    describeExample(records.tokenized.at(0)!, model.tokenizer, { color }),
    "",
  ].join("\n");
}

function describeDevice({ description, tuning }: PreparedRun["engine"]["device"]): string {
  return tuning.size === 0 ? description : `${description}; kernels as measured for ${tuning.size} products`;
}

/** What activations take, and what they would take otherwise. */
function describeActivations({ engine: { memory }, config }: PreparedRun): string {
  const { checkpointing, choices } = memory;
  const [none, block] = [formatBytes(choices.none), formatBytes(choices.block)];
  if (checkpointing === "none") return `activations ${none} (${block} with training.checkpointing: block)`;
  const reason = config.training.checkpointing === "block" ? "" : ", chosen to fit training.memory_limit";
  return `activations ${block} with training.checkpointing: block${reason} (${none} without)`;
}

function describeAdapters(
  { options: { layout, base, snapshots } }: NonNullable<PreparedRun["lora"]>,
): string {
  const layers = layout.weights.flatMap(({ layers }) => layers);
  const names = [...new Set(layers.map(({ name }) => name.split(".").at(-1)!))].join(", ");
  const ranks = [...new Set(layers.map(({ rank }) => rank))].join(", ");
  return `${
    formatCount(countTrained(layout))
  } parameters trained, rank ${ranks}, on ${names}; base in ${base}` +
    (snapshots > 1 ? `; the reference is kept as ${snapshots} snapshots` : "");
}

function describeLoss({ loss, config }: PreparedRun): string {
  if (typeof loss === "function") return "a function of your own, computed on the host";
  const settings = config.loss?.map(({ weight: _, type, ...options }) =>
    [type, ...Object.entries(toSnakeKeys(options) as object).map(([key, value]) => `${key} ${value}`)].join(
      " ",
    )
  );
  return settings?.join(" + ") ?? loss.name;
}

/** How many records a pass over the data takes. */
function epochRecords({ examples, mixture }: PreparedRun["records"]): number {
  if (mixture === null) return examples.length;
  return mixtureCounts(mixture).reduce((sum, count) => sum + count, 0);
}

function describeRecords({ examples, dropped, truncated, mixture }: PreparedRun["records"]): string {
  const cut = truncated.prompt + truncated.completion > 0
    ? `; cut to length: ${truncated.prompt} prompts, ${truncated.completion} completions`
    : "";
  const drawn = mixture === null ? "" : `; drawn in every epoch: ${mixtureCounts(mixture).join(" + ")}`;
  return `${examples.length} kept${drawn}${cut}${dropped === "" ? "" : `\n${dropped}`}`;
}

function describeReference({ strategy, referenceForecast, config }: PreparedRun): string {
  const { name, ...parameters } = strategy.description;
  const settings = Object.entries(parameters).map(([key, value]) => `${key} ${value}`).join(", ");
  const start = config.reference?.path ? `, starting from ${config.reference.path}` : "";
  return `${name}${settings === "" ? "" : ` (${settings})`}${start}: ${referenceForecast}`;
}
