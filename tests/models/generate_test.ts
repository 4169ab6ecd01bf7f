import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { readTokenizer } from "../../data/read_tokenizer.ts";
import type { Device } from "../../kernels/device.ts";
import { createGraph, input, output } from "../../kernels/graph.ts";
import { linear } from "../../kernels/linear.ts";
import { createParameters, layoutParameters, maximumSegmentBytes } from "../../kernels/parameters.ts";
import { compile } from "../../kernels/program.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import type { GenerationOptions } from "../../models/continue_prompts.ts";
import { createDecoder } from "../../models/decoder.ts";
import { openModelDirectory } from "../../models/files/directory.ts";
import type { ModelConfig } from "../../models/config.ts";
import { modelParameters, parseModelConfig } from "../../models/families/mod.ts";
import { createGenerator, generate } from "../../models/generate.ts";
import { attendWithin, finalNorm, outputHead, transformer, type Weights } from "../../models/transformer.ts";
import { philoxUniform } from "../../models/philox.ts";
import { rotaryTables } from "../../models/rotary_tables.ts";
import { uploadWeights } from "../../models/weights.ts";
import { assertAllWithin, fixturePath, readExpectation } from "../fixtures/fixtures.ts";
import { testDevice } from "../kernels/harness.ts";

interface Model {
  device: Device;
  config: ModelConfig;
  weights: Weights;
}

/** The model of a directory, on the device. */
async function loadModel(path: string): Promise<Model> {
  const device = await testDevice();
  using directory = await openModelDirectory(path);
  const config = parseModelConfig(directory.config, { name: path });
  const parameters = modelParameters(config);
  const layout = layoutParameters(parameters, { maximumBytes: maximumSegmentBytes(device) });
  const set = await createParameters(device, { layout, label: "policy" });
  await uploadWeights(device, set, {
    parameters,
    read: async (name, receive) => receive(0, await directory.read(name)),
  });
  return { device, config, weights: set };
}

const GQA = fixturePath("llama-gqa");
const ROPE = fixturePath("llama3-rope");

/** Prompts of different lengths, 1 to 9, whose tokens are those of the fixture. */
const PROMPTS = [[1, 17, 40], [5], [1, 2, 3, 4, 5, 6, 7, 8, 9], [96, 0], [30, 31, 30, 31, 30], [5, 77]];
const SIZES = { maxSequences: 4, maxLength: 24, prefillRows: 7 };

/** A function that computes all logits of a sequence at once, with the attention of training. */
async function fullForward({ device, config, weights }: Model, { rows }: { rows: number }) {
  const graph = createGraph(device);
  const list = (name: string, shape = [rows]) => input(graph, name, { shape, dtype: "u32" });
  const spans = list("spans", [rows, 4]);
  const hidden = transformer(graph, weights, {
    config,
    inputs: {
      tokens: list("tokens"),
      positions: list("positions"),
      rotaryTables: rotaryTables(device, config, { positions: rows }),
    },
    attend: attendWithin(graph, config, { spans }),
  });
  const normed = finalNorm(graph, hidden, { config, weights });
  output(graph, "logits", linear(graph, normed, outputHead(config, weights)));
  const [program] = await compile(device, { graphs: [graph] });
  program!.inputs.positions!.set(Array.from({ length: rows }, (_, i) => i));
  program!.inputs.spans!.set(Array.from({ length: rows }, () => [0, rows, rows, rows]).flat());
  return async (tokens: readonly number[]): Promise<Float32Array> => {
    program!.inputs.tokens!.fill(0);
    program!.inputs.tokens!.set(tokens);
    const { logits } = await program!.run().read();
    return logits!.subarray(
      (tokens.length - 1) * config.vocabularySize,
      tokens.length * config.vocabularySize,
    );
  };
}

const logSoftmax = (logits: Float32Array, token: number) =>
  logits[token]! - Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));

