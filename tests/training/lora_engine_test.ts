/** Adapters in the engine: against PyTorch's numbers for PEFT's adapter, and against the full matrices that they stand for. */
import { assert, assertEquals } from "@std/assert";
import { packGroups } from "../../data/pack.ts";
import { compileLoss } from "../../losses/compile.ts";
import { dpo } from "../../losses/dpo.ts";
import { openAdapterDirectory } from "../../models/files/adapter_directory.ts";
import { openModelDirectory } from "../../models/files/directory.ts";
import { parseModelConfig } from "../../models/families/mod.ts";
import { modelParameters } from "../../models/families/mod.ts";
import { layoutAdapters } from "../../models/lora/layout.ts";
import { mergedTensors } from "../../models/lora/merge.ts";
import { adapterTensors } from "../../models/lora/peft.ts";
import type { LoraSettings } from "../../models/lora/settings.ts";
import { adapterValues, initialAdapter, uploadAdapter } from "../../models/lora/values.ts";
import { uploadDirectory, uploadWeights, weightTensors } from "../../models/weights.ts";
import type { ParameterSet } from "../../kernels/parameters.ts";
import { createEngine, type Engine, type EngineOptions } from "../../training/engine.ts";
import {
  assertAllWithin,
  assertRelative,
  assertSummary,
  fixturePath,
  readExpectation,
} from "../fixtures/fixtures.ts";
import { assertClose, randomValues, testDevice } from "../kernels/harness.ts";
import { fixturePairs } from "./fixture_engine.ts";

const device = await testDevice();
const loss = compileLoss(dpo({ beta: 0.1 }));
const shape = { rows: 96, slots: 96, sequences: 6 };
const pairs = fixturePairs(await readExpectation("lora-llama-gqa"));
const batch = packGroups(pairs, { shape });
const shares = { shape, labels: [], records: 3, stepRecords: 3, stepTokens: 1 };
const inFixtureOrder = (values: ArrayLike<number>) => [0, 2, 4, 1, 3, 5].map((i) => values[i]!);
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);
const norm = (sets: Iterable<ArrayLike<number>>) =>
  Math.sqrt([...sets].reduce((total, values) => total + sum(Array.from(values, (x) => x * x)), 0));

/** Ranks that 4 doesn't divide, one row block of a fused weight left out, the head adapted, scales that differ. */
const varied: LoraSettings = {
  rank: 3,
  alpha: 5,
  targets: ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj", "lm_head"],
  rankPattern: { "layers.1.self_attn.q_proj": 6 },
  alphaPattern: { v_proj: 2 },
  rsLora: true,
};

interface Setup {
  engine: Engine;
  parameters: ReturnType<typeof modelParameters>;
  layout: ReturnType<typeof layoutAdapters>;
}

/** An engine over the fixture's base; the adapter is left at zero. */
async function loraEngine(
  settings: LoraSettings,
  options: Partial<Omit<EngineOptions, "lora">> & Partial<EngineOptions["lora"]> & { model?: string } = {},
): Promise<Setup> {
  const { model = "llama-gqa", base = "float32", snapshots = 1, continued = false, ...rest } = options;
  using directory = await openModelDirectory(fixturePath(model));
  const config = parseModelConfig(directory.config, { name: "fixture" });
  const parameters = modelParameters(config);
  const layout = layoutAdapters(parameters, settings);
  const engine = await createEngine(device, {
    config,
    lora: { layout, base, snapshots, continued },
    loss,
    sequencesPerRecord: 2,
    reference: "frozen",
    optimizer: { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: null },
    shapes: [shape],
    maxLength: 64,
    ...rest,
  });
  await uploadDirectory(device, engine.sets.base!, { directory, parameters });
  return { engine, parameters, layout };
}

/** Fills the adapter with random numbers, so that B is not zero. */
function uploadRandom({ engine, layout }: Setup, { seed }: { seed: number }): Promise<void> {
  let tensor = seed;
  return uploadAdapter(device, engine.sets.policy, {
    layout,
    read: ({ shape: [rows, columns] }) =>
      Promise.resolve(randomValues(rows * columns, { seed: tensor++, scale: 0.2 })),
  });
}

