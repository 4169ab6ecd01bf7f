import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { openModelDirectory } from "../../../../models/files/directory.ts";
import { exportGguf, type ExportGgufOptions } from "../../../../models/files/gguf/export.ts";
import { writeModelDirectory } from "../../../../models/files/write_directory.ts";
import { fixturePath, readSafetensors } from "../../../fixtures/fixtures.ts";
import { type GgufFile, readGguf, valuesOf } from "./read_gguf.ts";
import { placeholderTokenizer, temporaryDirectory } from "./tokenizers.ts";

type Options = Partial<ExportGgufOptions> & { change?: (config: Record<string, unknown>) => void };

/** A model of the fixtures with a tokenizer beside it, in a directory of its own, as a GGUF file. */
async function exportFixture(name: string, { change, ...options }: Options = {}) {
  const model = `${await temporaryDirectory()}/tiny/model`;
  await Deno.mkdir(model, { recursive: true });
  const config = JSON.parse(await Deno.readTextFile(`${fixturePath(name)}/config.json`));
  change?.(config);
  await Deno.writeTextFile(`${model}/config.json`, JSON.stringify(config));
  await Deno.copyFile(`${fixturePath(name)}/model.safetensors`, `${model}/model.safetensors`);
  return await exportModel(model, { size: config.vocab_size, options });
}

async function exportModel(
  model: string,
  { size, options = {} }: { size: number; options?: Partial<ExportGgufOptions> },
) {
  const { tokenizerJson, tokenizerConfig } = placeholderTokenizer(size);
  await Deno.writeTextFile(`${model}/tokenizer.json`, JSON.stringify(tokenizerJson));
  await Deno.writeTextFile(`${model}/tokenizer_config.json`, JSON.stringify(tokenizerConfig));
  const file = `${model}/../model.gguf`;
  using directory = await openModelDirectory(model);
  const result = await exportGguf(directory, { file, type: "F32", ...options });
  const gguf = readGguf(await Deno.readFile(file));
  const others = (await Array.fromAsync(Deno.readDir(`${model}/..`))).map((entry) => entry.name).sort();
  assertEquals(others, ["model", "model.gguf"]); // nothing half-written is left
  assertEquals(result.bytes, (await Deno.stat(file)).size);
  return { gguf, result, file, model };
}

/** A model with tensors of these sizes whose numbers are all different, and the numbers. */
async function writeNumberedModel(config: Record<string, unknown>, sizes: Record<string, number[]>) {
  const model = `${await temporaryDirectory()}/model`;
  const values = new Map<string, number[]>();
  let next = 0;
  const tensors = Object.entries(sizes).map(([name, shape]) => {
    const numbers = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next++);
    values.set(name, numbers);
    const read = (offset: number, count: number) =>
      Promise.resolve(Float32Array.from(numbers.slice(offset, offset + count)));
    return { name, shape, read };
  });
  await writeModelDirectory(model, { config, tensors, dtype: "F32" });
  return { model, values };
}

const names = ({ tensors }: GgufFile) => [...tensors.keys()];

Deno.test("exportGguf writes Llama's tensors with query and key rows as llama.cpp rotates them", async () => {
  const { gguf, result } = await exportFixture("llama-gqa");
  const source = await readSafetensors(`${fixturePath("llama-gqa")}/model.safetensors`);
  assertEquals(result.tensors, { F32: 21 });
  assertEquals(names(gguf).length, source.size);
  assertEquals(valuesOf(gguf, "token_embd.weight"), [...source.get("model.embed_tokens.weight")!]);
  assertEquals(valuesOf(gguf, "output.weight"), [...source.get("lm_head.weight")!]);
  assertEquals(gguf.tensors.get("blk.1.ffn_down.weight")!.shape, [32, 48]);
  const same = { v: "self_attn.v_proj", output: "self_attn.o_proj" };
  for (const [part, name] of Object.entries(same)) {
    assertEquals(valuesOf(gguf, `blk.1.attn_${part}.weight`), [
      ...source.get(`model.layers.1.${name}.weight`)!,
    ]);
  }
  // Independent of the code: of a head of 8 rows, rows i and i + 4 turn together, and stand side by side.
  for (const [part, heads] of [["q", 4], ["k", 2]] as const) {
    const before = source.get(`model.layers.0.self_attn.${part}_proj.weight`)!;
    const after = valuesOf(gguf, `blk.0.attn_${part}.weight`);
    const rows = Array.from(
      { length: heads },
      (_, head) => [0, 4, 1, 5, 2, 6, 3, 7].map((row) => 8 * head + row),
    );
    assertEquals(after, rows.flat().flatMap((row) => [...before.subarray(32 * row, 32 * row + 32)]));
  }
});