const FAMILIES = ["llama-gqa", "qwen2", "qwen3", "mistral-window", "gpt2", "gpt_neox"];
for (const name of FAMILIES) {
  Deno.test(`${name}: a decoder's logits are those that PyTorch computed in float64, position by position`, async () => {
    const { device, config, weights } = await loadModel(fixturePath(name));
    const { batch, policy } = await readExpectation(name);
    const sequence = batch.sequences[batch.logits_sequence]!;
    const decoder = await createDecoder(device, {
      config,
      weights,
      maxSequences: 3,
      maxLength: 32,
      prefillRows: 2,
    });
    for (const cut of [0, 1, 4]) {
      decoder.prefill([{ sequence: 1, tokens: sequence.slice(0, cut) }]);
      for (const [position, expected] of policy.logits.entries()) {
        if (position < cut) continue;
        const logits = await decoder.step([undefined, { token: sequence[position]!, position }]);
        const row = logits.subarray(config.vocabularySize, 2 * config.vocabularySize);
        assertAllWithin(row, expected, {
          tolerance: 1e-4, // what the fixtures' authors suggest for a float32 library
          what: `logits at ${position} after a prefill of ${cut}`,
        });
      }
    }
  });
}

for (const [name, path] of Object.entries({ "grouped queries": GQA, "Llama 3's rotary scaling": ROPE })) {
  Deno.test(`generate at temperature 0 equals the argmax of whole forward passes: ${name}`, async () => {
    const model = await loadModel(path);
    const forward = await fullForward(model, { rows: 24 });
    const generator = await createGenerator(model.device, { ...model, ...SIZES });
    const { tokens, stopped, logProbs } = await generator.generate({
      prompts: PROMPTS,
      maxTokens: 9,
      temperature: 0,
      logProbs: true,
    });
    assertEquals(stopped, PROMPTS.map(() => "length"));
    for (const [i, prompt] of PROMPTS.entries()) {
      assertEquals(tokens[i]!.length, 9);
      const sequence = [...prompt];
      for (const [k, token] of tokens[i]!.entries()) {
        const logits = await forward(sequence);
        assertEquals(token, logits.indexOf(Math.max(...logits)), `token ${k} of prompt ${i}`);
        const off = Math.abs(logProbs![i]![k]! - logSoftmax(logits, token));
        assert(off < 1e-5, `log-prob ${k} of prompt ${i} is off by ${off}`);
        sequence.push(token);
      }
    }
  });
}

/** A generator over the fixture, and what all prompts give with some options. */
async function fixtureGenerator() {
  const model = await loadModel(GQA);
  const generator = await createGenerator(model.device, { ...model, ...SIZES });
  const draw = (options: Partial<GenerationOptions> = {}) =>
    generator.generate({ prompts: PROMPTS, maxTokens: 9, ...options });
  return { model, generator, draw };
}

Deno.test("generate gives each prompt the same tokens alone as among others, greedy and sampled", async () => {
  const { draw } = await fixtureGenerator();
  for (
    const options of [{ temperature: 0 }, { temperature: 1.5, seed: 3 }, {
      temperature: 2,
      topK: 20,
      topP: 0.9,
    }]
  ) {
    const together = await draw({ ...options, logProbs: true });
    for (const [i, prompt] of PROMPTS.entries()) {
      const alone = await draw({ ...options, logProbs: true, prompts: [prompt], streams: [i] });
      assertEquals(alone.tokens[0], together.tokens[i], `prompt ${i} with ${JSON.stringify(options)}`);
      assertEquals(alone.logProbs![0], together.logProbs![i], "to the last bit");
    }
    const order = [4, 0, 5, 2, 1, 3];
    const shuffled = await draw({ ...options, prompts: order.map((i) => PROMPTS[i]!), streams: order });
    assertEquals(shuffled.tokens, order.map((i) => together.tokens[i]!));
  }
});

Deno.test("generate repeats with a seed, and differs with seed and stream", async () => {
  const { draw } = await fixtureGenerator();
  const once = await draw({ seed: 1 });
  assertEquals(await draw({ seed: 1 }), once);
  assertNotEquals((await draw({ seed: 2 })).tokens, once.tokens);
  const same = await draw({ prompts: [[1], [1], [1]], streams: [0, 1, 0] });
  assertEquals(same.tokens[0], same.tokens[2]);
  assertNotEquals(same.tokens[0], same.tokens[1]);
});

