/** The engine: everything of a run that lives on the device, and the programs that move it one step on. */
import { type BatchShape, type PackedBatch, type PackedGroup, packGroups } from "../data/pack.ts";
import type { Device } from "../kernels/device.ts";
import { clearParameters, copyParameters } from "../kernels/parameters.ts";
import { compile, type PendingRun, type Program } from "../kernels/program.ts";
import { submitTogether } from "../kernels/submission.ts";
import type { Weights } from "../models/transformer.ts";
import type { StoredParameter } from "../models/weights.ts";
import { addSnapshot, emptySnapshots, type SnapshotStack } from "../reference/snapshots.ts";
import { createParts, type EngineMemory, planEngine } from "./engine_memory.ts";
import type { EngineOptions, EngineSets, LoraOptions, PolicyName } from "./engine_options.ts";
import { adding, buildGraphs, programName } from "./graphs.ts";
import { isMoving, policyWeights, storedParameters } from "./sets.ts";

export type { EngineMemory, EngineOptions, EngineSets, LoraOptions, PolicyName };

/** A micro-batch's part in its optimizer step: what its loss is divided by counts the whole step. */
export interface MicroBatch {
  /** One of the shapes that the engine was built with. */
  readonly shape: BatchShape;
  /** Records in the micro-batch. */
  readonly records: number;
  /** Records in the optimizer step. */
  readonly stepRecords: number;
  /** Chosen completion tokens in the optimizer step. */
  readonly stepTokens: number;
}

/** A run's state on the device and what can be done with it. */
export interface Engine {
  /** The device. */
  readonly device: Device;
  /** The parameter sets. */
  readonly sets: EngineSets;
  /** What the tensors of each set are called in files. */
  readonly parameters: Readonly<Record<keyof EngineSets, readonly StoredParameter[]>>;
  /** The shares of the snapshots that the reference consists of; null unless adapters are trained. */
  snapshots: SnapshotStack | null;
  /** What it takes. */
  readonly memory: EngineMemory;
  /** Programs by name, for profiles. */
  readonly programs: ReadonlyMap<string, Program>;
  /** Lays groups out as the model reads them. */
  pack(groups: readonly PackedGroup[], shape: BatchShape): PackedBatch;
  /** One of the models, for a forward pass elsewhere; it follows the training. */
  weights(policy: PolicyName): Weights;
  /** Makes the reference, and the initial one, copies of the policy. */
  copyPolicyToReference(): void;
  /** Makes the initial reference a copy of the reference. */
  copyReferenceToInitial(): void;
  /** Submits at once what is called within, but for micro-batches of one shape; their results can be read afterwards. */
  together<T>(calls: () => T): T;
  /** Begins a step: what the next micro-batch gives replaces the gradient and sums of the step before. */
  beginStep(): void;
  /**
   * Adds the gradient of a micro-batch, one of at most as many as the engine was built for; `labels` are the margins
   * for a loss that reads those. Outputs: `losses` [records]; `policy`, `reference` and `kl/reference` [sequences], and
   * `initial` and `kl/initial` if `measureInitial` is set and the reference moves.
   */
  accumulate(
    batch: PackedBatch,
    options: MicroBatch & { labels: ArrayLike<number>; measureInitial?: boolean },
  ): PendingRun;
  /** Adds the gradient of a micro-batch whose derivative by each summed log-prob is given. */
  accumulateSeeded(
    batch: PackedBatch,
    options: { shape: BatchShape; derivatives: ArrayLike<number> },
  ): PendingRun;
  /** Adds to the step's mismatched statistics. Outputs: `policy` and `reference` [sequences]. */
  accumulateMismatched(
    batch: PackedBatch,
    options: MicroBatch,
  ): PendingRun;
  /** One AdamW step from the accumulated gradient, the `step`-th since the moments were zero. Output: `norm` [norm, clip factor, 1 if finite, 0]. */
  update(options: { learningRate: number; step: number }): PendingRun;
  /** Sets AdamW's moments to zero. */
  resetOptimizer(): void;
  /**
   * Moves the reference: θ_ref ← α θ + (1 − α) θ_ref. An averaged one: m ← α θ + (1 − α) m, θ_ref ← m + bias (θ − θ₀), where
   * θ₀ is the initial reference.
   */
  moveReference(alpha: number, options?: { bias: number }): PendingRun;
  /**
   * Log-probs of a batch under the policy and those it is compared with. Outputs, all [sequences]: `policy`, `reference`,
   * `kl/reference`, and `initial` and `kl/initial` if the reference moves.
   */
  compare(batch: PackedBatch, options: { shape: BatchShape }): PendingRun;
  /** Log-probs of a batch under one of the policies. Outputs: `token` [slots], `sequence` [sequences]. */
  score(batch: PackedBatch, options: { policy: PolicyName; shape: BatchShape }): PendingRun;
}

/**
 * Allocates the run's state and compiles its programs. The weights are zero until they are uploaded.
 *
 * @throws If the memory needed exceeds the limit or the device; the message says how much that is.
 */