async function readAdapter({ layout }: Setup, set: ParameterSet): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const { name, read } of adapterValues(device, set, { layout })) values.set(name, await read());
  return values;
}

/** The matrices of one of the engine's models, adapters merged. */
async function readMerged({ engine, parameters }: Setup, policy: "policy" | "reference" | "initial") {
  const adapters = engine.weights(policy).adapters!;
  const values = new Map<string, Float32Array>();
  for (
    const { name, shape, read } of await mergedTensors(device, engine.sets.base!, { parameters, adapters })
  ) {
    values.set(name, await read(0, shape.reduce((a, b) => a * b, 1)));
  }
  return values;
}

/** The same for the policy, multiplied out in float64 from the numbers of its adapter. */
async function multiplyOut(setup: Setup, base: ReadonlyMap<string, ArrayLike<number>>) {
  const merged = new Map([...base].map(([name, values]) => [name, Float64Array.from(values)]));
  const values = await readAdapter(setup, setup.engine.sets.policy);
  for (
    const { name, rank, scale, shape: [outputs, inputs] } of setup.layout.weights.flatMap(({ layers }) =>
      layers
    )
  ) {
    const [a, b] = ["A", "B"].map((matrix) => values.get(`base_model.model.${name}.lora_${matrix}.weight`)!);
    const into = merged.get(`${name}.weight`)!;
    for (let o = 0; o < outputs; o++) {
      for (let r = 0; r < rank; r++) {
        const factor = scale * b![o * rank + r]!;
        for (let i = 0; i < inputs; i++) into[o * inputs + i]! += factor * a![r * inputs + i]!;
      }
    }
  }
  return merged;
}

async function fixtureSetup(
  fixture: string,
  options: Parameters<typeof loraEngine>[1] & { model: string },
): Promise<Setup> {
  using directory = await openModelDirectory(fixturePath(options.model));
  const parameters = modelParameters(parseModelConfig(directory.config, { name: "fixture" }));
  using adapter = await openAdapterDirectory(fixturePath(fixture), { parameters });
  const setup = await loraEngine(adapter.layout.settings, options);
  await uploadAdapter(device, setup.engine.sets.policy, {
    layout: setup.layout,
    read: ({ name }) => adapter.read(name),
  });
  return setup;
}

for (const model of ["llama-gqa", "gpt_neox"]) {
  Deno.test(`lora-${model}: log-probs, loss, gradients and an AdamW step agree with PyTorch`, async () => {
    const expected = await readExpectation(`lora-${model}`);
    const setup = await fixtureSetup(`lora-${model}`, { model });
    const { engine } = setup;
    const batch = engine.pack(fixturePairs(expected), shape);
    const run = () => {
      engine.beginStep();
      return engine.accumulate(batch, shares).read();
    };
    const { policy, reference, losses } = await run();
    assertAllWithin(inFixtureOrder(policy!), expected.policy.sequence_logps, {
      tolerance: 5e-4,
      what: "policy",
    });
    assertAllWithin(inFixtureOrder(reference!), expected.reference.sequence_logps, {
      tolerance: 5e-4,
      what: "reference",
    });
    const wanted = expected.losses.dpo!;
    assertRelative(sum(losses!), wanted.value, { tolerance: 1e-4, what: "loss" });
    const gradients = await readAdapter(setup, engine.sets.gradients);
    assertEquals([...gradients.keys()].sort(), Object.keys(wanted.grads).sort());
    assertRelative(norm(gradients.values()), wanted.grad_global_norm, {
      tolerance: 1e-4,
      what: "gradient norm",
    });
    for (const [name, values] of gradients) {
      assertSummary(values, wanted.grads[name]!, { tolerance: 2e-4, what: name });
    }

    await engine.update({ learningRate: 1e-3, step: 1 }).read();
    const step = expected.adamw_step.no_clip!;
    for (const [name, values] of await readAdapter(setup, engine.sets.policy)) {
      assertSummary(values, step.params[name]!, { tolerance: 5e-5, what: name });
    }
    assertRelative(sum((await run()).losses!), step.loss_after, {
      tolerance: 2e-4,
      what: "loss after the step",
    });
  });
}

