import { assertEquals, assertRejects } from "@std/assert";
import { openModelDirectory } from "../../../models/files/directory.ts";
import { type TensorSource, writeModelDirectory } from "../../../models/files/write_directory.ts";
import { writeFileAtomic } from "../../../models/files/write_file.ts";
import { fixturePath } from "./fixtures.ts";

async function temporary() {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

function source(name: string, shape: number[], values: number[]): TensorSource {
  return {
    name,
    shape,
    read: (offset, count) => Promise.resolve(new Float32Array(values.slice(offset, offset + count))),
  };
}

const names = async (path: string) =>
  (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name).sort();
const tensors = [source("a.weight", [2, 3], [1, -2, 1 / 3, 65504, 1e-3, 0]), source("b", [], [0.5])];
const config = { model_type: "llama" };

// The bytes after the header. The files were read with the safetensors 0.8.0 package for Python, which found
// these names, types, shapes and numbers in them.
const WRITTEN = {
  F32: {
    dtype: "float32",
    offsets: [24, 28],
    data: "0000803f000000c0abaaaa3e00e07f476f12833a000000000000003f",
  },
  F16: { dtype: "float16", offsets: [12, 14], data: "003c00c05535ff7b191400000038" },
  BF16: { dtype: "bfloat16", offsets: [12, 14], data: "803f00c0ab3e8047833a0000003f" },
} as const;
for (const dtype of ["F32", "F16", "BF16"] as const) {
  Deno.test(`writeModelDirectory writes ${dtype} bytes that other implementations read`, async () => {
    await using directory = await temporary();
    const path = `${directory.path}/made/model`;
    await writeModelDirectory(path, { config, tensors, dtype });

    const { dtype: configDtype, offsets: [middle, end], data } = WRITTEN[dtype];
    const header = `{"__metadata__":{"format":"pt"},` +
      `"a.weight":{"dtype":"${dtype}","shape":[2,3],"data_offsets":[0,${middle}]},` +
      `"b":{"dtype":"${dtype}","shape":[],"data_offsets":[${middle},${end}]}}`;
    const bytes = await Deno.readFile(`${path}/model.safetensors`);
    assertEquals([...bytes.slice(0, 8)], [152, 0, 0, 0, 0, 0, 0, 0]);
    assertEquals(new TextDecoder().decode(bytes.slice(8, 160)), header.padEnd(152));
    assertEquals(bytes.slice(160).toHex(), data);
    assertEquals(JSON.parse(await Deno.readTextFile(`${path}/config.json`)), {
      ...config,
      torch_dtype: configDtype,
    });
    assertEquals(await names(path), ["config.json", "model.safetensors"]);
    assertEquals(await names(`${directory.path}/made`), ["model"]);
  });
}

Deno.test("writeModelDirectory copies a model exactly, in one file or in shards", async () => {
  await using directory = await temporary();
  using original = await openModelDirectory(fixturePath("llama-gqa"));
  async function* sources(): AsyncGenerator<TensorSource> {
    for (const [name, { shape }] of original.tensors) {
      const values = await original.read(name);
      yield { name, shape, read: (offset, count) => Promise.resolve(values.slice(offset, offset + count)) };
    }
  }
  for (const maxShardBytes of [5e9, 30000]) {
    const path = `${directory.path}/${maxShardBytes}`;
    await writeModelDirectory(path, {
      config: original.config,
      tensors: sources(),
      dtype: "F32",
      maxShardBytes,
    });
    using copy = await openModelDirectory(path);
    assertEquals(copy.config, original.config);
    assertEquals([...copy.tensors.keys()], [...original.tensors.keys()]);
    for (const name of original.tensors.keys()) {
      assertEquals(await copy.read(name), await original.read(name));
    }
  }
});

Deno.test("writeModelDirectory splits weights over shards of at most maxShardBytes, as Hugging Face does", async () => {
  await using directory = await temporary();
  const path = `${directory.path}/model`;
  const sizes = { a: 2, b: 2, c: 3, d: 9, e: 1 };
  const list = Object.entries(sizes).map(([name, size]) => source(name, [size], Array(size).fill(size)));
  await writeModelDirectory(path, { config, tensors: list, dtype: "F32", maxShardBytes: 20 });
  const shard = (n: number) => `model-0000${n}-of-00004.safetensors`;
  const index = JSON.parse(await Deno.readTextFile(`${path}/model.safetensors.index.json`));
  assertEquals(index, {
    metadata: { total_size: 68 },
    weight_map: { a: shard(1), b: shard(1), c: shard(2), d: shard(3), e: shard(4) },
  });
  assertEquals(await names(path), [
    "config.json",
    shard(1),
    shard(2),
    shard(3),
    shard(4),
    "model.safetensors.index.json",
  ]);
});

Deno.test("writeModelDirectory carries over the tokenizer and generation settings, not the weights", async () => {
  await using directory = await temporary();
  const from = `${directory.path}/from`;
  await writeModelDirectory(from, { config, tensors, dtype: "F32" });
  const carried = [
    "chat_template.jinja",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
  ];
  for (const name of [...carried, "optimizer.bin"]) await Deno.writeTextFile(`${from}/${name}`, name);
  const path = `${directory.path}/to`;
  await writeModelDirectory(path, { config, tensors: [tensors[0]!], dtype: "F32", copyFrom: from });
  assertEquals(await names(path), [...carried, "config.json", "model.safetensors"].sort());
  assertEquals(await Deno.readTextFile(`${path}/tokenizer.json`), "tokenizer.json");
});

Deno.test("writeModelDirectory sets both names that configs have for the element type", async () => {
  await using directory = await temporary();
  const path = `${directory.path}/model`;
  await writeModelDirectory(path, { config: { dtype: "float32" }, tensors, dtype: "BF16" });
  const written = JSON.parse(await Deno.readTextFile(`${path}/config.json`));
  assertEquals(written, { dtype: "bfloat16", torch_dtype: "bfloat16" });
});

Deno.test("writeModelDirectory leaves nothing behind if a tensor cannot be read", async () => {
  await using directory = await temporary();
  const path = `${directory.path}/model`;
  await writeModelDirectory(path, { config, tensors, dtype: "F32" });
  const failing = { ...tensors[1]!, read: () => Promise.reject(new Error("device lost")) };
  const short = { ...tensors[1]!, read: () => Promise.resolve(new Float32Array(2)) };
  const write = (tensor: TensorSource) =>
    writeModelDirectory(path, { config, tensors: [tensors[0]!, tensor], dtype: "F32", replace: true });
  await assertRejects(() => write(failing), Error, "device lost");
  await assertRejects(() => write(short), Error, "tensor b gave 2 numbers where 1 were asked for");
  assertEquals(await names(directory.path), ["model"]);
  using model = await openModelDirectory(path);
  assertEquals([...await model.read("b")], [0.5]);
});

Deno.test("writeModelDirectory replaces a model only when told to, and other directories never", async () => {
  await using directory = await temporary();
  const path = `${directory.path}/model`;
  const write = (path: string, dtype: "F32" | "BF16", replace: boolean) =>
    writeModelDirectory(path, { config, tensors, dtype, replace });
  await write(path, "F32", false);
  await assertRejects(() => write(path, "BF16", false), Error, `${path}: a model is already there`);
  await write(path, "BF16", true);
  using model = await openModelDirectory(path);
  assertEquals(model.tensors.get("b")?.dtype, "BF16");
  await assertRejects(() => write(directory.path, "F32", true), Error, "holds other things than a model");
  await assertRejects(() => write(`${path}/config.json`, "F32", true), Error, "not a directory is there");
  assertEquals(await names(directory.path), ["model"]);
});

Deno.test("writeModelDirectory refuses two tensors of one name", async () => {
  await using directory = await temporary();
  const write = () =>
    writeModelDirectory(`${directory.path}/model`, {
      config,
      tensors: [tensors[1]!, tensors[1]!],
      dtype: "F32",
    });
  await assertRejects(write, Error, "two tensors named b");
  assertEquals(await names(directory.path), []);
});

Deno.test("writeFileAtomic writes bytes and text, and replaces what was there", async () => {
  await using directory = await temporary();
  const path = `${directory.path}/file`;
  await writeFileAtomic(path, "one");
  assertEquals(await Deno.readTextFile(path), "one");
  await writeFileAtomic(path, new Uint8Array([7, 8]));
  assertEquals([...await Deno.readFile(path)], [7, 8]);
  assertEquals(await names(directory.path), ["file"]);
});

Deno.test("writeFileAtomic leaves nothing behind if the path cannot be written", async () => {
  await using directory = await temporary();
  await Deno.mkdir(`${directory.path}/taken/inside`, { recursive: true });
  await assertRejects(() => writeFileAtomic(`${directory.path}/taken`, "text"), Error);
  assertEquals(await names(directory.path), ["taken"]);
});
