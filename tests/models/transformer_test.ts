/**
 * The transformer of every family against the fixtures: logits and log-probs that Hugging Face's code computed in float64. Tolerances are those
 * that the fixtures' authors suggest for a float32 library, of which Hugging Face's own float32 takes a tenth.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type BatchShape, measureGroups, type PackedGroup, packGroups } from "../../data/pack.ts";
import { backward, createGraph, type Graph, input, output } from "../../kernels/graph.ts";
import { linear } from "../../kernels/linear.ts";
import {
  clearParameters,
  createParameters,
  layoutParameters,
  maximumSegmentBytes,
  type ParameterSet,
} from "../../kernels/parameters.ts";
import { compile } from "../../kernels/program.ts";
import { openModelDirectory } from "../../models/files/directory.ts";
import type { ModelConfig } from "../../models/config.ts";
import { modelParameters, parseModelConfig } from "../../models/families/mod.ts";
import { attendWithin, finalNorm, outputHead, transformer } from "../../models/transformer.ts";
import { batchInputs, completionLogProbs } from "../../models/log_probs.ts";
import { rotaryTables } from "../../models/rotary_tables.ts";
import { readBuffer, uploadWeights } from "../../models/weights.ts";
import { assertAllWithin, fixturePath, readExpectation } from "../fixtures/fixtures.ts";
import { assertClose, randomValues, testDevice } from "../kernels/harness.ts";
import { withFullNames } from "../../training/load.ts";
import { packingOf } from "../../training/packing.ts";
import { fixturePairs, fixtureSingles } from "../training/fixture_engine.ts";

const device = await testDevice();

/** Fixtures, and where their expected numbers are. */
const cases = {
  "llama-gqa": "llama-gqa",
  "llama3-rope": "llama3-rope",
  "llama-gqa-bf16": "llama-gqa-bf16",
  "llama-gqa-sharded": "llama-gqa", // the same weights in two files
  "mistral": "mistral",
  "mistral-window": "mistral-window",
  "qwen2": "qwen2",
  "qwen3": "qwen3",
  "gpt2": "gpt2",
  "gpt2-hub-names": "gpt2", // as the published file names its tensors
  "gpt_neox": "gpt_neox",
  "gpt_neox-hub-buffers": "gpt_neox",
};

interface Model {
  config: ModelConfig;
  policy: ParameterSet;
  gradients: ParameterSet;
}

/** A fixture's model on the device, as a run would load it. */
async function loadModel(name: string): Promise<Model> {
  using opened = await openModelDirectory(fixturePath(name));
  const config = parseModelConfig(opened.config, { name });
  const directory = withFullNames(opened, config);
  const parameters = modelParameters(config);
  const layout = layoutParameters(parameters, { maximumBytes: maximumSegmentBytes(device) });
  const gradients = await createParameters(device, { layout, label: "gradients" });
  const policy = await createParameters(device, { layout, label: "policy", gradients });
  await uploadWeights(device, policy, {
    parameters,
    read: (tensor, receive) => directory.readChunks(tensor, { chunkElements: 1000 }, receive),
  });
  return { config, policy, gradients };
}

/** Fills a graph's inputs by name and runs it. */
async function run(graph: Graph, inputs: Readonly<Record<string, ArrayLike<number>>>) {
  const [program] = await compile(device, { graphs: [graph] });
  for (const [name, values] of Object.entries(inputs)) program!.inputs[name]?.set(values);
  return await program!.run().read();
}

/** Log-probs of a batch's completions, and the policy's gradient if the sequences' derivatives are given. */
async function logProbs(
  { config, policy, gradients }: Model,
  groups: readonly PackedGroup[],
  { sharePrompts = true, padding = 0, derivatives }: {
    sharePrompts?: boolean;
    padding?: number;
    derivatives?: ArrayLike<number>;
  } = {},
): Promise<{ token: Float32Array; sequence: Float32Array; gradient: Float32Array }> {
  const needed = measureGroups(groups, { sharePrompts });
  const shape: BatchShape = {
    rows: needed.rows + padding,
    slots: needed.slots + padding,
    sequences: needed.sequences + (padding > 0 ? 2 : 0),
  };
  const graph = createGraph(device);
  const packing = packingOf(config, { maxLength: 64 });
  const batch = batchInputs(graph, shape, packing.inputs);
  const tables = rotaryTables(device, config, { positions: 64 });
  const { token, sequence } = completionLogProbs(graph, policy.tensors, { config, batch, tables });
  if (derivatives !== undefined) {
    backward(graph, new Map([[sequence, input(graph, "derivatives", { shape: [shape.sequences] })]]));
  }
  output(graph, "token", token);
  output(graph, "sequence", sequence);
  clearParameters(device, gradients);
  const outputs = await run(graph, {
    ...packGroups(groups, { shape, sharePrompts, ...packing.pack }),
    // Sequences that are padding have no tokens, so whatever their derivative is, nothing follows from it.
    derivatives: Array.from({ length: shape.sequences }, (_, i) => derivatives?.[i] ?? 1e6),
  });
  return {
    token: outputs.token!.subarray(0, needed.slots),
    sequence: outputs.sequence!.subarray(0, needed.sequences),
    gradient: (await readBuffer(device, gradients.buffers[0]!)).slice(),
  };
}

