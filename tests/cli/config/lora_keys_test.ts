import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Command, configHelp, parseConfig, stringifyConfig } from "../../../cli/config.ts";
import { UserError } from "../../../cli/errors.ts";

const BASE = "data: { train: pairs.jsonl }\noutput: { directory: runs/x }\n";

function lora(yaml: string, { flags = {}, more = "", command = "train" as Command } = {}) {
  const overrides = Object.entries(flags).map(([key, value]) => ({ key, value: String(value) }));
  return parseConfig(command, {
    yaml: `${BASE}${more}model:\n  path: m\n  ${yaml}\n`,
    name: "run.yaml",
    overrides,
  });
}

const loraOf = (...given: Parameters<typeof lora>) =>
  (lora(...given) as ReturnType<typeof parseConfig<"train">>).model.lora;

function problem(...given: Parameters<typeof lora>): string {
  return assertThrows(() => lora(...given), UserError).message;
}

Deno.test("model.lora is a section that may be left out", () => {
  assertEquals(loraOf(""), undefined);
  assertEquals(loraOf("lora: null"), null);
  assertEquals(loraOf("lora: {}"), { path: null, base: "float32", merge: true });
  assertEquals(loraOf("", { flags: { "model.lora.rank": 8 } }), {
    path: null,
    rank: 8,
    base: "float32",
    merge: true,
  });
});

Deno.test("model.lora takes PEFT's choices", () => {
  const yaml =
    "lora: { rank: 4, alpha: 8, targets: [q_proj, v_proj], layers: 3, use_rslora: true, rank_pattern: { v_proj: 2 } }";
  assertEquals(loraOf(yaml), {
    path: null,
    rank: 4,
    alpha: 8,
    targets: ["q_proj", "v_proj"],
    layers: [3],
    useRslora: true,
    rankPattern: [["v_proj", 2]],
    base: "float32",
    merge: true,
  });
  const flags = { "model.lora.targets": ".*proj", "model.lora.base": "bfloat16" };
  assertEquals(loraOf("", { flags }), { path: null, targets: ".*proj", base: "bfloat16", merge: true });
});

Deno.test("a configuration with model.lora is read back as it was written", () => {
  const config = lora("lora: { rank: 4, rank_pattern: { q_proj: 2 }, targets: all-linear }");
  assertEquals(parseConfig("train", { yaml: stringifyConfig(config) }), config);
});

Deno.test("model.lora refuses what would be ignored, and what it doesn't know", () => {
  assert(problem("lora: { dropout: 0.1 }").includes("unknown key"));
  assert(problem("lora: { rnak: 8 }").includes("did you mean"));
  assert(problem("lora: 8").includes("a mapping is wanted"));
  assert(problem("lora: { rank: 0 }").includes("model.lora.rank"));
  assert(
    problem("lora: { path: adapter, use_rslora: true }").includes("would win over model.lora.use_rslora"),
  );
  const path = problem("lora: {}", { more: "reference: { path: other }\n" });
  assert(path.includes("reference.path") && path.includes("shares the policy's base"), path);
  const snapshots = problem("lora: { snapshots: 4 }", { more: "reference: { update: hard, every: 8 }\n" });
  assert(snapshots.includes("would be ignored by reference.update: hard"), snapshots);
  const dtype = problem("lora: {}", { more: "reference: { update: frozen, dtype: bfloat16 }\n" });
  assert(dtype.includes("set model.lora.base"), dtype);
  assert(problem("lora: { snapshots: 4 }", { command: "sft" }).includes("sft compares with no reference"));
});

Deno.test("the help of train lists the keys of model.lora", () => {
  assert(configHelp("train").includes("model.lora.targets"));
  assert(configHelp("score").includes("model.adapter"));
});
