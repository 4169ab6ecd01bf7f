import { collectRecords, countDropped, describeDropped, type JsonEntry, RecordError } from "@tr/align/data";
import { assertEquals, assertRejects } from "@std/assert";

const pair = (chosen: string, rejected: string) => ({ prompt: "p", chosen, rejected });
const entries = (...values: unknown[]): JsonEntry[] =>
  values.map((value, index) => ({ line: index + 1, value }));

Deno.test("collectRecords drops and counts pairs without a preference", async () => {
  const values = entries(pair("a", "a"), pair("a", "b"), {
    prompt_ids: [1],
    chosen_ids: [2],
    rejected_ids: [2],
  });
  const { records, dropped } = await collectRecords(values, { file: "x", kind: "paired" });
  assertEquals(records.map(({ line }) => line), [2]);
  assertEquals(dropped, { "chosen equals rejected": { count: 2, lines: [1, 3] } });

  const all = await collectRecords(values, { file: "x", keepIdentical: true });
  assertEquals(all.records.length, 3);
  assertEquals(all.dropped, {});
});

Deno.test("collectRecords throws for invalid records or skips and counts them", async () => {
  const values = entries(pair("a", "b"), pair("a", ""));
  await assertRejects(() => collectRecords(values, { file: "x" }), RecordError, 'x:2: "rejected" is empty');
  const { records, dropped } = await collectRecords(values, { file: "x", invalid: "skip" });
  assertEquals(records.length, 1);
  assertEquals(dropped, { "invalid record": { count: 1, lines: [2] } });
});

Deno.test("collectRecords insists on the kind that is wanted", async () => {
  const values = entries({ prompt: "p", completion: "c" });
  await assertRejects(
    () => collectRecords(values, { file: "x", kind: "paired" }),
    RecordError,
    "x:1: the record is a demonstration {prompt, completion}, {messages} or {text}; wanted a pair",
  );
});

Deno.test("collectRecords refuses a file without a usable record", async () => {
  await assertRejects(
    () => collectRecords(entries(pair("a", "a")), { file: "x" }),
    Error,
    "x: no usable record is left: 1 record dropped, chosen equals rejected: line 1",
  );
});

Deno.test("collectRecords stays true to errors that aren't about a record", async () => {
  // deno-lint-ignore require-yield
  const broken = async function* (): AsyncGenerator<JsonEntry> {
    await Promise.resolve();
    throw new TypeError("disk on fire");
  };
  await assertRejects(
    () => collectRecords(broken(), { file: "x", invalid: "skip" }),
    TypeError,
    "disk on fire",
  );
});

Deno.test("describeDropped shows the first five lines and that there are more", async () => {
  const { dropped } = await collectRecords(entries(...Array(7).fill(pair("a", "a")), pair("a", "b"), 3), {
    file: "x",
    invalid: "skip",
  });
  assertEquals(
    describeDropped(dropped),
    "7 records dropped, chosen equals rejected: lines 1, 2, 3, 4, 5, …\n" +
      "1 record dropped, invalid record: line 9",
  );
  assertEquals(countDropped(dropped), 8);
  assertEquals(describeDropped({}), "");
});