Deno.test("exportGguf writes what llama.cpp needs to know of a Llama", async () => {
  const { gguf: { metadata, types } } = await exportFixture("llama-gqa", {
    change: (config) => config.rope_scaling = { type: "linear", factor: 4 },
  });
  const expected = {
    "general.architecture": "llama",
    "general.type": "model",
    "general.name": "tiny", // the run's directory, not the model's own called `model`
    "general.file_type": 0,
    "general.alignment": 32,
    "llama.vocab_size": 97,
    "llama.context_length": 128,
    "llama.embedding_length": 32,
    "llama.block_count": 2,
    "llama.feed_forward_length": 48,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "llama.attention.key_length": 8,
    "llama.attention.value_length": 8,
    "llama.attention.layer_norm_rms_epsilon": Math.fround(1e-5),
    "llama.rope.dimension_count": 8,
    "llama.rope.freq_base": 10000,
    "llama.rope.scaling.type": "linear",
    "llama.rope.scaling.factor": 4,
  };
  const found = [...metadata].filter(([key]) => !key.startsWith("tokenizer."));
  assertEquals(Object.fromEntries(found), expected);
  assertEquals((metadata.get("tokenizer.ggml.tokens") as string[]).length, 97);
  assertEquals(types.get("llama.rope.freq_base"), [6]);
});

Deno.test("exportGguf leaves out a tied head and writes llama3 scaling as divisors of the frequencies", async () => {
  const { gguf } = await exportFixture("llama3-rope");
  assertEquals(names(gguf).includes("output.weight"), false);
  // expected.json has the scaled frequencies as PyTorch computed them.
  const { rotary_inv_freq: scaled } = JSON.parse(
    await Deno.readTextFile(`${fixturePath("llama3-rope")}/expected.json`),
  );
  const divisors = valuesOf(gguf, "rope_freqs.weight");
  assertEquals(divisors.length, 8);
  divisors.forEach((divisor, i) =>
    assertAlmostEquals(10000 ** (-i / 8) / divisor, scaled[i], 1e-6 * scaled[i])
  );
});

Deno.test("exportGguf narrows matrices and leaves vectors in float32", async () => {
  const source = await readSafetensors(`${fixturePath("llama-gqa")}/model.safetensors`);
  const exact = source.get("model.layers.0.mlp.up_proj.weight")!;
  const relative = { F16: 2 ** -11, BF16: 2 ** -8 };
  for (const type of ["F16", "BF16"] as const) {
    const { gguf, result } = await exportFixture("llama-gqa", { type });
    assertEquals(result.tensors, { [type]: 16, F32: 5 });
    assertEquals(gguf.tensors.get("blk.0.attn_norm.weight")!.type, 0);
    assertEquals(gguf.metadata.get("general.file_type"), { F16: 1, BF16: 32 }[type]);
    valuesOf(gguf, "blk.0.ffn_up.weight").forEach((value, i) => {
      assert(Math.abs(value - exact[i]!) <= Math.abs(exact[i]!) * relative[type] + 2 ** -25);
    });
  }
});