for (const [name, expectedIn] of Object.entries(cases)) {
  Deno.test(`${name}: logits at every position agree with Hugging Face's code in float64`, async () => {
    const { batch: { sequences, logits_sequence }, policy: { logits } } = await readExpectation(expectedIn);
    const { config, policy } = await loadModel(name);
    const tokens = sequences[logits_sequence]!;
    // As the prompt of a completion of one token, which takes no row.
    const groups = [{ prompt: tokens, completions: [[0]] }];
    const shape = measureGroups(groups);
    assertEquals(shape.rows, tokens.length);
    const graph = createGraph(device);
    const packing = packingOf(config, { maxLength: 64 });
    const batch = batchInputs(graph, shape, packing.inputs);
    const hidden = transformer(graph, policy.tensors, {
      config,
      inputs: {
        tokens: batch.tokens,
        positions: batch.positions,
        rotaryTables: rotaryTables(device, config, { positions: 64 }),
      },
      attend: attendWithin(graph, config, { spans: batch.spans, windowSpans: batch.window_spans }),
    });
    const normed = finalNorm(graph, hidden, { config, weights: policy.tensors });
    output(graph, "logits", linear(graph, normed, outputHead(config, policy.tensors)));
    const outputs = await run(graph, { ...packGroups(groups, { shape, ...packing.pack }) });
    assertEquals(logits.length, tokens.length);
    assertAllWithin(outputs.logits!, logits.flat(), { tolerance: 1e-4, what: "logits" });
  });

  Deno.test(`${name}: log-probs of every completion token agree with Hugging Face's code in float64`, async () => {
    const { batch, policy: { token_logps, sequence_logps } } = await readExpectation(expectedIn);
    const groups = fixtureSingles(batch.sequences, batch.prompt_lengths);
    const { token, sequence } = await logProbs(await loadModel(name), groups);
    assertEquals(token.length, token_logps.flat().length);
    assertAllWithin(token, token_logps.flat(), { tolerance: 1e-4, what: "token log-probs" });
    assertAllWithin(sequence, sequence_logps, { tolerance: 5e-4, what: "sequence log-probs" });
  });
}

for (const name of ["llama-gqa", "llama3-rope", "mistral-window", "qwen2", "qwen3", "gpt2", "gpt_neox"]) {
  Deno.test(`${name}: completions that share a prompt have the log-probs and gradient of separate sequences`, async () => {
    const model = await loadModel(name);
    const pairs = fixturePairs(await readExpectation(name));
    const derivatives = randomValues(6, { seed: 1 });
    const shared = await logProbs(model, pairs, { derivatives });
    const separate = await logProbs(model, pairs, { sharePrompts: false, derivatives });
    const { rows } = measureGroups(pairs);
    assert(rows < measureGroups(pairs, { sharePrompts: false }).rows);
    // Sums in another order: float32 rounding of log-probs near −10, and of gradients summed over 60 rows.
    assertClose(shared.token, separate.token, { tolerance: 1e-6, what: "token log-probs" });
    assertClose(shared.gradient, separate.gradient, { tolerance: 2e-6, what: "gradient" });
    assert(shared.gradient.some((value) => Math.abs(value) > 0.1));
  });

  Deno.test(`${name}: a sequence has the same log-probs alone as among others`, async () => {
    const model = await loadModel(name);
    const { batch } = await readExpectation(name);
    const groups = fixtureSingles(batch.sequences, batch.prompt_lengths);
    const together = await logProbs(model, groups);
    let slot = 0;
    for (const group of groups) {
      const alone = await logProbs(model, [group]);
      const among = together.token.subarray(slot, slot += alone.token.length);
      assertClose(among, alone.token, { tolerance: 1e-6, what: "token log-probs" });
    }
  });

  Deno.test(`${name}: padding changes not a bit of log-probs and gradient`, async () => {
    const model = await loadModel(name);
    const pairs = fixturePairs(await readExpectation(name));
    const derivatives = randomValues(6, { seed: 2 });
    const exact = await logProbs(model, pairs, { derivatives });
    for (const padding of [1, 37]) {
      assertEquals(
        await logProbs(model, pairs, { derivatives, padding }),
        exact,
        `${padding} rows and slots`,
      );
    }
  });
}

Deno.test("transformer names the parameter that the weights lack", async () => {
  const { config, policy } = await loadModel("llama-gqa");
  const graph = createGraph(device);
  const { tokens, positions, spans } = batchInputs(graph, { rows: 4, slots: 4, sequences: 1 });
  const weights = new Map(policy.tensors);
  weights.delete("layers.1.gate_up");
  assertThrows(
    () =>
      transformer(graph, weights, {
        config,
        inputs: { tokens, positions, rotaryTables: rotaryTables(device, config, { positions: 8 }) },
        attend: attendWithin(graph, config, { spans }),
      }),
    Error,
    'transformer: the weights have no parameter "layers.1.gate_up"',
  );
});
