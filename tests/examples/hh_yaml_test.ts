import { assert, assertEquals } from "@std/assert";
import { loadConfig } from "../../cli/config.ts";

const path = new URL("../../examples/hh.yaml", import.meta.url).pathname;

Deno.test("examples/hh.yaml is the paper's setting: beta 0.05, alpha 0.6, rate 1e-6, norm 2, 128 pairs a step", async () => {
  const { loss, reference, training } = await loadConfig("train", { file: path, overrides: [] });
  assertEquals(loss, [{ type: "dpo", beta: 0.05, labelSmoothing: 0, weight: 1 }]);
  assertEquals(reference, { update: "soft", alpha: 0.6, every: 64, path: null, after: 0, until: null });
  assertEquals(training.learningRate, 1e-6);
  assertEquals(training.maxGradNorm, 2);
  assertEquals(training.batchSize * training.accumulate, 128);
});

Deno.test("examples/hh.yaml explains every key", async () => {
  const lines = (await Deno.readTextFile(path)).split("\n");
  lines.forEach((line, i) => {
    if (!/^ {2}\w+:/.test(line)) return;
    // A comment stands before the key, or before the group of keys that it belongs to.
    const before = lines.slice(0, i).findLastIndex((other) => /^\w+:|^ {2}#/.test(other));
    assert(lines[before]!.startsWith("  #"), `line ${i + 1} has no comment: ${line}`);
  });
});