Deno.test("exportGguf quantizes rows of whole blocks to Q8_0 and says which ones are not", async () => {
  const { gguf, result } = await exportFixture("llama-gqa", { type: "Q8_0" });
  assertEquals(result.tensors, { Q8_0: 14, F16: 2, F32: 5 });
  assertEquals(result.notes.length, 2); // rows of 48, and the placeholder tokenizer's missing bytes
  assert(result.notes.at(-1)!.startsWith("2 matrices whose rows are not a multiple of 32"));
  assertEquals(gguf.tensors.get("blk.0.ffn_down.weight")!.type, 1);
  assertEquals(gguf.metadata.get("general.quantization_version"), 2);
  const source = await readSafetensors(`${fixturePath("llama-gqa")}/model.safetensors`);
  const exact = source.get("lm_head.weight")!;
  const read = valuesOf(gguf, "output.weight");
  for (let block = 0; block < exact.length; block += 32) {
    const numbers = exact.subarray(block, block + 32);
    const step = Math.max(...numbers.map(Math.abs)) / 127;
    numbers.forEach((x, i) => assert(Math.abs(read[block + i]! - x) <= step * (0.5 + 127 * 2 ** -11 + 1e-4)));
  }
});

Deno.test("exportGguf gives Mistral's context as its window and pairs its rows as Llama's", async () => {
  const change = (config: Record<string, unknown>) =>
    Object.assign(config, {
      model_type: "mistral",
      architectures: ["MistralForCausalLM"],
      sliding_window: 100,
    });
  const { gguf, result } = await exportFixture("llama-gqa", { change });
  assertEquals(gguf.metadata.get("general.architecture"), "llama");
  assertEquals(gguf.metadata.get("llama.context_length"), 100);
  assert(result.notes[0]!.includes("100 tokens instead of 128"));
  const llama = await exportFixture("llama-gqa");
  assertEquals(valuesOf(gguf, "blk.0.attn_q.weight"), valuesOf(llama.gguf, "blk.0.attn_q.weight"));
});

Deno.test("exportGguf writes Qwen 2's biases and keeps its rows", async () => {
  const config = {
    model_type: "qwen2",
    vocab_size: 40,
    hidden_size: 8,
    intermediate_size: 6,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    tie_word_embeddings: true,
  };
  const layer = {
    ...{ "self_attn.q_proj.weight": [8, 8], "self_attn.q_proj.bias": [8], "self_attn.o_proj.weight": [8, 8] },
    ...{ "self_attn.k_proj.weight": [4, 8], "self_attn.k_proj.bias": [4] },
    ...{ "self_attn.v_proj.weight": [4, 8], "self_attn.v_proj.bias": [4] },
    ...{ "input_layernorm.weight": [8], "post_attention_layernorm.weight": [8] },
    ...{ "mlp.gate_proj.weight": [6, 8], "mlp.up_proj.weight": [6, 8], "mlp.down_proj.weight": [8, 6] },
  };
  const { model, values } = await writeNumberedModel(config, {
    "model.embed_tokens.weight": [40, 8],
    ...Object.fromEntries(Object.entries(layer).map(([name, shape]) => [`model.layers.0.${name}`, shape])),
    "model.norm.weight": [8],
  });
  const { gguf } = await exportModel(model, { size: 40 });
  assertEquals(gguf.metadata.get("general.architecture"), "qwen2");
  assertEquals(gguf.metadata.get("qwen2.attention.head_count_kv"), 1);
  for (const part of ["q", "k", "v"]) {
    for (const kind of ["weight", "bias"]) {
      const source = values.get(`model.layers.0.self_attn.${part}_proj.${kind}`);
      assertEquals(valuesOf(gguf, `blk.0.attn_${part}.${kind}`), source);
    }
  }
});

