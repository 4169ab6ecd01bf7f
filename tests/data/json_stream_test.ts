import { parseJsonStream } from "@tr/align/data";
import { assertEquals, assertRejects } from "@std/assert";

function parse(text: string | Uint8Array<ArrayBuffer>, { file = "x.jsonl", gzip = false } = {}) {
  return Array.fromAsync(parseJsonStream(new Blob([text]).stream(), { file, gzip }));
}

/** A stream that hands out one byte at a time. */
function bytewise(text: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from([...new TextEncoder().encode(text)].map((byte) => Uint8Array.of(byte)));
}

Deno.test("parseJsonStream gives lines their numbers, blank ones counted", async () => {
  assertEquals(await parse('\n{"a":1}\r\n  \n{"a":2}'), [{ line: 2, value: { a: 1 } }, {
    line: 4,
    value: { a: 2 },
  }]);
});

Deno.test("parseJsonStream doesn't care where chunks end, inside a character or line", async () => {
  const entries = await Array.fromAsync(
    parseJsonStream(bytewise('{"a":"é日"}\n{"a":"🙂"}\n'), { file: "x.jsonl" }),
  );
  assertEquals(entries.map(({ value }) => value), [{ a: "é日" }, { a: "🙂" }]);
});

Deno.test("parseJsonStream yields the first record before the stream ends", async () => {
  const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller): void {
      controller.enqueue(new TextEncoder().encode('{"a":1}\n'));
    },
  });
  const first = await parseJsonStream(endless, { file: "x.jsonl" }).next();
  assertEquals(first.value, { line: 1, value: { a: 1 } });
});

Deno.test("parseJsonStream reads a JSON array and gives its elements their lines", async () => {
  assertEquals(await parse('[\n  {"a": 1},\n\n  {"a": 2}\n]\n', { file: "x.json" }), [
    { line: 2, value: { a: 1 } },
    { line: 4, value: { a: 2 } },
  ]);
});

Deno.test("parseJsonStream unpacks gzip", async () => {
  const packed = new Blob(['{"a":1}\n']).stream().pipeThrough(new CompressionStream("gzip"));
  const entries = await Array.fromAsync(parseJsonStream(packed, { file: "x.jsonl.gz", gzip: true }));
  assertEquals(entries, [{ line: 1, value: { a: 1 } }]);
});

Deno.test("parseJsonStream names the file and line of malformed JSON", async () => {
  await assertRejects(() => parse('{"a":1}\n{"a":\n'), Error, "x.jsonl:2: malformed JSON: ");
  await assertRejects(
    () => parse('[{"a":1},]', { file: "x.json" }),
    Error,
    'x.json:1: malformed JSON in record 2: unexpected "]"',
  );
});

Deno.test("parseJsonStream refuses empty files, other encodings and broken gzip", async () => {
  for (const empty of ["", "\n \n", "[]"]) {
    await assertRejects(() => parse(empty), Error, "x.jsonl: no records");
  }
  await assertRejects(() => parse(Uint8Array.of(0x22, 0xff, 0x22)), Error, "x.jsonl: not UTF-8 text");
  await assertRejects(
    () => parse("not gzip", { gzip: true }),
    Error,
    "x.jsonl: not gzip-compressed UTF-8 text",
  );
});
