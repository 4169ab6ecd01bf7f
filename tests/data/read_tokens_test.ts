import { readTokens, type ReadTokensOptions, tokenizeRecord } from "@tr/align/data";
import { createTokenRecorder, createTokenStore, createWordMemory } from "../../data/token_store.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { characterTokenizer } from "./support.ts";

const tokenizer = characterTokenizer({ add_bos_token: true });
const ids = (...values: number[]) => Int32Array.from(values);

Deno.test("a token store gives back every kind of record, across pieces and offsets", () => {
  const long = Int32Array.from({ length: 9000 }, (_, i) => i);
  const pairs = Array.from({ length: 200 }, (_, i) => ({
    line: 3 * i + 1,
    prompt: long.slice(0, 1 + 37 * i),
    chosen: ids(i, i + 1),
    rejected: long.slice(0, 1 + i),
    ...(i % 3 === 0 ? { cut: { prompt: i + 1, chosen: 0, rejected: 2 } } : {}),
  }));
  const labelled = [true, false].map((label, i) => ({
    line: i + 1,
    prompt: ids(1),
    completion: ids(2, 3),
    label,
  }));
  const plain = [{ line: 9, prompt: ids(1), completion: ids(2, 3), cut: { prompt: 0, completion: 4 } }];
  for (const [kind, records] of [["paired", pairs], ["unpaired", labelled], ["sft", plain]] as const) {
    const memory = createWordMemory();
    const recorder = createTokenRecorder(memory.write);
    for (const record of records) recorder.append(record);
    const store = createTokenStore({ kind, index: recorder.index(), readWords: memory.readWords });
    assertEquals(store.length, records.length);
    for (const i of [records.length - 1, 0, ...records.keys()]) {
      const record = records[i]!;
      assertEquals<unknown>(store.at(i), record);
      assertEquals(store.line(i), record.line);
      const completions = "chosen" in record ? [record.chosen, record.rejected] : [record.completion];
      assertEquals(store.lengths(i), {
        prompt: record.prompt.length,
        completions: completions.map(({ length }) => length),
      });
      assertEquals(store.label(i), "label" in record ? record.label : undefined);
    }
    assertThrows(
      () => store.at(records.length),
      RangeError,
      `no record ${records.length} of ${records.length}`,
    );
  }
});

/** A directory with a file of pairs, of which one is invalid and one has no preference. */
async function filesOf(): Promise<
  {
    file: string;
    directory: string;
    read: (more?: Partial<ReadTokensOptions>) => ReturnType<typeof readTokens>;
    cached: () => Promise<string[]>;
  }
> {
  const root = await Deno.makeTempDir();
  const file = `${root}/pairs.jsonl`;
  const pairs = Array.from(
    { length: 30 },
    (_, i) => ({ prompt: `q${i}`, chosen: "yes", rejected: `no ${i}` }),
  );
  const others = [{ prompt: "x" }, { prompt: "x", chosen: "a", rejected: "a" }];
  await Deno.writeTextFile(file, [...others, ...pairs].map((value) => JSON.stringify(value) + "\n").join(""));
  const directory = `${root}/cache/deep`;
  return {
    file,
    directory,
    read: (more = {}) =>
      readTokens(file, {
        tokenizer,
        tokenize: { maxLength: 6 },
        invalid: "skip",
        cache: { directory },
        ...more,
      }),
    cached: async () => (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name).sort(),
  };
}

/** What a result holds, for comparison. */
function contentOf({ store, dropped, truncated, problems }: Awaited<ReturnType<typeof readTokens>>) {
  return {
    records: Array.from({ length: store.length }, (_, i) => store.at(i)),
    dropped,
    truncated,
    problems,
  };
}

Deno.test("readTokens gives the same with the cache empty, with it filled, and without one", async () => {
  const { file, read, cached } = await filesOf();
  const plain = await read({ cache: null });
  const [first, second] = [await read(), await read()];
  assertEquals(contentOf(first), contentOf(plain));
  assertEquals(contentOf(second), contentOf(plain));
  assertEquals([first.notes, second.notes], [[], []]);
  assertEquals((await cached()).length, 1);

  // The records are those that tokenizeRecord makes.
  const record = {
    kind: "paired",
    form: "text",
    line: 3,
    prompt: "q0",
    chosen: "yes",
    rejected: "no 0",
  } as const;
  assertEquals<unknown>(plain.store.at(0), tokenizeRecord(record, tokenizer, { maxLength: 6 }));
  assertEquals(plain.dropped, {
    "invalid record": { count: 1, lines: [1] },
    "chosen equals rejected": { count: 1, lines: [2] },
  });
  assert(plain.truncated.completion > 0);
  assertEquals(plain.problems.length, 1);
  assertStringIncludes(plain.problems[0]!, `${file}:1: the record has "prompt"; wanted one of`);
});