const gpt2 = { model_type: "gpt2", vocab_size: 40, n_embd: 4, n_layer: 1, n_head: 2, n_positions: 6 };
const gpt2Sizes = {
  ...{ "wte.weight": [40, 4], "wpe.weight": [6, 4] },
  ...{ "h.0.ln_1.weight": [4], "h.0.ln_1.bias": [4], "h.0.ln_2.weight": [4], "h.0.ln_2.bias": [4] },
  ...{ "h.0.attn.c_attn.weight": [4, 12], "h.0.attn.c_attn.bias": [12], "h.0.attn.bias": [1, 1, 6, 6] },
  ...{ "h.0.attn.c_proj.weight": [4, 4], "h.0.attn.c_proj.bias": [4] },
  ...{ "h.0.mlp.c_fc.weight": [4, 16], "h.0.mlp.c_fc.bias": [16] },
  ...{ "h.0.mlp.c_proj.weight": [16, 4], "h.0.mlp.c_proj.bias": [4], "ln_f.weight": [4], "ln_f.bias": [4] },
};

Deno.test("exportGguf transposes GPT-2's layers, with or without a prefix, and leaves out its masks", async () => {
  for (const prefix of ["", "transformer."]) {
    const sizes = Object.entries(gpt2Sizes).map(([name, shape]) => [prefix + name, shape]);
    const { model, values } = await writeNumberedModel(gpt2, Object.fromEntries(sizes));
    const { gguf } = await exportModel(model, { size: 40, options: { type: "F16" } });
    assertEquals(names(gguf).length, sizes.length - 1);
    const { shape, type } = gguf.tensors.get("blk.0.attn_qkv.weight")!;
    assertEquals([shape, type], [[12, 4], 1]);
    const source = values.get(`${prefix}h.0.attn.c_attn.weight`)!;
    const column = (j: number) => [0, 1, 2, 3].map((i) => source[12 * i + j]!);
    assertEquals(
      valuesOf(gguf, "blk.0.attn_qkv.weight"),
      Array.from({ length: 12 }, (_, j) => column(j)).flat(),
    );
    assertEquals(valuesOf(gguf, "blk.0.attn_qkv.bias"), values.get(`${prefix}h.0.attn.c_attn.bias`));
    assertEquals(gguf.tensors.get("position_embd.weight")!.type, 0); // added to float32 activations
    assertEquals(gguf.metadata.get("gpt2.feed_forward_length"), 16);
  }
});

Deno.test("exportGguf takes GPT-NeoX's fused projection apart", async () => {
  const config = {
    model_type: "gpt_neox",
    vocab_size: 40,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 5,
    rotary_pct: 0.5,
    rotary_emb_base: 500,
    use_parallel_residual: false,
    hidden_act: "gelu_new",
  };
  const layer = {
    ...{ "input_layernorm.weight": [8], "input_layernorm.bias": [8] },
    ...{ "post_attention_layernorm.weight": [8], "post_attention_layernorm.bias": [8] },
    ...{ "attention.query_key_value.weight": [24, 8], "attention.query_key_value.bias": [24] },
    ...{ "attention.dense.weight": [8, 8], "attention.dense.bias": [8], "attention.masked_bias": [1] },
    ...{ "mlp.dense_h_to_4h.weight": [5, 8], "mlp.dense_h_to_4h.bias": [5] },
    ...{ "mlp.dense_4h_to_h.weight": [8, 5], "mlp.dense_4h_to_h.bias": [8] },
  };
  const { model, values } = await writeNumberedModel(config, {
    "gpt_neox.embed_in.weight": [40, 8],
    ...Object.fromEntries(Object.entries(layer).map(([name, shape]) => [`gpt_neox.layers.0.${name}`, shape])),
    ...{ "gpt_neox.final_layer_norm.weight": [8], "gpt_neox.final_layer_norm.bias": [8] },
    "embed_out.weight": [40, 8],
  });
  const { gguf } = await exportModel(model, { size: 40 });
  const bias = values.get("gpt_neox.layers.0.attention.query_key_value.bias")!;
  // A head's twelve numbers are four of its query, four of its key, four of its value.
  const expected = [0, 4, 8].flatMap((part) =>
    [0, 12].flatMap((head) => bias.slice(head + part, head + part + 4))
  );
  assertEquals(valuesOf(gguf, "blk.0.attn_qkv.bias"), expected);
  const rows = expected.map((number) => number - bias[0]!);
  const weight = values.get("gpt_neox.layers.0.attention.query_key_value.weight")!;
  assertEquals(
    valuesOf(gguf, "blk.0.attn_qkv.weight"),
    rows.flatMap((row) => weight.slice(8 * row, 8 * row + 8)),
  );
  const { metadata } = gguf;
  assertEquals(metadata.get("gptneox.rope.dimension_count"), 2);
  assertEquals(metadata.get("gptneox.rope.freq_base"), 500);
  assertEquals(metadata.get("gptneox.use_parallel_residual"), false);
});

