/** The lines of data/README.md are what it says they are. */
import { parseRecord } from "@tr/align/data";
import { assert, assertEquals } from "@std/assert";

const KINDS = {
  "**Pairs**": "paired",
  "**Labelled completions**": "unpaired",
  "**Demonstrations**": "sft",
} as const;

Deno.test("every example of data/README.md is a record of the kind under which it stands", async () => {
  const text = await Deno.readTextFile(new URL("../../data/README.md", import.meta.url));
  const counts = { paired: 0, unpaired: 0, sft: 0 };
  let kind: keyof typeof counts | undefined;
  for (const [i, line] of text.split("\n").entries()) {
    const heading = Object.entries(KINDS).find(([heading]) => line.startsWith(heading));
    if (heading) kind = heading[1];
    if (line.startsWith("## ") && kind !== undefined) break;
    const example = /\| `(\{.*\})` *\|$/.exec(line)?.[1];
    if (example === undefined) continue;
    assert(kind !== undefined);
    const record = parseRecord(JSON.parse(example), { file: "data/README.md", line: i + 1 });
    assertEquals(record.kind, kind, example);
    counts[kind]++;
  }
  assertEquals(counts, { paired: 10, unpaired: 6, sft: 6 });
});
