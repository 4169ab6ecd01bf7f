/** The configurations of the paper's three experiments; what they should say is the paper's (arXiv 2404.09656). */
import { assert, assertEquals } from "@std/assert";
import { loadConfig } from "../../cli/config.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url).pathname;

/** Pairs of each data set's training split, as its card on the hub counts them, and where they come from. */
const CONFIGURATIONS = {
  hh: {
    pairs: 43_835,
    train: ["hf://datasets/Anthropic/hh-rlhf/helpful-base/train.jsonl.gz"],
    eval: "hf://datasets/Anthropic/hh-rlhf/helpful-base/test.jsonl.gz",
  },
  summarize: { pairs: 92_858, train: ["trl-lib/tldr-preference"], eval: "trl-lib/tldr-preference" },
  ultrafeedback: {
    pairs: 61_135,
    train: [{ path: "HuggingFaceH4/ultrafeedback_binarized", split: "train_prefs" }],
    eval: { path: "HuggingFaceH4/ultrafeedback_binarized", split: "test_prefs" },
  },
};

for (const [name, { pairs, ...data }] of Object.entries(CONFIGURATIONS)) {
  const file = `${EXAMPLES}${name}.yaml`;

  Deno.test(`examples/${name}.yaml is the paper's setting: beta 0.05, alpha 0.6, norm 2, 128 pairs a step, one epoch`, async () => {
    const config = await loadConfig("train", { file, overrides: [] });
    const { loss, reference, training, model } = config;
    assertEquals(loss, [{ type: "dpo", beta: 0.05, labelSmoothing: 0, weight: 1 }]);
    assert(reference?.update === "soft" && reference.alpha === 0.6, JSON.stringify(reference));
    const updates = Math.floor(training.steps / reference.every);
    assert(updates >= 3 && updates <= 8, `${updates} updates`);
    assertEquals(training.maxGradNorm, 2);
    assertEquals(training.warmup, 100);
    assertEquals(training.batchSize * training.accumulate, 128);
    assertEquals(training.steps, Math.floor(pairs / 128));
    // The paper's rate is for all weights; with adapters the files say that they take ten times as much.
    assertEquals(training.learningRate, model.lora == null ? 1e-6 : 1e-5);
    assertEquals(JSON.parse(JSON.stringify({ train: config.data.train, eval: config.data.eval })), data);
  });

  Deno.test(`examples/${name}.yaml explains every key in one sentence`, async () => {
    const lines = (await Deno.readTextFile(file)).split("\n");
    lines.forEach((line, i) => {
      const key = /^( {2,})(\w+):/.exec(line);
      if (key === null) return;
      const comment = lines[i - 1]!;
      assert(comment.startsWith(`${key[1]}# `), `line ${i + 1} has no comment: ${line}`);
      assert(comment.endsWith(".") || comment.endsWith("…}."), `line ${i} is no sentence: ${comment}`);
    });
  });
}

Deno.test("examples/hh.yaml runs on local files, with all weights or adapters", async () => {
  const overrides = [
    { key: "model.path", value: "./model" },
    { key: "data.train", value: "helpful-base.train.jsonl.gz" },
    { key: "data.eval", value: "helpful-base.test.jsonl.gz" },
    { key: "model.lora.base", value: "bfloat16" },
  ];
  const { model, data } = await loadConfig("train", { file: `${EXAMPLES}hh.yaml`, overrides });
  assertEquals([model.path, model.lora?.base], ["./model", "bfloat16"]);
  assertEquals(data.train, ["helpful-base.train.jsonl.gz"]);
});
