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
import { planPrograms } from "../kernels/program.ts";
import { externalTensor } from "../kernels/tensor.ts";
import { compileLoss } from "../losses/compile.ts";
import { modelParameters, parseModelConfig } from "../models/families/mod.ts";
import { updateAlphas } from "../reference/forecast.ts";
import { lossOf } from "../training/config.ts";
import type { EngineMemory } from "../training/engine.ts";
import type { EngineOptions } from "../training/engine_options.ts";
import { buildGraphs } from "../training/graphs.ts";
import { planLora } from "../training/lora.ts";
import { packingOf } from "../training/packing.ts";
import { strategyOf } from "../training/reference_settings.ts";
import { createSets } from "../training/sets.ts";
import { ARCHITECTURES } from "./architectures.ts";

/** The most bytes that a binding takes on usual GPUs. */
const BINDING_BYTES = 2 ** 31 - 16;

/** A device that only remembers sizes, with the choices that kernels make for a GPU. */
const device = {
  gpu: {
    limits: { maxStorageBufferBindingSize: BINDING_BYTES, maxBufferSize: BINDING_BYTES },
    createBuffer: ({ size }: { size: number }) => ({ size }),
    queue: { writeBuffer() {} },
    pushErrorScope() {},
    popErrorScope: () => Promise.resolve(null),
  },
  description: "a plan",
  software: false,
  subgroupSize: 32,
  halfPrecision: false,
  subgroupPreamble: "",
  counters: { buffers: 0, bindGroups: 0, pipelines: 0, submits: 0, readbacks: 0 },
  pipelines: new Map(),
} as unknown as Device;

if (import.meta.main) {
  const { file, overrides } = parseFlags(Deno.args, { command: "train", switches: [] });
  if (file === null) throw new Error("usage: deno run -A bench/run_memory.ts CONFIG.yaml [--key value]…");
  console.log(await planRun(await loadConfig("train", { file, overrides })));
}

/** Plans the memory of a run whose model is one of {@linkcode ARCHITECTURES}. */
async function planRun(run: Awaited<ReturnType<typeof loadConfig<"train">>>): Promise<string> {
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
  };
  const { sets, temporaries, transfers } = await planEngine(options);
  const bytes = Object.entries(sets);
  const total = bytes.reduce((sum, [, size]) => sum + size, temporaries + transfers);
  const parts = [...bytes, ["activations", temporaries] as const, ["transfers", transfers] as const];
  return `${name}: ${formatBytes(total)}: ${
    parts.map(([part, size]) => `${part} ${formatBytes(size)}`).join(", ")
  }`;
}

/** What an engine would take, in bytes, without making one. */
export async function planEngine(options: EngineOptions): Promise<Omit<EngineMemory, "total">> {
  const sets = await createSets(device, options);
  const mismatchedSums = externalTensor(device.gpu.createBuffer({ size: 16, usage: 0 }), { shape: [4] });
  const graphs = buildGraphs(device, {
    options,
    sets,
    mismatchedSums,
    packing: packingOf(options.config, options),
  });
  const { temporaries, transfers } = planPrograms([...graphs.values()]);
  const bytes = Object.entries(sets).flatMap(([name, set]) =>
    set === null ? [] : [[name, set.bytes as number]]
  );
  return { sets: Object.fromEntries(bytes), temporaries, transfers };
}