Deno.test("a base in bfloat16 computes what the same numbers in float32 do", async () => {
  const outputs = [];
  for (const base of ["float32", "bfloat16"] as const) {
    const setup = await fixtureSetup("lora-llama-gqa", { model: "llama-gqa-bf16", base });
    setup.engine.beginStep();
    const { policy, reference } = await setup.engine.accumulate(batch, shares).read();
    outputs.push({ policy, reference, gradients: await readAdapter(setup, setup.engine.sets.gradients) });
  }
  const [wide, narrow] = outputs;
  assertEquals(narrow!.policy, wide!.policy); // widening is exact, and the products are the same ones
  assertEquals(narrow!.reference, wide!.reference);
  assertEquals(narrow!.gradients, wide!.gradients);
});

/** Adapters on every family's own layers, of ranks that 4 doesn't divide. */
const projected = {
  "llama-gqa": varied,
  "gpt2": { rank: 3, alpha: 5, targets: "all-linear", rankPattern: { c_attn: 6 } }, // stored [inputs, outputs]
  "gpt_neox": { rank: 3, alpha: 5, targets: ["query_key_value", "dense_4h_to_h", "embed_out"] }, // rows woven by heads
  "qwen3": { rank: 5, alpha: 2, targets: "all-linear" },
} satisfies Record<string, LoraSettings>;
for (const [model, settings] of Object.entries(projected)) {
  Deno.test(`${model}: an adapter's gradients are those of the full matrix, projected: dB = s dW Aᵀ and dA = s Bᵀ dW`, async () => {
    const setup = await loraEngine(settings, { model });
    await uploadRandom(setup, { seed: 5 });
    const { engine, parameters, layout } = setup;
    const batch = engine.pack(pairs, shape);
    engine.beginStep();
    const adapted = await engine.accumulate(batch, shares).read();
    const gradients = await readAdapter(setup, engine.sets.gradients);
    const values = await readAdapter(setup, engine.sets.policy);

    // The same policy as full matrices, in an engine that trains these.
    const merged = await readMerged(setup, "policy");
    const full = await fullEngine(merged, { model, parameters });
    const fullOutputs = await full.accumulate(batch, shares).read();
    assertClose(adapted.policy!, fullOutputs.policy!, { tolerance: 2e-6, what: "log-probs" });
    const dense = new Map<string, Float32Array>();
    for (const { name, shape, read } of weightTensors(device, full.sets.gradients, { parameters })) {
      dense.set(name, await read(0, shape.reduce((a, b) => a * b, 1)));
    }
    for (const { layers } of layout.weights) {
      for (const { name, rank, scale, shape: [outputs, inputs] } of layers) {
        const [nameA, nameB] = ["A", "B"].map((m) => `base_model.model.${name}.lora_${m}.weight`) as [
          string,
          string,
        ];
        const [a, b] = [values.get(nameA)!, values.get(nameB)!];
        const stored = dense.get(`${name}.weight`)!;
        const isTransposed = parameters.some(({ parts, transposed }) =>
          transposed === true && parts.some((part) => part.name === `${name}.weight`)
        );
        const at = (o: number, i: number) => isTransposed ? i * outputs + o : o * inputs + i;
        const dA = new Float64Array(rank * inputs), dB = new Float64Array(outputs * rank);
        for (let o = 0; o < outputs; o++) {
          for (let r = 0; r < rank; r++) {
            for (let i = 0; i < inputs; i++) {
              dA[r * inputs + i]! += scale * b[o * rank + r]! * stored[at(o, i)]!;
              dB[o * rank + r]! += scale * stored[at(o, i)]! * a[r * inputs + i]!;
            }
          }
        }
        // Sums of float32 products in another order, through the whole backward pass.
        assertClose(gradients.get(nameA)!, dA, { tolerance: 2e-5, what: nameA });
        assertClose(gradients.get(nameB)!, dB, { tolerance: 2e-5, what: nameB });
      }
    }
  });
}

