import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { openModelDirectory } from "../../../models/files/directory.ts";
import { decodeToFloat32, encodeFromFloat32 } from "../../../models/files/floats.ts";
import { safetensorsHeader } from "../../../models/files/safetensors.ts";
import { fixturePath, readFixture } from "./fixtures.ts";

/** A directory of these files, gone when the test is done. */
async function directory(files: Record<string, string | Uint8Array>) {
  const path = await Deno.makeTempDir();
  for (const [name, content] of Object.entries(files)) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(`${path}/${name}`, bytes);
  }
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

function weights(values: Record<string, number[]>): Uint8Array<ArrayBuffer> {
  const header = safetensorsHeader(
    Object.entries(values).map(([name, { length }]) => ({ name, dtype: "F32", shape: [length] })),
  );
  const data = encodeFromFloat32(new Float32Array(Object.values(values).flat()), "F32");
  return new Uint8Array([...header, ...data]);
}

const index = (weightMap: unknown) => JSON.stringify({ weight_map: weightMap });

Deno.test("openModelDirectory reads the fixture's shapes and numbers", async () => {
  using model = await openModelDirectory(fixturePath("llama-gqa"));
  assertEquals(model.config.vocab_size, 97);
  const { tensors } = await readFixture("llama-gqa/expected.json") as { tensors: Record<string, number[]> };
  assertEquals(model.tensors.size, Object.keys(tensors).length);
  for (const [name, shape] of Object.entries(tensors)) {
    assertEquals(model.tensors.get(name), { dtype: "F32", shape });
  }
  // First, last and sum of x[i] * cos(i) in float64, as the safetensors 0.8.0 package for Python and NumPy have it.
  const expected: [name: string, first: number, last: number, dot: number][] = [
    ["model.norm.weight", 0.9361242055892944, 0.5299563407897949, 0.23817189851215764],
    [
      "model.layers.1.self_attn.k_proj.weight",
      0.016517940908670425,
      -0.08289121836423874,
      -5.543559520341409,
    ],
  ];
  for (const [name, first, last, dot] of expected) {
    const values = await model.read(name);
    assertEquals([values[0], values.at(-1)], [first, last]);
    assertAlmostEquals(values.reduce((sum, value, i) => sum + value * Math.cos(i), 0), dot, 1e-12);
  }
});

Deno.test("openModelDirectory reads two shards as it reads one file", async () => {
  using single = await openModelDirectory(fixturePath("llama-gqa"));
  using sharded = await openModelDirectory(fixturePath("llama-gqa-sharded"));
  assertEquals([...sharded.tensors.keys()].sort(), [...single.tensors.keys()].sort());
  const names = [...single.tensors.keys()];
  const pairs = await Promise.all(names.flatMap((name) => [single.read(name), sharded.read(name)]));
  for (let i = 0; i < pairs.length; i += 2) assertEquals(pairs[i], pairs[i + 1]);
});

Deno.test("openModelDirectory reads bfloat16 weights, which are the float32 ones rounded", async () => {
  using full = await openModelDirectory(fixturePath("llama-gqa"));
  using rounded = await openModelDirectory(fixturePath("llama-gqa-bf16"));
  for (const [name, { dtype }] of rounded.tensors) {
    assertEquals(dtype, "BF16");
    const bytes = encodeFromFloat32(await full.read(name), "BF16");
    assertEquals(await rounded.read(name), decodeToFloat32(bytes, "BF16"));
  }
});

Deno.test("readChunks hands over pieces that make up the tensor, and waits for its receiver", async () => {
  using model = await openModelDirectory(fixturePath("llama-gqa-bf16"));
  const name = "model.layers.1.mlp.down_proj.weight"; // 32 x 48 numbers
  const collected = new Float32Array(32 * 48);
  const sizes: number[] = [];
  await model.readChunks(name, { chunkElements: 500 }, async (offset, values) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    collected.set(values, offset);
    sizes.push(values.length);
  });
  assertEquals(sizes, [500, 500, 500, 36]);
  assertEquals(collected, await model.read(name));
});

Deno.test("readChunks refuses unknown tensors and chunks of no elements", async () => {
  using model = await openModelDirectory(fixturePath("llama-gqa"));
  await assertRejects(() => model.read("wte"), Error, "the model has no tensor wte");
  const read = (chunkElements: number) => model.readChunks("model.norm.weight", { chunkElements }, () => {});
  await assertRejects(() => read(0), Error, "tensor model.norm.weight: chunkElements is 0");
});

