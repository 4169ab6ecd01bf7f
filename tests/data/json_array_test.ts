import { parseJsonStream } from "@tr/align/data";
import { assertEquals, assertRejects } from "@std/assert";

function parse(text: string, { size = text.length } = {}) {
  const bytes = new TextEncoder().encode(text);
  const chunks = Array.from(
    { length: Math.ceil(bytes.length / size) },
    (_, i) => bytes.slice(i * size, (i + 1) * size),
  );
  return Array.fromAsync(parseJsonStream(ReadableStream.from(chunks), { file: "x.json" }));
}

const VALUES = [
  { text: 'a "quoted" [bracket] {brace}, \\ and é🙂', list: [1, [2, { b: null }], []], empty: {} },
  'a 5" pipe [{',
  "text",
  -1.5e3,
  [[], [[]]],
  { "]": "}" },
  null,
];

Deno.test("parseJsonArray gives what JSON.parse gives, wherever chunks end and however the text is set", async () => {
  for (
    const text of [
      JSON.stringify(VALUES),
      JSON.stringify(VALUES, null, 2),
      ` \n${JSON.stringify(VALUES, null, "\t")}\r\n`,
    ]
  ) {
    for (const size of [1, 2, 3, 7, text.length]) {
      assertEquals((await parse(text, { size })).map(({ value }) => value), VALUES);
    }
  }
});

Deno.test("parseJsonArray gives lines, and places where the first element stands beside the bracket", async () => {
  const linesOf = async (text: string) => (await parse(text)).map(({ line }) => line);
  assertEquals(await linesOf("\n[\n  1,\n\n  [\n2], 3\n]"), [3, 5, 6]);
  assertEquals(await linesOf("[1, 2, 3]"), [1, 2, 3]);
  assertEquals(await linesOf("[1,\n\n2,\n3]"), [1, 2, 3]);
});

Deno.test("parseJsonArray yields an element before the array ends", async () => {
  const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller): void {
      controller.enqueue(new TextEncoder().encode('[{"a":1},'));
    },
  });
  const entries = parseJsonStream(endless, { file: "x.json" });
  assertEquals((await entries.next()).value, { line: 1, value: { a: 1 } });
  await entries.return(undefined);
});

const broken: [string, string][] = [
  [
    '[\n{"a": 1},\n{"a": 2,\n "b": oops,\n "c": 3}\n]',
    "x.json:4: malformed JSON in record 2: Unexpected token 'o'",
  ],
  ['[\n{"a": 1},\n{"a" 2}\n]', "x.json:3: malformed JSON in record 2: Expected ':' after property name"],
  ['[\n{"a": "1},\n{"b": 2}\n]', "x.json:2: malformed JSON in record 1: the line ends inside a string"],
  ['[\n{"a": [1}\n]', `x.json:2: malformed JSON in record 1: unexpected "}"`],
  ['[\n{"a": 1},\n]', `x.json:3: malformed JSON in record 2: unexpected "]"`],
  ['[\n{"a": 1},,\n{"a": 2}]', `x.json:2: malformed JSON in record 2: unexpected ","`],
  ['[\n{"a": 1}\n{"a": 2}]', "x.json:3: malformed JSON in record 1: "],
  ['[\n{"a": 1},\n{"a": 2}\n', "x.json:4: malformed JSON in record 2: the file ends inside the array"],
  ['[\n{"a": 1}\n]\n[2]', "x.json:4: malformed JSON in record 2: something follows the array"],
  ['[{"a": 1}]]', "x.json:1: malformed JSON in record 2: something follows the array"],
];
for (const [text, message] of broken) {
  Deno.test(`parseJsonArray names the line of ${JSON.stringify(text)}`, async () => {
    for (const size of [1, text.length]) await assertRejects(() => parse(text, { size }), Error, message);
  });
}