Deno.test("generate draws token k of a prompt with number k of its stream", async () => {
  const { draw } = await fixtureGenerator();
  // So hot that all 97 tokens are equally likely; no number drawn lies as close to a border as they still differ.
  const { tokens } = await draw({ temperature: 1e9, seed: 8, streams: [0, 1, 2, 3, 4, 900] });
  const expected = [0, 1, 2, 3, 4, 900].map((stream) =>
    Array.from({ length: 9 }, (_, step) => Math.floor(philoxUniform({ seed: 8, stream, step }) * 97))
  );
  assertEquals(tokens, expected);
});

Deno.test("generate samples the model's distribution", async () => {
  const { model, draw } = await fixtureGenerator();
  const forward = await fullForward(model, { rows: 8 });
  const prompts = Array.from({ length: 400 }, () => PROMPTS[0]!);
  const { tokens } = await draw({ prompts, maxTokens: 1, seed: 11, temperature: 0.5, topK: 5 });
  const logits = await forward(PROMPTS[0]!);
  const best = [...logits.keys()].toSorted((a, b) => logits[b]! - logits[a]!).slice(0, 5);
  const weights = best.map((token) => Math.exp(2 * logits[token]!));
  const total = weights.reduce((a, b) => a + b);
  const chiSquare = best.reduce((sum, token, i) => {
    const expected = prompts.length * weights[i]! / total;
    return sum + (tokens.filter(([first]) => first === token).length - expected) ** 2 / expected;
  }, 0);
  assert(tokens.every(([first]) => best.includes(first!)));
  // Four degrees of freedom, where 18.5 is exceeded once in a thousand.
  assert(chiSquare < 18.5, `χ² is ${chiSquare}`);
});

Deno.test("generate ends at a stop token, which it doesn't return, and goes on with the others", async () => {
  const { draw } = await fixtureGenerator();
  const whole = await draw({ seed: 4 });
  const stop = whole.tokens[2]![4]!;
  const told: number[][] = PROMPTS.map(() => []);
  const { tokens, stopped, logProbs } = await draw({
    seed: 4,
    stopTokens: [stop],
    logProbs: true,
    onToken: ({ prompt, token }) => told[prompt]!.push(token),
  });
  for (const [i, all] of whole.tokens.entries()) {
    const end = all.indexOf(stop);
    assertEquals(tokens[i], end === -1 ? all : all.slice(0, end));
    assertEquals(stopped[i], end === -1 ? "length" : "stop");
    assertEquals(logProbs![i]!.length, tokens[i]!.length);
  }
  assertEquals(told, tokens);
  assert(stopped.includes("stop") && stopped.includes("length"));
});

Deno.test("generate ends where the generator's length does, having used all of it", async () => {
  const { draw } = await fixtureGenerator();
  const { tokens, stopped } = await draw({ maxTokens: 100, temperature: 0 });
  assertEquals(tokens.map(({ length }) => length), PROMPTS.map(({ length }) => 24 - length));
  assertEquals(new Set(stopped), new Set(["length"]));
  const longest = await draw({ prompts: [Array(23).fill(3)], maxTokens: 100, temperature: 0 });
  assertEquals(longest.tokens[0]!.length, 1);
});

Deno.test("generate reports progress after each step", async () => {
  const { draw } = await fixtureGenerator();
  const reports: unknown[] = [];
  await draw({
    prompts: PROMPTS.slice(0, 2),
    maxTokens: 2,
    onProgress: (progress) => reports.push(progress),
  });
  assertEquals(reports, [{ finished: 0, prompts: 2, tokens: 2 }, { finished: 2, prompts: 2, tokens: 4 }]);
  assertEquals(await draw({ prompts: [], maxTokens: 2 }), { tokens: [], stopped: [] });
});

Deno.test("a generator's second call creates nothing on the device and waits once a token for the whole batch", async () => {
  const { model: { device }, draw } = await fixtureGenerator();
  await draw({ seed: 1 });
  const before = { ...device.counters };
  const { tokens } = await draw({ prompts: PROMPTS.slice(0, 4), maxTokens: 12, seed: 2 });
  assertEquals(tokens.map(({ length }) => length), [12, 12, 12, 12]);
  const { buffers, bindGroups, pipelines, readbacks } = device.counters;
  assertEquals({ buffers, bindGroups, pipelines }, {
    buffers: before.buffers,
    bindGroups: before.bindGroups,
    pipelines: before.pipelines,
  });
  assertEquals(readbacks - before.readbacks, 12);
});