Deno.test("openModelDirectory lists the tokenizer files", async () => {
  await using files = await directory({
    "config.json": "{}",
    "model.safetensors": weights({}),
    "tokenizer.json": "{}",
    "chat_template.jinja": "",
    "README.md": "",
  });
  using model = await openModelDirectory(files.path);
  assertEquals(model.tokenizerFiles, [`${files.path}/tokenizer.json`, `${files.path}/chat_template.jinja`]);
});

Deno.test("openModelDirectory lists integer tensors but refuses to read them as numbers", async () => {
  const header = safetensorsHeader([{ name: "position_ids", dtype: "I64", shape: [1] }]);
  const bytes = new Uint8Array([...header, ...new Uint8Array(8)]);
  await using files = await directory({ "config.json": "{}", "model.safetensors": bytes });
  using model = await openModelDirectory(files.path);
  assertEquals(model.tensors.get("position_ids")?.dtype, "I64");
  await assertRejects(
    () => model.read("position_ids"),
    Error,
    "tensor position_ids is of type I64; only F32",
  );
});

const config = { "config.json": "{}" };
const whole = weights({ a: [1, 2, 3] });
const refused: [what: string, files: Record<string, string | Uint8Array>, message: string][] = [
  [
    "no config.json",
    { "model.safetensors": whole },
    "/config.json: there is no such file; is this the directory",
  ],
  [
    "a config.json that is not JSON",
    { "config.json": "{,}", "model.safetensors": whole },
    "/config.json: this is not",
  ],
  [
    "a config.json that is a list",
    { "config.json": "[]", "model.safetensors": whole },
    "a JSON object was expected",
  ],
  ["no weights", config, "neither model.safetensors nor model.safetensors.index.json is in this directory"],
  [
    "a pickle",
    { ...config, "pytorch_model.bin": "" },
    "only as a pickle (pytorch_model.bin), which can run code",
  ],
  ["a truncated file", { ...config, "model.safetensors": whole.slice(0, -4) }, "tensor a: its bytes end at"],
  ["an empty file", { ...config, "model.safetensors": "" }, "/model.safetensors: 0 bytes are too few"],
  [
    "an index that is not JSON",
    { ...config, "model.safetensors.index.json": "" },
    "index.json: this is not valid",
  ],
  [
    "an index without a map",
    { ...config, "model.safetensors.index.json": "{}" },
    "weight_map must give the name",
  ],
  ["an index that leads elsewhere", {
    ...config,
    "model.safetensors.index.json": index({ a: "../model.safetensors" }),
  }, "weight_map must give the name of a file here"],
  ["a missing shard", {
    ...config,
    "1.safetensors": whole,
    "model.safetensors.index.json": index({ a: "1.safetensors", b: "2.safetensors" }),
  }, "/2.safetensors: this file, named by model.safetensors.index.json, is missing"],
  ["a shard without a tensor of the index", {
    ...config,
    "1.safetensors": whole,
    "model.safetensors.index.json": index({ a: "1.safetensors", b: "1.safetensors" }),
  }, "/1.safetensors: tensor b is not in it"],
];
for (const [what, files, message] of refused) {
  Deno.test(`openModelDirectory refuses ${what}`, async () => {
    await using made = await directory(files);
    const error = await assertRejects(() => openModelDirectory(made.path), Error, message);
    assertEquals(error.message.startsWith(made.path), true);
    assertEquals(error.message.includes("\n"), false);
  });
}

Deno.test("openModelDirectory refuses a path that is not a directory", async () => {
  await assertRejects(
    () => openModelDirectory("no/such/model"),
    Error,
    "no/such/model: there is no such directory",
  );
  await assertRejects(
    () => openModelDirectory(fixturePath("llama-gqa/config.json")),
    Error,
    "no such directory",
  );
});

Deno.test("an open model reads on from its file after the directory was replaced", async () => {
  await using files = await directory({ ...config, "model.safetensors": whole });
  using model = await openModelDirectory(files.path);
  await Deno.remove(`${files.path}/model.safetensors`);
  assertEquals([...await model.read("a")], [1, 2, 3]);
});

Deno.test("read says so if the file has become shorter", async () => {
  await using files = await directory({ ...config, "model.safetensors": whole });
  using model = await openModelDirectory(files.path);
  await Deno.truncate(`${files.path}/model.safetensors`, whole.length - 1);
  await assertRejects(() => model.read("a"), Error, "/model.safetensors: the file has become shorter");
});