export async function createEngine(device: Device, options: EngineOptions): Promise<Engine> {
  const { loss, optimizer, lora } = options;
  const memory = await planEngine(device, options);
  const parts = await createParts(device, options);
  const { sets, mismatchedSums, packing } = parts;
  const graphs = buildGraphs(device, { ...parts, checkpointing: memory.checkpointing });
  const { checkpointing, choices } = memory;
  const compiled = await compile(device, {
    graphs: [...graphs.values()],
    ...(checkpointing === "none"
      ? { advice: `With training.checkpointing: block it would be ${choices.block} bytes.` }
      : {}),
  });
  const programs = new Map([...graphs.keys()].map((name, i) => [name, compiled[i]!]));

  const program = (name: string): Program => {
    const found = programs.get(name);
    if (found === undefined) {
      throw new Error(`The engine has no program "${name}"; it was not built for this`);
    }
    return found;
  };
  const load = (name: string, batch: PackedBatch): Program => {
    const found = program(name);
    for (const [key, values] of Object.entries(batch)) found.inputs[key]?.set(values);
    return found;
  };
  let gradientStarts = true;
  /** The program that gives a micro-batch's gradient. */
  const loadTraining = (
    kind: string,
    { batch, shape }: { batch: PackedBatch; shape: BatchShape },
  ): Program => {
    const found = load(programName(gradientStarts ? kind : adding(kind), shape), batch);
    gradientStarts = false;
    return found;
  };
  const setShares = (
    { inputs }: Program,
    { stepRecords, stepTokens, records }: MicroBatch,
  ) => {
    inputs.shares!.set([1 / stepRecords, 1 / stepTokens, records, 1 / stepRecords]);
  };

  let snapshots = lora === undefined || sets.reference === null ? null : emptySnapshots(lora.snapshots);
  const moveReference: Engine["moveReference"] = (alpha, { bias } = { bias: 0 }) => {
    const found = program("move reference");
    if (snapshots === null) {
      found.inputs.move!.set([alpha, bias, 0, 0]);
    } else {
      const { stack, slot, factors } = addSnapshot(snapshots, { alpha });
      snapshots = stack;
      found.inputs.move!.set([alpha, slot, 0, 0]);
      found.inputs.factors!.set(factors);
    }
    return found.run();
  };

  return {
    device,
    sets,
    parameters: storedParameters(options),
    get snapshots() {
      return snapshots;
    },
    set snapshots(stack) {
      snapshots = stack;
    },
    memory,
    programs,
    pack(groups, shape) {
      const pack = () => packGroups(groups, { shape, ...packing.pack });
      return device.recorder === null ? pack() : device.recorder.time("pack", pack);
    },
    weights: (name) => policyWeights(name, { sets, lora }),
    copyPolicyToReference() {
      if (lora !== undefined) {
        if (sets.reference !== null && lora.continued) moveReference(1);
      } else if (sets.reference !== null) {
        copyParameters(device, { from: sets.policy, to: sets.reference });
      }
      if (sets.initial !== null) copyParameters(device, { from: sets.policy, to: sets.initial });
      if (sets.average !== null) copyParameters(device, { from: sets.policy, to: sets.average });
    },
    copyReferenceToInitial() {
      if (sets.initial !== null) copyParameters(device, { from: sets.reference!, to: sets.initial });
      if (sets.average !== null) copyParameters(device, { from: sets.reference!, to: sets.average });
    },
    together: (calls) => submitTogether(device, calls),
    beginStep() {
      gradientStarts = true;
      if (loss?.needs.mismatched) {
        device.gpu.queue.writeBuffer(mismatchedSums.storage.buffer!, 0, new Float32Array(4));
      }
    },
    accumulate(batch, { labels, measureInitial = false, ...micro }) {
      const kind = measureInitial && isMoving(options.reference) ? "train, initial" : "train";
      const found = loadTraining(kind, { batch, shape: micro.shape });
      found.inputs.labels!.set(labels);
      setShares(found, micro);
      return found.run();
    },
    accumulateSeeded(batch, { shape, derivatives }) {
      const found = loadTraining("seeded", { batch, shape });
      found.inputs.derivatives!.set(derivatives);
      return found.run();
    },
    accumulateMismatched(batch, micro) {
      const found = load(programName("mismatched", micro.shape), batch);
      setShares(found, micro);
      return found.run();
    },
    update({ learningRate, step }) {
      const found = program("update");
      const [beta1, beta2] = optimizer.betas;
      found.inputs.step!.set([learningRate, 1 - beta1 ** step, 1 - beta2 ** step, 0]);
      return found.run();
    },
    resetOptimizer() {
      clearParameters(device, sets.first);
      clearParameters(device, sets.second);
    },
    moveReference,
    compare: (batch, { shape }) => load(programName("compare", shape), batch).run(),
    score(batch, { policy, shape }) {
      const known = policy === "initial" && !isMoving(options.reference) ? "reference" : policy;
      return load(programName(known, shape), batch).run();
    },
  };
}