Deno.test("a generator follows its weights as they change", async () => {
  const { model: { device, weights }, draw } = await fixtureGenerator();
  const before = await draw({ temperature: 0 });
  const norm = weights.get("norm") as Tensor;
  device.gpu.queue.writeBuffer(norm.storage.buffer!, norm.storage.offset, new Float32Array(32).fill(-1));
  assertNotEquals((await draw({ temperature: 0 })).tokens, before.tokens);
});

Deno.test("generate builds what a generator does for one call", async () => {
  const { model, draw } = await fixtureGenerator();
  const options = { prompts: PROMPTS, maxTokens: 9, seed: 6 };
  const { config, device, weights } = model;
  assertEquals(await generate(device, weights, { config, ...options }), await draw(options));
});

Deno.test("generate refuses prompts and options that don't work, by name and number", async () => {
  const { generator, draw } = await fixtureGenerator();
  const refuse = (options: Partial<GenerationOptions>, message: string) =>
    assertRejects(() => draw(options), RangeError, message);
  await refuse({ prompts: [[1], []] }, "Prompt 1 is empty; wanted at least one token, such as BOS");
  await refuse({ prompts: [Array(24).fill(1)] }, "Prompt 0 has 24 tokens; wanted at most 23");
  await refuse({ prompts: [[1, 97]] }, "Prompt 0 has the token 97 at position 1; wanted ids from 0 to 96");
  await refuse({ prompts: [[-1]] }, "Prompt 0 has the token -1 at position 0");
  await refuse({ maxTokens: 0 }, "maxTokens is 0; wanted a positive integer");
  await refuse({ streams: [1] }, "streams has 1 entries for 6 prompts; wanted one each");
  await refuse(
    { temperature: 0, topK: 3 },
    "temperature 0 takes the likeliest token and would ignore topK 3",
  );
  await refuse({ seed: 0.5 }, "The random seed is 0.5; wanted an integer");
  const first = draw({ temperature: 0 });
  await assertRejects(
    () => generator.generate({ prompts: [[1]], maxTokens: 1 }),
    Error,
    "the generator is at work; await the call before",
  );
  await first;
  assertEquals((await draw({ temperature: 0 })).tokens.length, PROMPTS.length); // usable after errors
});

Deno.test("createGenerator refuses sizes that don't work", async () => {
  const model = await loadModel(GQA);
  const refuse = (sizes: Partial<typeof SIZES>, message: string) =>
    assertRejects(() => createGenerator(model.device, { ...model, ...SIZES, ...sizes }), RangeError, message);
  await refuse({ maxLength: 129 }, "maxLength is 129, but the model is made for at most 128 positions");
  await refuse({ maxSequences: 0 }, "maxSequences is 0; wanted a positive integer");
  await refuse({ prefillRows: 1.5 }, "prefillRows is 1.5; wanted a positive integer");
});

const STORIES = new URL("../../../shared/models/stories260K", import.meta.url).pathname;
const hasStories = await Deno.stat(`${STORIES}/config.json`).then(() => true, () => false);

Deno.test({
  name: `generate tells a story with a trained model${
    hasStories ? "" : " (skipped: the model stories260K isn't there)"
  }`,
  ignore: !hasStories,
  fn: async () => {
    const { device, config, weights } = await loadModel(STORIES);
    const tokenizer = await readTokenizer(STORIES);
    const prompt = tokenizer.encode("Once upon a time", { addSpecialTokens: true });
    const { tokens } = await generate(device, weights, {
      config,
      prompts: [prompt],
      maxTokens: 60,
      temperature: 0,
    });
    const text = tokenizer.decode([...prompt, ...tokens[0]!], { skipSpecialTokens: true });
    // The well-known beginning of this model's greedy story, as llama2.c prints it.
    assert(text.trim().startsWith("Once upon a time, there was a little girl named Lily."), text);
  },
});
