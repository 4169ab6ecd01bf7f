/** A case's model on the device, ready to be trained step by step as a run of `training/` does. */
import { chooseShapes } from "../data/buckets.ts";
import { type BatchShape, measureGroups, type PackedBatch, packGroups } from "../data/pack.ts";
import type { Device } from "../kernels/device.ts";
import { compileLoss } from "../losses/compile.ts";
import { dpo } from "../losses/dpo.ts";
import { sft } from "../losses/sft.ts";
import { simpo } from "../losses/simpo.ts";
import { modelParameters } from "../models/families/mod.ts";
import { layoutAdapters } from "../models/lora/layout.ts";
import type { LoraSettings } from "../models/lora/settings.ts";
import { initialAdapter, uploadAdapter } from "../models/lora/values.ts";
import { modelTensors } from "../models/tensors.ts";
import { uploadWeights } from "../models/weights.ts";
import { createEngine, type Engine, type EngineOptions } from "../training/engine.ts";
import { chosenTokens, type TrainingExample } from "../training/records.ts";
import { beta, casePairs, caseValues, optimizer, type StepCase } from "./cases.ts";
import { watchDevice } from "./device_calls.ts";

/** How a case is trained. */
export interface CaseVariant {
  /** What DPO compares with; without a reference the loss is SimPO's if prompts are shared, and else SFT's. */
  readonly reference: EngineOptions["reference"];
  /** Whether a pair's prompt is computed once. SFT records hold one completion, so there it changes nothing. */
  readonly sharePrompts: boolean;
  /** Adapters to train instead of the weights, and how many snapshots a moving reference consists of. */
  readonly lora?: { readonly settings: LoraSettings; readonly snapshots: number };
  /** α of the moving reference's updates. */
  readonly alpha?: number;
  /** Whether the backward pass computes activations again; default not. */
  readonly checkpointing?: EngineOptions["checkpointing"];
}

/** A case ready to run. */
export interface CaseRun {
  /** State and programs. */
  readonly engine: Engine;
  /** What the batch is padded to. */
  readonly shape: BatchShape;
  /**
   * Submits an optimizer step at once; resolves to its loss when the device has computed it. A moving reference is moved
   * after it unless `move` is false.
   */
  step(options?: { move?: boolean }): Promise<number>;
  /** Submits `count` steps without waiting in between; resolves to milliseconds a step once all are done. */
  time(count: number, options?: { move?: boolean }): Promise<number>;
  /** Milliseconds a step that JavaScript packs, encodes and submits, of `count` steps; what `mapAsync` blocks isn't counted. */
  timeHost(count: number): Promise<number>;
}

/** α of soft updates, after every step: the most that a moving reference can cost. */
export const SOFT_ALPHA = 0.5;
/** A timed sample takes about this long, so that the fixed cost of waiting for the device is spread thin. */
export const SAMPLE_MILLISECONDS = 600;

/** Builds a case's programs and uploads its weights. */
export async function prepareCase(
  device: Device,
  stepCase: StepCase,
  { reference, sharePrompts, lora, alpha = SOFT_ALPHA, checkpointing = "none" }: CaseVariant,
): Promise<CaseRun> {
  const { config, learningRate, promptTokens, completionTokens } = stepCase;
  const hasReference = reference !== "none";
  const takesPairs = hasReference || sharePrompts;
  const loss = compileLoss(hasReference ? dpo({ beta }) : takesPairs ? simpo({ beta: 2, gamma: 1 }) : sft());
  const pairs = casePairs(stepCase);
  const examples = takesPairs ? pairs : pairs.flatMap(splitPair);
  const [shape] = chooseShapes([measureGroups(examples, { sharePrompts })]);
  const batch = packGroups(examples, { sharePrompts, shape: shape! });
  const layout = lora === undefined ? undefined : layoutAdapters(modelParameters(config), lora.settings);
  const adapters = {
    layout: layout!,
    base: "float32",
    snapshots: lora?.snapshots ?? 1,
    continued: false,
  } as const;
  const engine = await createEngine(device, {
    config,
    ...(layout === undefined ? {} : { lora: adapters }),
    loss,
    sequencesPerRecord: takesPairs ? 2 : 1,
    reference,
    optimizer: { ...optimizer, maxGradNorm: null },
    shapes: [shape!],
    maxLength: promptTokens + completionTokens,
    checkpointing,
  });
  await uploadCase(engine, stepCase);
  if (layout !== undefined) {
    await uploadAdapter(device, engine.sets.policy, { layout, read: initialAdapter({ seed: 0 }) });
  }

  const records = examples.length;
  const micro = { shape: shape!, records, stepRecords: records, stepTokens: chosenTokens(examples) };
  const labels = examples.map(({ label }) => label);
  let steps = 0;
  const submit = (packed: PackedBatch, { move = true } = {}) =>
    engine.together(() => {
      engine.beginStep();
      const run = engine.accumulate(packed, { ...micro, labels });
      const update = engine.update({ learningRate, step: ++steps });
      if (reference === "moving" && move) engine.moveReference(alpha);
      return { run, update };
    });
  const step = async (options?: { move?: boolean }) => {
    const { run, update } = submit(batch, options);
    const [{ losses }] = await Promise.all([run.read(), update.read()]);
    return losses!.subarray(0, records).reduce((sum, value) => sum + value, 0);
  };
  return {
    engine,
    shape: shape!,
    step,
    async time(count, options) {
      const start = performance.now();
      await Promise.all(Array.from({ length: count }, () => step(options)));
      return (performance.now() - start) / count;
    },
    async timeHost(count) {
      let busy = 0;
      for (let i = 0; i < count; i++) {
        const { counts, stop } = watchDevice();
        const start = performance.now();
        const { run, update } = submit(packGroups(examples, { sharePrompts, shape: shape! }));
        busy += performance.now() - start - counts.mapMilliseconds;
        stop();
        await Promise.all([run.read(), update.read()]);
      }
      return busy / count;
    },
  };
}

/** A pair's completions as two records to imitate. */
function splitPair({ completions, ...rest }: TrainingExample): TrainingExample[] {
  return completions.map((completion) => ({ ...rest, completions: [completion] }));
}

/** Puts a case's weights into an engine: the policy's, and the reference's if there is one. */
export async function uploadCase({ device, sets }: Engine, { config }: StepCase): Promise<void> {
  const parameters = modelParameters(config);
  const names = sets.base === null ? ["policy", "reference", "initial"] as const : ["base"] as const;
  for (const name of names) {
    const set = sets[name];
    if (set === null) continue;
    const policy = name === "policy" || name === "base" ? "policy" : "reference";
    const tensors = new Map(
      modelTensors(config).map((tensor, stream) => [tensor.name, { ...tensor, stream }]),
    );
    await uploadWeights(device, set, {
      parameters,
      read(name, receive) {
        const { stream, ...tensor } = tensors.get(name)!;
        receive(0, caseValues(tensor, { policy, stream }));
        return Promise.resolve();
      },
    });
  }
}