Deno.test("exportGguf keeps a file that is there, unless it may be replaced", async () => {
  const { file, model } = await exportFixture("llama-gqa");
  using directory = await openModelDirectory(model);
  const before = await Deno.readFile(file);
  await assertRejects(() => exportGguf(directory, { file }), Error, "a file is there already");
  assertEquals(await Deno.readFile(file), before);
  const counts: number[] = [];
  const onProgress = ({ tensors, of }: { tensors: number; of: number }) => counts.push(tensors / of);
  await exportGguf(directory, { file, name: "other", overwrite: true, onProgress });
  assertEquals(readGguf(await Deno.readFile(file)).metadata.get("general.name"), "other");
  assertEquals([counts.length, counts.at(-1)], [21, 1]);
});

Deno.test("exportGguf refuses what it can't write, and leaves nothing behind", async () => {
  const refuse = (change: (config: Record<string, unknown>) => void, message: string) =>
    assertRejects(() => exportFixture("llama-gqa", { change }), Error, message);
  await refuse((config) => config.model_type = "mamba", `model_type is "mamba", which can't be exported`);
  await refuse((config) => config.num_hidden_layers = 3, "and 6 more are missing");
  await refuse((config) => config.num_hidden_layers = 1, "not part of the model that config.json describes");
  await refuse((config) => config.hidden_act = "gelu", `hidden_act is "gelu"`);
  await refuse((config) => Object.assign(config, { model_type: "qwen2" }), "only Qwen2ForCausalLM is");
  await refuse((config) => config.vocab_size = 98, "vocab_size is 98 in config.json");

  const { model } = await exportFixture("llama-gqa");
  using directory = await openModelDirectory(model);
  await assertRejects(
    () => exportGguf(directory, { file: `${model}/no/such/place` }),
    Error,
    "cannot write here",
  );
  await Deno.remove(`${model}/tokenizer.json`);
  await assertRejects(
    () => exportGguf(directory, { file: `${model}/x` }),
    Error,
    "tokenizer.json: there is no such file; a GGUF file holds the tokenizer too",
  );
});

Deno.test("exportGguf leaves nothing of a file that it can't finish, and what was there as it was", async () => {
  const { file, model } = await exportFixture("llama-gqa");
  using directory = await openModelDirectory(model);
  const before = await Deno.readFile(file);
  const failing = {
    ...directory,
    readChunks: (...args: Parameters<typeof directory.readChunks>) =>
      args[0] === "lm_head.weight" ? Promise.reject(new Error("disk gone")) : directory.readChunks(...args),
  };
  await assertRejects(() => exportGguf(failing, { file, overwrite: true }), Error, "disk gone");
  assertEquals(await Deno.readFile(file), before);
  assertEquals((await Array.fromAsync(Deno.readDir(`${model}/..`))).length, 2);
});

Deno.test("exportGguf refuses a GPT-2 that llama.cpp computes otherwise", async () => {
  const { model } = await writeNumberedModel({ ...gpt2, activation_function: "relu" }, gpt2Sizes);
  await assertRejects(
    () => exportModel(model, { size: 40 }),
    Error,
    `activation_function is "relu"; give "gelu_new"`,
  );
});
