import { assert, assertEquals } from "@std/assert";
import { expandSweep } from "../../cli/sweep/expand.ts";
import { loadSweep } from "../../cli/sweep/parse_sweep.ts";

const path = new URL("../../examples/sweep.yaml", import.meta.url).pathname;

Deno.test("examples/sweep.yaml is a sweep over reference, beta and seed", async () => {
  const { runs, skipped } = expandSweep(await loadSweep(path), { name: path });
  // soft: 2 alphas and 2 intervals; hard: 2 intervals; frozen: one. Each with 2 betas and 3 seeds.
  assertEquals(runs.length, (2 * 2 + 2 + 1) * 2 * 3);
  assertEquals(skipped.length, 2);
});

Deno.test("examples/sweep.yaml explains every key", async () => {
  const lines = (await Deno.readTextFile(path)).split("\n");
  const keys = lines.map((line, i) => ({ line, before: lines[i - 1] ?? "" })).filter(({ line }) =>
    /^ +[\w.]+: \S/.test(line)
  );
  assert(keys.length >= 15, `${keys.length} keys`);
  for (const { line, before } of keys) {
    assert(line.includes(" # ") || before.trimStart().startsWith("#"), `no comment: ${line}`);
  }
});
