/** An engine that holds a fixture's policy and reference, and the fixture's batch. */
import { measureGroups, type PackedBatch, type PackedGroup } from "../../data/pack.ts";
import type { CompiledLoss } from "../../losses/compile.ts";
import { openModelDirectory } from "../../models/files/directory.ts";
import { parseModelConfig } from "../../models/families/mod.ts";
import { modelParameters } from "../../models/families/mod.ts";
import { uploadWeights, weightTensors } from "../../models/weights.ts";
import type { ParameterSet } from "../../kernels/parameters.ts";
import { createEngine, type Engine, type EngineOptions } from "../../training/engine.ts";
import { type Expectation, fixturePath, readExpectation, readSafetensors } from "../fixtures/fixtures.ts";
import { testDevice } from "../kernels/harness.ts";

/** What the tests need of a fixture. */
export interface FixtureEngine {
  engine: Engine;
  expected: Expectation;
  /** The fixture's three pairs, in one batch. */
  pairs: PackedGroup[];
  /** Puts policy and reference back to the fixture's files and the moments to zero. */
  reset(): Promise<void>;
  /** A parameter set by the names of the file. */
  read(set: ParameterSet): Promise<Map<string, Float32Array>>;
}

/** Pair i is sequences i and i + 3; they share a prompt. */
export function fixturePairs({ batch }: Expectation): PackedGroup[] {
  return [0, 1, 2].map((i) => {
    const cut = batch.prompt_lengths[i]!;
    const [chosen, rejected] = [batch.sequences[i]!, batch.sequences[i + 3]!];
    return { prompt: chosen.slice(0, cut), completions: [chosen.slice(cut), rejected.slice(cut)] };
  });
}

/** One sequence a group. */
export function fixtureSingles(sequences: number[][], promptLengths: number[]): PackedGroup[] {
  return sequences.map((sequence, i) => {
    const cut = promptLengths[i]!;
    return { prompt: sequence.slice(0, cut), completions: [sequence.slice(cut)] };
  });
}

/** Builds an engine over a fixture. */
export async function fixtureEngine(
  name: string,
  options: {
    loss: CompiledLoss;
    reference?: EngineOptions["reference"];
    maxGradNorm?: number | null;
    weightDecay?: number;
    groups?: (expected: Expectation) => PackedGroup[];
    seeded?: boolean;
    checkpointing?: EngineOptions["checkpointing"];
    accumulate?: number;
  },
): Promise<
  FixtureEngine & { shape: ReturnType<typeof measureGroups>; batch: PackedBatch }
> {
  const device = await testDevice();
  const expected = await readExpectation(name);
  using directory = await openModelDirectory(fixturePath(name));
  const config = parseModelConfig(directory.config, { name });
  const parameters = modelParameters(config);
  const pairs = fixturePairs(expected);
  const groups = options.groups?.(expected) ?? pairs;
  const roundUp = (size: number) => Math.ceil(size / 32) * 32;
  const measured = measureGroups(groups);
  const shape = {
    rows: roundUp(measured.rows),
    slots: roundUp(measured.slots),
    sequences: measured.sequences,
  };
  const { mismatched } = expected.batch;
  const mismatchedGroups = fixtureSingles(mismatched.sequences, mismatched.prompt_lengths);
  const needed = measureGroups(mismatchedGroups);
  const mismatchedShape = {
    rows: roundUp(needed.rows),
    slots: roundUp(needed.slots),
    sequences: needed.sequences,
  };
  const engine = await createEngine(device, {
    config,
    loss: options.loss,
    sequencesPerRecord: options.loss.kind === "paired" ? 2 : 1,
    reference: options.reference ?? "moving",
    optimizer: {
      betas: [0.9, 0.999],
      epsilon: 1e-8,
      weightDecay: options.weightDecay ?? 0.01,
      maxGradNorm: options.maxGradNorm ?? null,
    },
    shapes: [shape],
    mismatchedShapes: [mismatchedShape],
    maxLength: 64,
    seeded: options.seeded ?? false,
    ...(options.checkpointing ? { checkpointing: options.checkpointing } : {}),
    accumulate: options.accumulate ?? 1,
  });
  const reset = async () => {
    const files = { policy: "model.safetensors", reference: "reference.safetensors" } as const;
    for (const [set, file] of Object.entries(files) as ["policy" | "reference", string][]) {
      const tensors = await readSafetensors(`${fixturePath(name)}/${file}`);
      await uploadWeights(device, engine.sets[set]!, {
        parameters,
        read: (tensor, receive) => Promise.resolve(receive(0, tensors.get(tensor)!)),
      });
    }
    const encoder = device.gpu.createCommandEncoder();
    for (const buffer of [...engine.sets.first.buffers, ...engine.sets.second.buffers]) {
      encoder.clearBuffer(buffer);
    }
    device.gpu.queue.submit([encoder.finish()]);
    engine.copyReferenceToInitial();
  };
  await reset();
  if (options.loss.needs.mismatched) {
    engine.beginStep();
    const batch = engine.pack(mismatchedGroups, mismatchedShape);
    const records = mismatchedGroups.length;
    engine.accumulateMismatched(batch, {
      shape: mismatchedShape,
      records,
      stepRecords: records,
      stepTokens: 1,
    });
  }
  return {
    engine,
    expected,
    pairs,
    shape,
    batch: engine.pack(groups, shape),
    reset,
    async read(set) {
      const tensors = weightTensors(device, set, { parameters });
      const read = async ({ name, shape, read }: (typeof tensors)[number]) =>
        [name, await read(0, shape.reduce((a, b) => a * b, 1))] as const;
      const values = new Map<string, Float32Array>();
      for (const tensor of tensors) values.set(...await read(tensor));
      return values;
    },
  };
}
