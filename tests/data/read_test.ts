import { readRecords } from "@tr/align/data";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { besideCheckout } from "./support.ts";

Deno.test("readRecords says what's wrong with a file", async () => {
  const directory = await Deno.makeTempDir();
  await assertRejects(() => readRecords(`${directory}/no.jsonl`), Error, "no.jsonl: no such file");
  await assertRejects(
    () => readRecords(`${directory}/pairs.csv`),
    Error,
    "wanted a file name that ends in .jsonl",
  );
  await Deno.writeTextFile(`${directory}/empty.jsonl`, "");
  await assertRejects(() => readRecords(`${directory}/empty.jsonl`), Error, "empty.jsonl: no records");
  await Deno.remove(directory, { recursive: true });
});

Deno.test("readRecords reads the same records from all four kinds of file", async () => {
  const directory = await Deno.makeTempDir();
  const values = [{ prompt: "p", completion: "c", label: true }, {
    prompt: "p",
    completion: "d",
    label: false,
  }];
  const lines = values.map((value) => JSON.stringify(value)).join("\n");
  for (const [name, text] of [["a.jsonl", lines], ["b.json", JSON.stringify(values)]] as const) {
    await Deno.writeTextFile(`${directory}/${name}`, text);
    const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
    await Deno.writeFile(`${directory}/${name}.gz`, packed);
    for (const file of [name, `${name}.gz`]) {
      const { records } = await readRecords(`${directory}/${file}`, { kind: "unpaired" });
      assertEquals(records.map(({ line, label }) => [line, label]), [[1, true], [2, false]]);
    }
  }
  await Deno.remove(directory, { recursive: true });
});

const hh = besideCheckout("data/hh-rlhf/helpful-base.test.jsonl.gz");
Deno.test({
  name: "readRecords splits 2343 of the 2354 pairs of HH helpful-base test",
  ignore: hh.isAbsent,
  async fn(): Promise<void> {
    // Counted in Python: 9 pairs differ before their last "\n\nAssistant:", 2 have equal sides.
    await assertRejects(() => readRecords(hh.path), Error, "jsonl.gz:169: ");
    const { records, dropped } = await readRecords(hh.path, { kind: "paired", invalid: "skip" });
    assertEquals(records.length, 2343);
    assertEquals(dropped["invalid record"], { count: 9, lines: [169, 355, 568, 744, 961] });
    assertEquals(dropped["chosen equals rejected"], { count: 2, lines: [722, 2169] });
    for (const { prompt, chosen, rejected } of records) {
      assert(typeof prompt === "string" && prompt.endsWith("\n\nAssistant:"));
      for (const completion of [chosen, rejected]) {
        assert(typeof completion === "string" && !completion.includes("\n\nAssistant:"));
      }
    }
  },
});

const kto = besideCheckout("data/kto-en/kto_en_demo.json");
Deno.test({
  name: "readRecords reads the 300 labelled conversations of kto-en",
  ignore: kto.isAbsent,
  async fn(): Promise<void> {
    const { records, dropped } = await readRecords(kto.path, { kind: "unpaired" });
    assertEquals(records.length, 300);
    assertEquals(records.filter(({ label }) => label).length, 150);
    assertEquals(dropped, {});
  },
});
