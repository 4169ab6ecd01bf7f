/**
 * Device memory of whole runs, by the plan that a run makes before it starts; no GPU and no weights are needed:
 *
 *     deno run -A bench/run_memory.ts examples/ultrafeedback.yaml [--model.path owner/name] [--key value]…
 *
 * Batches are taken to be as long as the configuration allows, prompt and completions in equal parts.
 */
import { loadConfig } from "../cli/config.ts";
import { parseFlags } from "../cli/flags.ts";
import { formatBytes } from "../cli/format.ts";
import { measureGroups, type PackedGroup } from "../data/pack.ts";
import type { Device } from "../kernels/device.ts";
import { compileLoss } from "../losses/compile.ts";
import { modelParameters, parseModelConfig } from "../models/families/mod.ts";
import { updateAlphas } from "../reference/forecast.ts";
import { lossOf } from "../training/config.ts";
import { planEngine } from "../training/engine_memory.ts";
import type { EngineOptions } from "../training/engine_options.ts";
import { planLora } from "../training/lora.ts";
import { strategyOf } from "../training/reference_settings.ts";
import { ARCHITECTURES } from "./architectures.ts";

/** The most bytes that a binding takes on usual GPUs. */
const BINDING_BYTES = 2 ** 31 - 16;

/** What kernels choose by, of a usual GPU. */
const gpu = {
  gpu: {
    limits: {
      maxStorageBufferBindingSize: BINDING_BYTES,
      maxBufferSize: BINDING_BYTES,
      maxComputeWorkgroupStorageSize: 32 * 1024,
      maxComputeInvocationsPerWorkgroup: 1024,
      maxComputeWorkgroupSizeX: 1024,
    },
    features: new Set(),
  },
  description: "a GPU",
  software: false,
  subgroupSize: 32,
  halfPrecision: false,
  subgroupPreamble: "",
  tuning: new Map(),
} as unknown as Device;

if (import.meta.main) {
  const { file, overrides } = parseFlags(Deno.args, { command: "train", switches: [] });
  if (file === null) throw new Error("usage: deno run -A bench/run_memory.ts CONFIG.yaml [--key value]…");
  console.log(await planRun(await loadConfig("train", { file, overrides })));
}

/** Plans the memory of a run whose model is one of {@linkcode ARCHITECTURES}. */
export async function planRun(run: Awaited<ReturnType<typeof loadConfig<"train">>>): Promise<string> {
  const name = run.model.path.replace(/^hf:\/\//, "");
  const json = ARCHITECTURES[name];
  if (json === undefined) {
    throw new Error(`${name}: known architectures are ${Object.keys(ARCHITECTURES).join(", ")}`);
  }
  const config = parseModelConfig(json, { name });
  const { training, data, reference } = run;
  const loss = compileLoss(lossOf(run));
  const strategy = strategyOf(run);
  const perRecord = loss.kind === "paired" ? 2 : 1;
  const half = data.maxLength / 2;
  const group: PackedGroup = {
    prompt: new Int32Array(half),
    completions: Array.from({ length: perRecord }, () => new Int32Array(half)),
  };
  const shape = measureGroups(Array<PackedGroup>(training.batchSize).fill(group));
  const lora = run.model.lora == null ? undefined : await planLora(run.model.lora, {
    parameters: modelParameters(config),
    alphas: loss.needs.reference ? updateAlphas(strategy, { totalSteps: training.steps }) : [],
  });
  const options: EngineOptions = {
    config,
    ...(lora ? { lora: lora.options } : {}),
    loss,
    sequencesPerRecord: perRecord,
    reference: !loss.needs.reference ? "none" : reference?.update === "frozen" ? "frozen" : "moving",
    optimizer: { ...training, betas: training.adamBetas, epsilon: training.adamEpsilon },
    shapes: [shape],
    maxLength: data.maxLength,
    accumulate: training.accumulate,
    checkpointing: training.checkpointing ?? "auto",
    ...(training.memoryLimit === null ? {} : { memoryLimit: training.memoryLimit }),
  };
  const { sets, temporaries, transfers, total, checkpointing, choices } = await planEngine(gpu, options);
  const parts = [
    ...Object.entries(sets),
    ["activations", temporaries] as const,
    ["transfers", transfers] as const,
  ];
  const other = checkpointing === "none" ? "block" : "none";
  return `${name}: ${formatBytes(total)}: ${
    parts.map(([part, size]) => `${part} ${formatBytes(size)}`).join(", ")
  } (activations ${formatBytes(choices[other])} with checkpointing: ${other})`;
}
