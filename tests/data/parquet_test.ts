/** The fixtures were written by pyarrow 25.0.1, `pairs.snappy` in three row groups, the others in one. */
import { type ByteRanges, parseParquet, readRecords } from "@tr/align/data";
import { assertEquals, assertRejects } from "@std/assert";

const fixture = (name: string) => new URL(`../fixtures/parquet/${name}`, import.meta.url).pathname;

for (const compression of ["snappy", "zstd"]) {
  Deno.test(`readRecords reads UltraFeedback's columns from a table compressed with ${compression}`, async () => {
    const { records } = await readRecords(fixture(`pairs.${compression}.parquet`), { kind: "paired" });
    assertEquals(
      records.map(({ line, prompt, chosen, rejected }) => ({ line, prompt, chosen, rejected })),
      [0, 1, 2, 3, 4].map((i) => ({
        line: i + 1,
        prompt: [{ role: "user", content: `Question ${i}` }],
        chosen: [{ role: "assistant", content: `Good ${i}` }],
        rejected: [{ role: "assistant", content: `Bad ${i}` }],
      })),
    );
  });
}

Deno.test("readRecords reads whole-number labels, and drops the nulls that a table fills in", async () => {
  const { records } = await readRecords(fixture("labels.gzip.parquet"), { kind: "unpaired" });
  assertEquals(records.map(({ prompt, completion, label }) => ({ prompt, completion, label })), [
    {
      prompt: [{ role: "user", content: "On, please." }],
      completion: [{
        role: "assistant",
        content: null,
        tool_calls: [{
          type: "function",
          function: { name: "control_light", arguments: { room: "kitchen" } },
        }],
      }],
      label: true,
    },
    {
      prompt: [{ role: "user", content: "Off, please." }],
      completion: [{ role: "assistant", content: "No." }],
      label: false,
    },
  ]);
});

Deno.test("readRecords reads lists of token ids from a table compressed with brotli", async () => {
  const { records } = await readRecords(fixture("ids.parquet"), { kind: "unpaired" });
  assertEquals(records.map(({ prompt, completion }) => [prompt, completion]), [
    [Int32Array.of(1, 2), Int32Array.of(3)],
  ]);
});

/** A file in memory that remembers how many of its bytes were asked for. */
async function counted(name: string): Promise<ByteRanges & { read: number }> {
  const bytes = await Deno.readFile(fixture(name));
  const ranges = {
    byteLength: bytes.length,
    read: 0,
    slice(start: number, end = bytes.length): ArrayBuffer {
      ranges.read += end - start;
      return bytes.slice(start, end).buffer;
    },
  };
  return ranges;
}

Deno.test("parseParquet reads the rows of one group before the next, and no other columns", async () => {
  const bytes = await counted("pairs.snappy.parquet");
  const rows = parseParquet(bytes, { file: "x.parquet" });
  const { value } = await rows.next();
  assertEquals(Object.keys((value as { value: object }).value).sort(), ["chosen", "prompt", "rejected"]);
  const afterFirst = bytes.read;
  await rows.next();
  assertEquals(bytes.read, afterFirst); // the second row is of the first group
  await rows.next();
  assertEquals(bytes.read > afterFirst, true);
  await rows.return(undefined);
});

Deno.test("parseParquet refuses what is no table of records, and names the file", async () => {
  const text = new TextEncoder().encode("prompt,chosen,rejected\n").buffer;
  const ranges = (bytes: ArrayBuffer): ByteRanges => ({
    byteLength: bytes.byteLength,
    slice: (start, end) => bytes.slice(start, end),
  });
  await assertRejects(
    () => parseParquet(ranges(text), { file: "x.parquet" }).next(),
    Error,
    "x.parquet: not a parquet file that can be read (",
  );
  const whole = await Deno.readFile(fixture("pairs.snappy.parquet"));
  whole.fill(0xff, 4, 200);
  await assertRejects(
    () => Array.fromAsync(parseParquet(ranges(whole.buffer), { file: "x.parquet" })),
    Error,
    "x.parquet: not a parquet file that can be read (",
  );
});