Deno.test("readTokens takes the cache, not the file: what is in it is what is used", async () => {
  const { directory, read, cached } = await filesOf();
  await read();
  const other = characterTokenizer({ add_bos_token: true });
  // Same fingerprint, but a tokenizer that can't be used any more.
  const broken = {
    ...other,
    encode: () => {
      throw new Error("tokenized again");
    },
  };
  assertEquals((await read({ tokenizer: broken })).store.length, 30);
  await Deno.remove(`${directory}/${(await cached())[0]}`);
  await assertRejects(() => read({ tokenizer: broken }), Error, "tokenized again");
});

Deno.test("readTokens knows another file, tokenizer, template or option from the one cached", async () => {
  const { file, read, cached } = await filesOf();
  await read();
  const changes: (() => Promise<unknown>)[] = [
    () => read({ tokenize: { maxLength: 7 } }),
    () => read({ tokenize: { maxLength: 6, truncate: "keep_start" } }),
    () => read({ tokenizer: characterTokenizer() }),
    () => read({ tokenizer: characterTokenizer({ add_bos_token: true }, { chatTemplate: "x" }) }),
    () =>
      read({
        tokenizer: characterTokenizer({ add_bos_token: true }, {
          chatTemplate: "x",
          chatTemplateVariables: { a: 1 },
        }),
      }),
    async () => {
      const text = await Deno.readTextFile(file);
      await Deno.writeTextFile(file, text.replace("q29", "q30"));
      return read();
    },
  ];
  for (const [i, change] of changes.entries()) {
    await change();
    assertEquals((await cached()).length, i + 2);
  }
  await Deno.rename(file, `${file}.moved.jsonl`);
  await readTokens(`${file}.moved.jsonl`, {
    tokenizer,
    tokenize: { maxLength: 6 },
    invalid: "skip",
    cache: null,
  });
});

Deno.test("readTokens ignores a damaged cache, says so, and mends it", async () => {
  const { directory, read, cached } = await filesOf();
  const sound = contentOf(await read());
  const path = `${directory}/${(await cached())[0]}`;
  const bytes = await Deno.readFile(path);
  const damages: [string, Uint8Array][] = [
    ["its checksum is wrong", bytes.with(40, bytes[40]! ^ 1)],
    ["its checksum is wrong", bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1)],
    ["its checksum is wrong", bytes.slice(0, bytes.length - 60)],
    ["it has only 20 bytes", bytes.slice(0, 20)],
    ["it has only 0 bytes", new Uint8Array(0)],
  ];
  for (const [reason, content] of damages) {
    await Deno.writeFile(path, content);
    const mended = await read();
    assertEquals(mended.notes.length, 1);
    assertStringIncludes(mended.notes[0]!, `${path}: the cached tokens of`);
    assertStringIncludes(mended.notes[0]!, `are damaged (${reason}); tokenizing them again`);
    assertEquals(contentOf(mended), sound);
    assertEquals(await Deno.readFile(path), bytes);
  }
});

Deno.test("readTokens goes on in memory where it can't write, and leaves nothing of a file that it refuses", async () => {
  const { file, directory, read, cached } = await filesOf();
  const { notes, store } = await read({ cache: { directory: `${file}/inside` } });
  assertEquals(store.length, 30);
  assertStringIncludes(notes[0]!, `${file}/inside: tokens can't be cached there (`);
  await assertRejects(() => read({ invalid: "throw" }), Error, `${file}:1: `);
  assertEquals(await cached(), []);
  assertNotEquals(directory, file);
});

Deno.test("readTokens leaves files below a size out of the cache", async () => {
  const { directory, read } = await filesOf();
  await read({ cache: { directory, leastBytes: 1 << 20 } });
  await assertRejects(() => Deno.stat(directory), Deno.errors.NotFound);
});

Deno.test("readTokens lets its caller refuse a kind, also a cached one", async () => {
  const { read } = await filesOf();
  const accept = (kind: string) => {
    throw new Error(`no ${kind}`);
  };
  await assertRejects(() => read({ accept }), Error, "no paired");
  await read();
  await assertRejects(() => read({ accept }), Error, "no paired");
});