async function fullEngine(
  policy: Map<string, Float32Array>,
  { model, parameters }: { model: string; parameters: Setup["parameters"] },
): Promise<Engine> {
  using directory = await openModelDirectory(fixturePath(model));
  const engine = await createEngine(device, {
    config: parseModelConfig(directory.config, { name: "fixture" }),
    loss,
    sequencesPerRecord: 2,
    reference: "frozen",
    optimizer: { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0, maxGradNorm: null },
    shapes: [shape],
    maxLength: 64,
  });
  await uploadDirectory(device, engine.sets.reference!, { directory, parameters });
  await uploadWeights(device, engine.sets.policy, {
    parameters,
    read: (name, receive) => Promise.resolve(receive(0, policy.get(name)! as Float32Array<ArrayBuffer>)),
  });
  engine.beginStep();
  return engine;
}

Deno.test("what a rank is padded with stays zero in training", async () => {
  const setup = await loraEngine(varied);
  await uploadRandom(setup, { seed: 9 });
  const { engine, layout } = setup;
  for (let step = 1; step <= 3; step++) {
    engine.beginStep();
    engine.accumulate(batch, shares);
    await engine.update({ learningRate: 1e-2, step }).read();
  }
  // Every number of the set that is in no tensor of the file.
  const trained = adapterTensors(layout).reduce(
    (total, { shape: [rows, columns] }) => total + rows * columns,
    0,
  );
  let stored = 0, nonZero = 0;
  for (
    const { shape, read } of weightTensors(device, engine.sets.policy, {
      parameters: engine.parameters.policy,
    })
  ) {
    const values = await read(0, shape.reduce((a, b) => a * b, 1));
    stored += values.length;
    nonZero += values.filter((value) => value !== 0).length;
  }
  assert(stored > trained);
  assertEquals(nonZero, trained);
});

const softCases = [
  { alpha: 0.6, snapshots: 18 },
  { alpha: 0.1, snapshots: 50 },
  { alpha: 1, snapshots: 1 },
  { alpha: 0.6, snapshots: 3 },
];
for (const { alpha, snapshots } of softCases) {
  Deno.test(`50 updates with α ${alpha} and ${snapshots} snapshots move the reference as the full matrices would move`, async () => {
    const setup = await loraEngine(varied, { reference: "moving", snapshots });
    const { engine, layout } = setup;
    await uploadAdapter(device, engine.sets.policy, { layout, read: initialAdapter({ seed: 3 }) });
    engine.copyPolicyToReference();
    const start = await readMerged(setup, "initial");
    const wanted = new Map([...start].map(([name, values]) => [name, Float64Array.from(values)]));
    let previous: ReadonlyMap<string, ArrayLike<number>> = start, farthest = 0;
    for (let step = 1; step <= 50; step++) {
      engine.beginStep();
      engine.accumulate(batch, shares);
      await engine.update({ learningRate: 2e-3, step }).read();
      engine.moveReference(alpha);
      const policy = await multiplyOut(setup, start);
      for (const [name, values] of policy) {
        const into = wanted.get(name)!;
        values.forEach((value, i) => {
          into[i] = alpha * value + (1 - alpha) * into[i]!;
          farthest = Math.max(farthest, Math.abs(value - previous.get(name)![i]!));
        });
      }
      previous = policy;
    }
    const { lost } = engine.snapshots!;
    let moved = 0;
    for (const [name, values] of await readMerged(setup, "reference")) {
      const largest = wanted.get(name)!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      wanted.get(name)!.forEach((value, i) => {
        const error = Math.abs(values[i]! - value);
        // 2⁻²³ for each of a few roundings of the policy's and the reference's products and sums.
        const limit = 4 * 2 ** -23 * largest + lost * farthest;
        assert(
          error <= limit,
          `${name}[${i}] is ${values[i]}, wanted ${value}; off by ${error}, allowed ${limit}`,
        );
        moved = Math.max(moved, Math.abs(value - start.get(name)![i]!));
      });
    }
    assert(moved > 0.01, `the reference has moved by ${moved} only`);
    assert(snapshots === 3 ? lost > 0.05 : lost < 1e-6, `lost ${lost}`);
  });
}
