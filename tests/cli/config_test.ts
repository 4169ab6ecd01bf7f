import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type Command,
  type CommandConfigs,
  configHelp,
  type ConfigSource,
  loadConfig,
  type Override,
  parseConfig,
  stringifyConfig,
  type TrainConfig,
} from "../../cli/config.ts";
import { UserError } from "../../cli/errors.ts";
import { compileLoss } from "../../losses/compile.ts";
import { lossOf } from "../../training/config.ts";

const BASE = "model: { path: ./model }\ndata: { train: pairs.jsonl }\noutput: { directory: runs/x }\n";

/** The config of `train` from BASE, more YAML, and flags. */
function train(yaml = "", flags: Record<string, string | true> = {}): TrainConfig {
  return parseConfig("train", { yaml: BASE + yaml, name: "run.yaml", overrides: overridesOf(flags) });
}

function overridesOf(flags: Record<string, string | true>): Override[] {
  return Object.entries(flags).map(([key, value]) => ({ key, value }));
}

/** The lines of the message, below the heading if there is one. */
function problems(command: Command, source: ConfigSource): string[] {
  const { message } = assertThrows(() => parseConfig(command, { name: "run.yaml", ...source }), UserError);
  const lines = message.split("\n");
  if (lines.length === 1) return [message.replace(/^run\.yaml: /, "")];
  assertEquals(lines[0], `run.yaml: ${lines.length - 1} problems`);
  return lines.slice(1).map((line) => line.trim());
}

function trainProblemsOrNone(yaml: string): string[] {
  try {
    train(yaml);
    return [];
  } catch {
    return trainProblems(yaml);
  }
}

function trainProblems(yaml: string, flags: Record<string, string | true> = {}): string[] {
  return problems("train", { yaml: BASE + yaml, overrides: overridesOf(flags) });
}

/** Every type of loss with its keys and their defaults; `average` and robust's `label_smoothing` have none. */
const lossDefaults = {
  dpo: { beta: 0.05, labelSmoothing: 0 },
  ipo: { beta: 0.05, average: "sum" },
  kto: { beta: 0.05, desirableWeight: 1, undesirableWeight: 1 },
  kto_paired: { beta: 0.05, detach: true },
  sft: {},
  robust: { beta: 0.05, labelSmoothing: 0.2 },
  hinge: { beta: 0.05 },
  exo_pair: { beta: 0.05, labelSmoothing: 1e-3 },
  nca_pair: { beta: 0.05 },
  bco_pair: { beta: 0.05 },
  sppo_hard: { beta: 0.05 },
  apo_zero: { beta: 0.05 },
  apo_down: { beta: 0.05 },
  discopop: { beta: 0.05, tau: 0.05 },
  sigmoid_norm: { beta: 5 },
  dpop: { beta: 0.05, lambda: 50 },
  cal_dpo: { beta: 0.05 },
  simpo: { beta: 2, gamma: 1 },
  cpo: { beta: 0.1, labelSmoothing: 0 },
  orpo: { beta: 0.1 },
  margin: { beta: 0.05 },
  aot: { beta: 0.05, labelSmoothing: 0 },
  aot_unpaired: { beta: 0.05, labelSmoothing: 0 },
  rpo: { beta: 0.05, labelSmoothing: 0, alpha: 1 },
  mpo: { beta: 0.05 },
};
const lossTypes = Object.keys(lossDefaults) as (keyof typeof lossDefaults)[];
/** A loss over the same kind of records, for lists. */
const partnerOf = (type: string) => type === "kto" ? "kto" : "dpo";
const requiredKeys: Record<string, string> = { ipo: ", average: sum", robust: ", label_smoothing: 0.2" };

Deno.test("parseConfig fills in every default of train", () => {
  const expected: TrainConfig = {
    model: { path: "./model", dtype: "float32" },
    data: {
      train: ["pairs.jsonl"],
      eval: null,
      evalRecords: null,
      maxLength: 512,
      maxPromptLength: null,
      truncate: "keep_end",
      template: null,
      invalid: "error",
      datasetInfo: null,
      cache: "auto",
      shuffle: true,
    },
    loss: [{ type: "dpo", beta: 0.05, labelSmoothing: 0, weight: 1 }],
    reference: { update: "soft", alpha: 0.6, every: 64, path: null, after: 0, until: null },
    training: {
      steps: 500,
      batchSize: 8,
      accumulate: 1,
      learningRate: 1e-6,
      schedule: "cosine",
      warmup: 50,
      weightDecay: 0,
      adamBetas: [0.9, 0.999],
      adamEpsilon: 1e-8,
      maxGradNorm: 2,
      seed: 0,
      checkpointing: "auto",
      memoryLimit: null,
      initialEvery: 1,
    },
    output: {
      directory: "runs/x",
      saveEvery: 100,
      evalEvery: 50,
      logEvery: 1,
      keepCheckpoints: 2,
      samples: 3,
      sampleTokens: 64,
    },
    generation: { temperature: 1, topK: null, topP: null, seed: 0 },
  };
  assertEquals(train(), expected);
});

Deno.test("parseConfig reads a configuration in the documented form", () => {
  const config = parseConfig("train", {
    yaml: `
model:      { path: ./model }                          # directory in Hugging Face layout
data:       { train: [a.jsonl, b.jsonl], eval: held_out.jsonl, max_length: 1024, shuffle: false }
loss:       { type: ipo, beta: 0.1, average: mean }
reference:  { update: hard, every: 128, path: ./base }
training:   { steps: 1000, batch_size: 4, accumulate: 4, learning_rate: 1e-6, schedule: constant, warmup: 100,
              weight_decay: 0.01, adam_betas: [0.8, 0.99], adam_epsilon: 1e-6, max_grad_norm: null, seed: 7 }
output:     { directory: runs/hh, save_every: 0 }
`,
  });
  assertEquals(config.data.train, ["a.jsonl", "b.jsonl"]);
  assertEquals(config.loss, [{ type: "ipo", beta: 0.1, average: "mean", weight: 1 }]);
  assertEquals(config.reference, {
    update: "hard",
    every: 128,
    path: "./base",
    resetOptimizer: false,
    after: 0,
    until: null,
  });
  assertEquals(config.training.adamBetas, [0.8, 0.99]);
  assertEquals(config.training.maxGradNorm, null);
  assertEquals(config.training.warmup, 100);
});

Deno.test("parseConfig fills in every default of each loss, and stringifyConfig writes them all", () => {
  for (const type of lossTypes) {
    const term = `{ type: ${type}${requiredKeys[type] ?? ""} }`;
    const config = train(`loss: [${term}, { type: ${partnerOf(type)}, weight: 2 }]\n`);
    assertEquals<unknown>(config.loss[0], { type, ...lossDefaults[type], weight: 1 });
    assertEquals(parseConfig("train", { yaml: stringifyConfig(config) }), config);
  }
});

Deno.test("parseConfig wants robust's label_smoothing", () => {
  const [line = "", ...others] = trainProblems("loss: { type: robust }\n");
  assertEquals(others, []);
  assertStringIncludes(line, "loss.label_smoothing: is missing");
});

Deno.test("parseConfig refuses a reference that the loss would ignore, for exactly the losses that have none", () => {
  const about = (type: string) =>
    trainProblemsOrNone(
      `loss: { type: ${type}${
        requiredKeys[type] ?? ""
      } }\nreference: { update: hard, every: 8, path: ./base }\n`,
    );
  for (const type of lossTypes.filter((type) => type !== "sft")) {
    const [loss] =
      train(`loss: [{ type: ${type}${requiredKeys[type] ?? ""} }, { type: ${partnerOf(type)} }]\n`).loss;
    const { needs } = compileLoss(lossOf({ loss: [loss!] }));
    const why = `would be ignored by ${type}, which compares with no reference`;
    assertEquals(
      about(type),
      needs.reference ? [] : [
        `reference.update: hard ${why}; set it to frozen (line 5)`,
        `reference.path: ${why}; leave it out (line 5)`,
      ],
    );
  }
  assertEquals(
    trainProblemsOrNone("loss: [{ type: orpo }, { type: sft }]\nreference: { update: frozen }\n"),
    [],
  );
  assertEquals(trainProblemsOrNone("loss: [{ type: orpo }, { type: dpo }]\n"), []);
});

Deno.test("parseConfig takes a storage type for a frozen reference, and for no other", () => {
  assertEquals(train("reference: { update: frozen, dtype: bfloat16 }\n").reference, {
    update: "frozen",
    path: null,
    dtype: "bfloat16",
  });
  for (
    const [yaml, part] of [
      ["reference: { update: soft, dtype: bfloat16 }\n", "reference.dtype: would be ignored by update: soft"],
      [
        "loss: { type: orpo }\nreference: { update: frozen, dtype: bfloat16 }\n",
        "reference.dtype: would be ignored by orpo, which compares with no reference",
      ],
    ] as const
  ) assert(trainProblems(yaml)[0]!.startsWith(part), trainProblems(yaml)[0]);
});

Deno.test("parseConfig freezes the reference of losses that have none, unless something is said of its updates", () => {
  for (
    const loss of ["{ type: simpo }", "{ type: orpo }", "{ type: cpo }", "[{ type: orpo }, { type: sft }]"]
  ) {
    const config = train(`loss: ${loss}\n`);
    assertEquals(config.reference, { update: "frozen", path: null, dtype: "float32" });
    assertEquals(parseConfig("train", { yaml: stringifyConfig(config) }), config);
  }
  assertEquals(train("loss: [{ type: orpo }, { type: dpo }]\n").reference.update, "soft");
  for (const given of ["alpha: 0.5", "every: 8", "update: soft"]) {
    assertEquals(
      trainProblems(`loss: { type: simpo }\nreference: { ${given} }\n`)[0]?.split(", which")[0],
      [
        "reference.update: soft would be ignored by simpo",
      ][0],
    );
  }
});

Deno.test("parseConfig takes what can be changed about a loss, and writes only what was given", () => {
  const changes =
    "hypo: true, normalize_lengths: true, ld_alpha: 0.5, wpo: true, divergence: alpha, divergence_alpha: 0.5";
  const config = train(`loss: { type: dpo, wpo: true, ld_alpha: 0.25 }\n`);
  assertEquals(config.loss, [{
    type: "dpo",
    beta: 0.05,
    labelSmoothing: 0,
    wpo: true,
    ldAlpha: 0.25,
    weight: 1,
  }]);
  assertEquals(parseConfig("train", { yaml: stringifyConfig(config) }), config);
  const none = trainProblems(`loss: { type: kto, ${changes} }\n`);
  assertEquals(none.map((line) => line.split(":")[0]), [
    "loss.hypo",
    "loss.normalize_lengths",
    "loss.ld_alpha",
    "loss.wpo",
    "loss.divergence",
    "loss.divergence_alpha",
  ]);
});

Deno.test("parseConfig refuses changes that don't fit the loss or each other, by name", () => {
  const problem = (loss: string) => trainProblems(`loss: ${loss}\n`).join();
  assertStringIncludes(problem("{ type: dpo, divergence: alpha }"), "needs a number, divergence_alpha");
  assertStringIncludes(
    problem("{ type: dpo, divergence_alpha: 0.5 }"),
    "would be ignored by divergence reverse_kl",
  );
  assertStringIncludes(problem("{ type: dpo, divergence: alpha, divergence_alpha: 1 }"), "within 0.01 of 1");
  assertStringIncludes(problem("{ type: dpo, hypo: true, divergence: forward_kl }"), "hypo: dpo reads more");
  assertStringIncludes(
    problem("{ type: ipo, average: mean, ld_alpha: 0.5 }"),
    "ldDpo: ipo divides by lengths",
  );
  assertStringIncludes(problem("[{ type: dpo, ld_alpha: 0.5 }, { type: sft }]"), "combine: ld dpo and sft");
  assertStringIncludes(problem("{ type: dpo, ld_alpha: 1 }"), "loss.ld_alpha: 1 is not a number");
});

Deno.test("parseConfig refuses to sort a batch of one", () => {
  const one = "training: { batch_size: 1, accumulate: 1 }\n";
  for (const type of ["aot", "aot_unpaired"]) {
    assertStringIncludes(
      trainProblems(`loss: { type: ${type} }\n${one}`).join(),
      "leaves aot nothing to sort",
    );
  }
  train(`loss: { type: aot }\ntraining: { batch_size: 1, accumulate: 2 }\n`);
});

Deno.test("parseConfig takes a list of losses with weights", () => {
  const config = train("loss:\n- { type: dpo, beta: 0.2 }\n- type: sft\n  weight: 0.1\n");
  assertEquals(config.loss, [
    { type: "dpo", beta: 0.2, labelSmoothing: 0, weight: 1 },
    { type: "sft", weight: 0.1 },
  ]);
});

Deno.test("parseConfig reads numbers that are written as text", () => {
  const { training } = train(`training: { learning_rate: "1e-6", steps: '300', adam_betas: ["0.5", 0.6] }\n`);
  assertEquals(training.learningRate, 1e-6);
  assertEquals(training.steps, 300);
  assertEquals(training.adamBetas, [0.5, 0.6]);
});

Deno.test("parseConfig takes a section whose keys are all commented out for an empty one", () => {
  assertEquals(train("training:\n  # steps: 3\n"), train());
  assertEquals(train("loss:\nreference:\n"), train());
});

Deno.test("parseConfig shortens the default warm-up of a short run, and only that", () => {
  assertEquals(train("training: { steps: 30 }\n").training.warmup, 3);
  assertEquals(train("training: { steps: 5 }\n").training.warmup, 0);
  assertEquals(train("training: { steps: 10000 }\n").training.warmup, 50);
  assertEquals(train("training: { steps: 30, warmup: 30 }\n").training.warmup, 30);
});

Deno.test("parseConfig puts keys in one order, given or not", () => {
  const given = train("training: { warmup: 50 }\n");
  assertEquals(Object.keys(given.training), Object.keys(train().training));
});

Deno.test("parseConfig lets flags win over the file", () => {
  const config = train("loss: { beta: 0.1 }\ntraining: { steps: 10, seed: 3 }\n", {
    "loss.beta": "0.2",
    "training.steps": "20",
    "training.learning_rate": "1e-5",
  });
  assertEquals(config.loss[0], { type: "dpo", beta: 0.2, labelSmoothing: 0, weight: 1 });
  assertEquals([config.training.steps, config.training.seed, config.training.learningRate], [20, 3, 1e-5]);
});

Deno.test("parseConfig takes everything from flags", () => {
  const config = parseConfig("train", {
    overrides: overridesOf({
      "model.path": "./model",
      "data.train": "pairs.jsonl",
      "output.directory": "runs/x",
    }),
  });
  assertEquals(config, train());
});

Deno.test("parseConfig keeps names that YAML would read as something else, where flags give them", () => {
  const config = train("", {
    "output.directory": "2024-01-01",
    "model.path": "0x10",
    "data.eval": "yes: no",
  });
  assertEquals([config.output.directory, config.model.path, config.data.eval], [
    "2024-01-01",
    "0x10",
    "yes: no",
  ]);
});

Deno.test("parseConfig reads null, lists, switches and sections from flags", () => {
  const config = train(
    "reference: { alpha: 0.5 }\n",
    {
      "data.train": "[a.jsonl, b.jsonl]",
      "data.eval": "null",
      "data.shuffle": "false",
      "training.max_grad_norm": "null",
      "training.adam_betas": "[0.5, 0.6]",
      "reference": "{ update: frozen }",
    },
  );
  assertEquals(config.data.train, ["a.jsonl", "b.jsonl"]);
  assertEquals(config.data.eval, null);
  assertEquals(config.data.shuffle, false);
  assertEquals(config.training.maxGradNorm, null);
  assertEquals(config.training.adamBetas, [0.5, 0.6]);
  assertEquals(config.reference, { update: "frozen", path: null, dtype: "float32" });
});

Deno.test("parseConfig lays a flag for a section below flags for its keys", () => {
  const config = train("", { "loss.0.beta": "0.3", "loss": "[{ type: dpo }, { type: sft, weight: 0.1 }]" });
  assertEquals(config.loss[0], { type: "dpo", beta: 0.3, labelSmoothing: 0, weight: 1 });
});

Deno.test("parseConfig takes a bare switch for true", () => {
  const config = parseConfig("train", {
    yaml: BASE.replace("pairs.jsonl", "a.jsonl, shuffle: false"),
    overrides: [{ key: "data.shuffle", value: true }],
  });
  assertEquals(config.data.shuffle, true);
});

Deno.test("parseConfig collects a repeated data.train and refuses other repeated flags", () => {
  const twice = (key: string, a: string, b: string) => ({
    yaml: BASE,
    overrides: [{ key, value: a }, { key, value: b }],
  });
  assertEquals(parseConfig("train", twice("data.train", "a.jsonl", "b.jsonl")).data.train, [
    "a.jsonl",
    "b.jsonl",
  ]);
  assertEquals(problems("train", twice("training.steps", "1", "2")), [
    "training.steps: is given 2 times (--training.steps)",
  ]);
});

Deno.test("parseConfig changes one entry of a list that an anchor repeats", () => {
  const config = train("loss: [&a { type: dpo, weight: 0.5 }, *a]\n", { "loss.0.beta": "0.9" });
  assertEquals(config.loss.map((term) => "beta" in term ? term.beta : undefined), [0.9, 0.05]);
});

Deno.test("parseConfig names every problem with its line", () => {
  const yaml = `model:
  path: ./model
  pth: other
trainng: { steps: 3 }
training:
  learning_rate: fast
  batch_size: 0
  steps: 2.5
  adam_betas: [0.9]
data:
  train: []
  truncate: keep_ends
  shuffle: "yes"
`;
  assertEquals(problems("train", { yaml }), [
    "trainng: unknown key; did you mean training? (line 4)",
    "model.pth: unknown key; did you mean model.path? (line 3)",
    "data.train: [] is not a path, a mapping { path, split, weight }, or a list of these (line 11)",
    'data.truncate: "keep_ends" is not keep_end or keep_start (line 12)',
    'data.shuffle: "yes" is not true or false (line 13)',
    "training.steps: 2.5 is not a whole number of at least 1 (line 8)",
    "training.batch_size: 0 is not a whole number of at least 1 (line 7)",
    'training.learning_rate: "fast" is not a number above 0 (line 6)',
    "training.adam_betas: [0.9] is not a list of two numbers of at least 0 and below 1, such as [0.9, 0.999] (line 9)",
    "output.directory: is missing: Directory that the run writes to",
  ]);
});

Deno.test("parseConfig names what is missing from an empty file", () => {
  const lines = problems("train", { yaml: "" });
  assertEquals(lines.map((line) => line.split(": ").slice(0, 2).join(": ")), [
    "model.path: is missing",
    "data.train: is missing",
    "output.directory: is missing",
  ]);
});

Deno.test("parseConfig names the flag of a wrong value", () => {
  assertEquals(trainProblems("loss: { beta: 0.1 }\n", { "loss.beta": "-1", "training.seed": true }), [
    "training.seed: needs a value, a whole number of at least 0 and at most 4294967295 (--training.seed)",
    "loss.beta: -1 is not a number above 0 (--loss.beta)",
  ]);
});

Deno.test("parseConfig names the flag, not a hidden line, of a section that a flag replaces", () => {
  assertEquals(trainProblems("loss: { type: ipo, beta: 0.1 }\n", { loss: "{ type: dpo, beta: 0 }" }), [
    "loss.beta: 0 is not a number above 0 (--loss)",
  ]);
});

Deno.test("parseConfig suggests the section that has a key", () => {
  assertEquals(trainProblems("training: { every: 5, learningRate: 1 }\nbeta: 3\n"), [
    "beta: unknown key; did you mean loss.beta? (line 5)",
    "training.every: unknown key; did you mean reference.every? (line 4)",
    "training.learningRate: unknown key; did you mean training.learning_rate? (line 4)",
  ]);
});

const typesWithBeta = "dpo, ipo, kto, kto_paired, robust, hinge, exo_pair, nca_pair, bco_pair, sppo_hard, " +
  "apo_zero, apo_down, discopop, sigmoid_norm, dpop, cal_dpo, simpo, cpo, orpo, margin, aot, aot_unpaired, rpo, mpo";
const typesWithSmoothing = "dpo, robust, exo_pair, cpo, aot, aot_unpaired, rpo";

Deno.test("parseConfig refuses options that a type would ignore, by name", () => {
  assertEquals(trainProblems("loss:\n  type: ipo\n  average: sum\n  label_smoothing: 0.1\n"), [
    `loss.label_smoothing: would be ignored by type: ipo; it belongs to ${typesWithSmoothing} (line 7)`,
  ]);
  assertEquals(trainProblems("loss: { type: dpo, average: sum, detach: true }\n"), [
    "loss.average: would be ignored by type: dpo; it belongs to ipo (line 4)",
    "loss.detach: would be ignored by type: dpo; it belongs to kto_paired (line 4)",
  ]);
  assertEquals(trainProblems("loss: [{ type: dpo }, { type: sft, beta: 0.1 }]\n"), [
    `loss.1.beta: would be ignored by type: sft; it belongs to ${typesWithBeta} (line 4)`,
  ]);
  const keys = "label_smoothing: 0.1, tau: 0.1, gamma: 0.1, lambda: 1";
  assertEquals(trainProblems(`loss: { type: hinge, ${keys} }\n`), [
    `loss.label_smoothing: would be ignored by type: hinge; it belongs to ${typesWithSmoothing} (line 4)`,
    "loss.tau: would be ignored by type: hinge; it belongs to discopop (line 4)",
    "loss.gamma: would be ignored by type: hinge; it belongs to simpo (line 4)",
    "loss.lambda: would be ignored by type: hinge; it belongs to dpop (line 4)",
  ]);
  assertEquals(trainProblems("reference: { update: hard, alpha: 0.6 }\n"), [
    "reference.alpha: would be ignored by update: hard; it belongs to soft, epoch, adaptive (line 4)",
  ]);
  assertEquals(trainProblems("reference: { update: frozen, alpha: 0.6, every: 3 }\n"), [
    "reference.alpha: would be ignored by update: frozen; it belongs to soft, epoch, adaptive (line 4)",
    "reference.every: would be ignored by update: frozen; it belongs to soft, hard, scheduled, bema (line 4)",
  ]);
});

Deno.test("parseConfig says how a flag that changes a type replaces the file's section", () => {
  assertEquals(trainProblems("reference: { update: soft, alpha: 0.6 }\n", { "reference.update": "frozen" }), [
    "reference.alpha: would be ignored by update: frozen; it belongs to soft, epoch, adaptive; " +
    "--reference '{ update: frozen }' replaces the whole section (line 4)",
  ]);
});

Deno.test("parseConfig refuses types that do not exist, without complaints about the rest of the section", () => {
  assertEquals(
    trainProblems("loss: { type: dpoo, average: sum }\nreference: { update: never, every: 3 }\n"),
    [
      `loss.type: "dpoo" is not ${lossTypes.slice(0, -1).join(", ")} or mpo (line 4)`,
      'reference.update: "never" is not frozen, soft, hard, scheduled, epoch, adaptive or bema (line 5)',
    ],
  );
});

Deno.test("parseConfig wants ipo's average and explains the choice", () => {
  const [line = "", ...others] = trainProblems("loss: { type: ipo }\n");
  assertEquals(others, []);
  assertStringIncludes(line, "loss.average: is missing");
  assertStringIncludes(line, "sum");
  assertStringIncludes(line, "mean");
  assertStringIncludes(line, "neither is the default");
});

Deno.test("parseConfig allows a weight in a list only", () => {
  assertEquals(trainProblems("loss: { type: dpo, weight: 2 }\n"), [
    "loss.weight: has no place here; only the entries of a list have it (line 4)",
  ]);
  assertEquals(trainProblems("loss: [{ type: dpo, weight: 0 }]\n"), [
    "loss.0.weight: 0 is not a number above 0 (line 4)",
  ]);
  assertEquals(trainProblems("loss: []\n"), ["loss: [] is empty; give at least one loss (line 4)"]);
});

Deno.test("parseConfig says how to reach into a list by flag", () => {
  const yaml = "loss: [{ type: dpo }, { type: sft }]\n";
  assertEquals(trainProblems(yaml, { "loss.beta": "0.1" }), [
    "loss.beta: loss is a list; name the entry, as in --loss.0.beta (--loss.beta)",
  ]);
  assertEquals(trainProblems(yaml, { "loss.2.beta": "0.1" }), [
    "loss.2.beta: loss has only 2 entries, counted from 0 (--loss.2.beta)",
  ]);
});

Deno.test("parseConfig refuses sections that are no mappings, once each", () => {
  assertEquals(trainProblems("training: [1]\ngeneration: 5\nloss: dpo\n"), [
    'loss: "dpo" stands where a mapping is wanted, with keys below it (line 6)',
    "training: [1] stands where a mapping is wanted, with keys below it (line 4)",
    "generation: 5 stands where a mapping is wanted, with keys below it (line 5)",
  ]);
  assertStringIncludes(
    problems("train", { yaml: "- model\n" }).join(),
    '["model"] stands where a mapping is wanted',
  );
});

Deno.test("parseConfig tells text that YAML took for something else to be quoted", () => {
  assertEquals(problems("train", { yaml: BASE.replace("runs/x", "2024-01-01").replace("./model", "12") }), [
    "model.path: 12 is not a path; put it in quotes (line 1)",
    'output.directory: "2024-01-01T00:00:00.000Z" is not a path; put it in quotes (line 3)',
  ]);
});

Deno.test("parseConfig refuses what is no finite number, and null where it means nothing", () => {
  assertEquals(trainProblems("training: { learning_rate: .inf, weight_decay: .nan, steps: null }\n"), [
    "training.steps: null is not a whole number of at least 1 (line 4)",
    "training.learning_rate: Infinity is not a number above 0 (line 4)",
    "training.weight_decay: NaN is not a number of at least 0 (line 4)",
  ]);
});

Deno.test("parseConfig holds every bound", () => {
  const refused: Record<string, string[]> = {
    "loss.beta": ["0"],
    "loss.label_smoothing": ["-0.1", "0.5"],
    "reference.alpha": ["0", "1.1"],
    "reference.every": ["0"],
    "training.warmup": ["-1"],
    "training.adam_betas": ["[0.9, 1]", "[-0.1, 0.9]", "[0.9, 0.99, 0.999]", "0.9"],
    "training.adam_epsilon": ["0"],
    "training.max_grad_norm": ["0"],
    "training.seed": ["-1", "4294967296"],
    "output.log_every": ["0"],
    "output.keep_checkpoints": ["0"],
    "generation.top_p": ["0", "1.01"],
    "generation.top_k": ["0"],
    "model.path": [""],
  };
  for (const [key, values] of Object.entries(refused)) {
    for (const value of values) {
      const [line = "", ...others] = trainProblems("", { [key]: value });
      assert(line.startsWith(`${key}: `) && line.includes(" is not "), `${key} ${value}: ${line}`);
      assertEquals(others, []);
    }
  }
  const edges = train("", {
    "loss.label_smoothing": "0.49",
    "reference.alpha": "1",
    "training.seed": "4294967295",
    "training.adam_betas": "[0, 0.999]",
    "output.save_every": "0",
    "generation.top_p": "1",
  });
  assertEquals(edges.training.seed, 4294967295);
});

Deno.test("parseConfig holds every bound of the losses' own keys", () => {
  const refused: [string, string, string[]][] = [
    ["robust", "label_smoothing", ["0", "0.5"]],
    ["exo_pair", "label_smoothing", ["0", "0.5"]],
    ["cpo", "label_smoothing", ["-0.1", "0.5"]],
    ["discopop", "tau", ["0", "1.1"]],
    ["dpop", "lambda", ["0"]],
    ["simpo", "gamma", ["-0.1"]],
    ...lossTypes.filter((type) => type !== "sft").map((
      type,
    ): [string, string, string[]] => [type, "beta", ["0"]]),
  ];
  for (const [type, key, values] of refused) {
    for (const value of values) {
      const more = key === "label_smoothing" ? "" : requiredKeys[type] ?? "";
      const lines = trainProblems(`loss: { type: ${type}${more}, ${key}: ${value} }\n`);
      assertEquals(lines.length, 1, `${type} ${key} ${value}`);
      assertStringIncludes(lines[0]!, `loss.${key}: ${value} is not a number`);
    }
  }
});

Deno.test("parseConfig refuses a warm-up longer than the run", () => {
  assertEquals(trainProblems("training: { steps: 10, warmup: 11 }\n"), [
    "training.warmup: 11 is more than training.steps, 10 (line 4)",
  ]);
});

Deno.test("parseConfig refuses a reference that is the policy at every step", () => {
  for (const reference of ["{ update: hard, every: 1 }", "{ alpha: 1, every: 1 }"]) {
    const [line = "", ...others] = trainProblems(`reference: ${reference}\n`);
    assertStringIncludes(line, "copies the policy after every step");
    assertEquals(others, []);
  }
  assertEquals(train("reference: { alpha: 1, every: 2 }\n").reference.update, "soft");
  assertEquals(train("reference: { alpha: 0.9, every: 1 }\n").reference.update, "soft");
});

Deno.test("parseConfig fills in what each way of updating the reference has", () => {
  const span = { path: null, after: 0, until: null };
  const of = (yaml: string) => train(`reference: ${yaml}\n`).reference;
  assertEquals(of("{ update: scheduled, alpha_start: 0.2, alpha_end: 0.8 }"), {
    update: "scheduled",
    alphaStart: 0.2,
    alphaEnd: 0.8,
    schedule: "linear",
    every: 64,
    ...span,
  });
  assertEquals(of("{ update: epoch }"), { update: "epoch", alpha: 1, resetOptimizer: false, ...span });
  assertEquals(of("{ update: adaptive, bound: 5, after: 50, until: 400 }"), {
    update: "adaptive",
    measure: "kl",
    bound: 5,
    spacing: 16,
    average: 4,
    alpha: 1,
    resetOptimizer: false,
    ...span,
    after: 50,
    until: 400,
  });
  assertEquals(of("{ update: bema, every: 400 }"), {
    update: "bema",
    every: 400,
    emaPower: 0.5,
    biasPower: 0.2,
    lag: 10,
    multiplier: 1,
    ...span,
  });
});

Deno.test("parseConfig refuses settings of the reference that exclude each other, each by name", () => {
  const cases = [
    [
      "{ update: scheduled, alpha_start: 0.5, alpha_end: 0.5 }",
      "reference.alpha_end: 0.5 is alpha_start too, so the schedule would be ignored; take update: soft (line 4)",
    ],
    [
      "{ update: adaptive, measure: curvature, bound: 0.25 }",
      "reference.bound: 0.25 is not below 0.25, the largest curvature there is, so every step would update (line 4)",
    ],
    [
      "{ update: epoch, alpha: 0.5, reset_optimizer: true }",
      "reference.reset_optimizer: would be ignored with alpha 0.5, which never copies the policy; set alpha to 1 or " +
      "leave it out (line 4)",
    ],
    [
      "{ update: bema, path: ./base }",
      "reference.path: bema starts from the policy, whose way since then it adds to an average; leave it out (line 4)",
    ],
    [
      "{ update: hard, after: 60, until: 60 }",
      "reference.until: 60 is not more than reference.after, 60, so the reference would never move (line 4)",
    ],
    [
      "{ update: hard, after: 500 }",
      "reference.after: 500 leaves no step for an update within training.steps, 500; lower it, or take update: frozen " +
      "(line 4)",
    ],
    [
      "{ update: hard, until: 500 }",
      "reference.until: 500 would be ignored: the run ends after training.steps, 500; lower it or leave it out (line 4)",
    ],
    [
      "{ update: soft, reset_optimizer: true }",
      "reference.reset_optimizer: would be ignored by update: soft; it belongs to hard, epoch, adaptive (line 4)",
    ],
    [
      "{ update: frozen, after: 5 }",
      "reference.after: would be ignored by update: frozen; it belongs to soft, hard, scheduled, epoch, adaptive, bema " +
      "(line 4)",
    ],
  ] as const;
  for (const [yaml, problem] of cases) {
    assertEquals(trainProblems(`reference: ${yaml}\ntraining: { steps: 500 }\n`), [problem]);
  }
  const [missing = "", ...others] = trainProblems("reference: { update: adaptive }\n");
  assertStringIncludes(missing, "reference.bound: is missing: An update comes when kl or margin is above it");
  assertEquals(others, []);
  const allowed = [
    "{ update: adaptive, measure: margin, bound: 0.25, reset_optimizer: true }",
    "{ update: hard, after: 60, until: 61 }",
    "{ update: soft, alpha: 1, every: 2 }",
  ];
  for (const yaml of allowed) train(`reference: ${yaml}\ntraining: { steps: 500 }\n`);
});

Deno.test("parseConfig holds every bound of the reference's keys", () => {
  const refused: [string, string, string[]][] = [
    ["update: epoch", "alpha", ["0", "1.1"]],
    ["update: scheduled, alpha_end: 0.5", "alpha_start", ["-0.1", "1.1"]],
    ["update: scheduled, alpha_start: 0.5", "alpha_end", ["-0.1", "1.1"]],
    ["update: adaptive", "bound", ["0"]],
    ["update: adaptive, bound: 1", "spacing", ["0", "1.5"]],
    ["update: adaptive, bound: 1", "average", ["0", "65"]],
    ["update: bema", "ema_power", ["0", "1.1"]],
    ["update: bema", "bias_power", ["0", "1.1"]],
    ["update: bema", "lag", ["0.5"]],
    ["update: bema", "multiplier", ["0"]],
    ["update: hard", "after", ["-1"]],
    ["update: hard", "until", ["0"]],
  ];
  for (const [update, key, values] of refused) {
    for (const value of values) {
      const lines = trainProblems(`reference: { ${update}, ${key}: ${value} }\n`);
      assertEquals(lines.length, 1, `${update} ${key} ${value}: ${lines}`);
      assertStringIncludes(lines[0]!, `reference.${key}: ${value} is not a`);
    }
  }
});

Deno.test("parseConfig refuses kto on single records", () => {
  const [single = ""] = trainProblems("loss: { type: kto }\ntraining: { batch_size: 1 }\n");
  assertStringIncludes(single, "training.batch_size: 1 is too small for kto");
  assertEquals(train("loss: { type: kto }\ntraining: { accumulate: 2, batch_size: 1 }\n").loss.length, 1);
  assertEquals(train("loss: { type: kto_paired }\ntraining: { batch_size: 1 }\n").loss.length, 1);
});

Deno.test("parseConfig refuses keys that other keys would make useless", () => {
  const dataYaml = (keys: string) => ({ yaml: BASE.replace("pairs.jsonl", `pairs.jsonl, ${keys}`) });
  assertEquals(problems("train", dataYaml("eval_records: 5")), [
    "data.eval_records: would be ignored without data.eval (line 2)",
  ]);
  assertEquals(problems("train", dataYaml("max_length: 8, max_prompt_length: 8")), [
    "data.max_prompt_length: 8 leaves no room for a completion within data.max_length, 8 (line 2)",
  ]);
  assertStringIncludes(trainProblems("generation: { temperature: 0, top_k: 4 }\n").join(), "would ignore");
  assertStringIncludes(trainProblems("loss: { type: sft }\n").join(), "run the sft command");
  assertEquals(train("generation: { temperature: 0 }\n").generation.temperature, 0);
});

Deno.test("parseConfig checks rules beside other problems, but not on keys that have one", () => {
  assertEquals(trainProblems("training: { steps: 10, warmup: 11, seed: x }\n"), [
    'training.seed: "x" is not a whole number of at least 0 and at most 4294967295 (line 4)',
    "training.warmup: 11 is more than training.steps, 10 (line 4)",
  ]);
  assertEquals(trainProblems("training: { steps: -1, warmup: 11 }\n"), [
    "training.steps: -1 is not a whole number of at least 1 (line 4)",
  ]);
});

Deno.test("parseConfig says where YAML is broken", () => {
  assertStringIncludes(problems("train", { yaml: "a: [1\nb: 2\n" }).join("\n"), "not valid YAML: ");
  assertStringIncludes(problems("train", { yaml: "a: [1\nb: 2\n" }).join("\n"), "line 2, column 1");
  assertStringIncludes(problems("train", { yaml: "a: 1\na: 2\n" }).join("\n"), "duplicated key at line 2");
  assertEquals(problems("train", { yaml: "training:\n\tsteps: 3\n" }), [
    "line 2 is indented with a tab; YAML takes spaces only",
  ]);
});

Deno.test("parseConfig is not misled by names of JavaScript's objects", () => {
  const lines = trainProblems("constructor: 1\ntraining: { toString: 2, __proto__: 3 }\n");
  assertEquals(lines.length, 3);
  for (const line of lines) assertStringIncludes(line, "unknown key");
});

Deno.test("parseConfig gives sft its own keys and sends the rest to train", () => {
  const { training, ...config } = parseConfig("sft", { yaml: BASE });
  assertEquals(Object.keys(config), ["model", "data", "output", "generation"]);
  assertEquals(training.learningRate, 1e-5);
  assert(!("initialEvery" in training));
  assertEquals(
    problems("sft", { yaml: BASE + "loss: { type: dpo }\nreference: {}\ntraining: { initial_every: 2 }\n" }),
    [
      "loss: no key of this command; sft has one loss, the cross-entropy of the completion; " +
      "other losses are for train (line 4)",
      "reference: no key of this command; sft compares with no reference; train does (line 5)",
      "training.initial_every: no key of this command; sft has no rewards to measure; train does (line 6)",
    ],
  );
});

Deno.test("parseConfig answers TRL's gradient_checkpointing with its own key, and takes that where there is a backward pass", () => {
  for (const command of ["train", "sft"] as const) {
    const yaml = (key: string) => `${BASE}training: { ${key} }\n`;
    assertEquals(
      parseConfig(command, { yaml: yaml("checkpointing: block") }).training.checkpointing,
      "block",
    );
    assertEquals(problems(command, { yaml: yaml("gradient_checkpointing: true") }), [
      "training.gradient_checkpointing: no key of this command; it is training.checkpointing here: none, block, or auto, " +
      "the default (line 4)",
    ]);
    assertEquals(problems(command, { yaml: yaml("checkpointing: full") }), [
      'training.checkpointing: "full" is not auto, none or block (line 4)',
    ]);
  }
  for (const command of ["score", "generate"] as const) {
    assertStringIncludes(
      problems(command, {
        yaml: "model: { path: m }\n",
        overrides: overridesOf({ "training.checkpointing": "block" }),
      })
        .join(),
      `training.checkpointing: no key of this command; ${command} has no backward pass to keep activations for; train and sft do`,
    );
  }
});

Deno.test("parseConfig fills in every default of score", () => {
  assertEquals(parseConfig("score", { yaml: "model: { path: m }\ndata: { records: r.jsonl }\n" }), {
    model: { path: "m", adapter: null },
    data: {
      records: ["r.jsonl"],
      maxLength: 512,
      maxPromptLength: null,
      truncate: "keep_end",
      template: null,
      invalid: "error",
      datasetInfo: null,
      cache: "auto",
    },
    batchSize: 8,
    memoryLimit: null,
    output: { file: null },
  });
});

Deno.test("parseConfig fills in every default of generate", () => {
  const source = { yaml: "model: { path: m }\n", overrides: overridesOf({ prompt: "Say: [hello]" }) };
  assertEquals(parseConfig("generate", source), {
    model: { path: "m", adapter: null },
    prompt: "Say: [hello]",
    data: { prompts: null, template: null },
    generation: { temperature: 1, topK: null, topP: null, seed: 0, maxTokens: 128 },
    output: { file: null, format: "jsonl", name: null },
  });
});

Deno.test("parseConfig wants generate's prompts from one place", () => {
  const yaml = "model: { path: m }\n";
  assertStringIncludes(problems("generate", { yaml }).join(), "data.prompts: is missing");
  const both = problems("generate", { yaml: yaml + "prompt: a\ndata: { prompts: b.jsonl }\n" });
  assertEquals(both, ["data.prompts: would be ignored beside prompt; give one of the two (line 3)"]);
});

Deno.test("stringifyConfig writes what parseConfig reads back", () => {
  const configs: [Command, string][] = [
    ["train", BASE],
    [
      "train",
      BASE + "loss: [{ type: ipo, average: mean, weight: 0.3 }, { type: sft }, { type: kto_paired }]\n",
    ],
    ["train", BASE + "loss: [{ type: dpo, weight: 0.3 }]\nreference: { update: frozen, path: '007' }\n"],
    [
      "train",
      BASE + "loss: { type: kto }\ntraining: { learning_rate: 3e-7, max_grad_norm: null, steps: 3 }\n",
    ],
    ["sft", BASE.replace("runs/x", "'2024-01-01 # not: a [comment'")],
    ["score", "model: { path: 'null' }\ndata: { records: [a, b] }\n"],
    ["generate", `model: { path: m }\nprompt: "two\\nlines: \\"'\\t#"\n`],
  ];
  for (const [command, yaml] of configs) {
    const config = parseConfig(command, { yaml });
    assertEquals<CommandConfigs[Command]>(parseConfig(command, { yaml: stringifyConfig(config) }), config);
  }
});

Deno.test("stringifyConfig writes snake_case keys, and one loss as a mapping", () => {
  const text = stringifyConfig(train("loss: { beta: 0.1 }\n"));
  assertStringIncludes(text, "\nloss:\n  type: dpo\n  beta: 0.1\n  label_smoothing: 0\n");
  assertStringIncludes(text, "\n  max_prompt_length: null\n");
});

Deno.test("configHelp lists a key once for each default that it has", () => {
  const help = configHelp("train");
  const smoothing = [
    ...help.matchAll(/--loss\.label_smoothing {2}\(.*?(default .*|required)\)\n {6}\[type: (.*?)\]/g),
  ];
  assertEquals(smoothing.map(([, value, types]) => [value, types]), [
    ["default 0", "dpo, cpo, aot, aot_unpaired, rpo"],
    ["required", "robust"],
    ["default 0.001", "exo_pair"],
  ]);
});

Deno.test("configHelp documents every key of every command", () => {
  for (const command of ["train", "sft", "score", "generate", "evaluate"] as const) {
    const help = configHelp(command);
    const flags = [...help.matchAll(/^ {2}--(\S+) {2}\((.+)\)\n {6}(.+)$/gm)];
    assertEquals(flags.length, help.match(/^ {2}--/gm)?.length);
    for (const [, key = "", , doc = ""] of flags) {
      assert(/\.$/.test(doc), `${command} --${key} has a sentence`);
    }
    assert(!help.includes("undefined"));
  }
  const help = configHelp("train");
  assertStringIncludes(help, "--training.learning_rate  (a number above 0; default 1e-6)");
  assertStringIncludes(help, "--model.path  (a path; required)");
  assertStringIncludes(help, "--loss.type  (" + lossTypes.join(", ") + "; default dpo)");
  assertStringIncludes(help, "--loss.average  (sum or mean; required)\n      [type: ipo] ");
  assertStringIncludes(help, "--loss.weight  (a number above 0; default 1)\n      [in a list] ");
  assertStringIncludes(help, "default 50, or a tenth of the steps where that is less");
});

Deno.test("loadConfig reads a file, or flags alone", async () => {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(file, BASE);
    const overrides = [{ key: "training.seed", value: "5" }];
    const config = await loadConfig("train", { file, overrides });
    assertEquals(config, train("training: { seed: 5 }\n"));
    await Deno.writeTextFile(file, BASE + "x: 1\n");
    const { message } = await assertRejects(() => loadConfig("train", { file, overrides: [] }), UserError);
    assertEquals(message, `${file}: x: unknown key (line 4)`);
  } finally {
    await Deno.remove(file);
  }
  await assertRejects(
    () => loadConfig("train", { file: null, overrides: [] }),
    UserError,
    "configuration: 3 problems",
  );
});

Deno.test("loadConfig says when there is no such file", async () => {
  const { message } = await assertRejects(
    () => loadConfig("train", { file: "no.yaml", overrides: [] }),
    UserError,
  );
  assertEquals(message, "no.yaml: there is no such file");
});

Deno.test("parseConfig reads sources as paths, mappings and lists, from files and flags", () => {
  const base = "model: { path: m }\noutput: { directory: runs/x }\n";
  const read = (data: string, overrides: Record<string, string> = {}) =>
    parseConfig("train", { yaml: base + data, overrides: overridesOf(overrides) }).data;
  const mixture = [{ path: "a", weight: 0.7 }, { path: "b", split: "train_prefs", weight: 0.3 }];
  assertEquals(
    read("data: { train: [{ path: a, weight: 0.7 }, { path: b, split: train_prefs, weight: 0.3 }] }").train,
    mixture,
  );
  assertEquals(read("data: { train: { path: a, split: test } }").train, [{ path: "a", split: "test" }]);
  assertEquals(read("", { "data.train": "{ path: a, split: test }" }).train, [{ path: "a", split: "test" }]);
  assertEquals(read("", { "data.train": "[a, { path: b }]" }).train, ["a", { path: "b" }]);
  for (
    const [given, expected] of [["0.05", 0.05], ["x.jsonl", "x.jsonl"], ["{ path: d, split: dev }", {
      path: "d",
      split: "dev",
    }]] as const
  ) {
    assertEquals(read("data: { train: a }", { "data.eval": given }).eval, expected);
    assertEquals(read(`data: { train: a, eval: ${given} }`).eval, expected);
  }
});

Deno.test("parseConfig refuses sources and shares that it can't use", () => {
  const wants = "is not a path, a mapping { path, split, weight }, or a list of these";
  const base = "model: { path: m }\noutput: { directory: runs/x }\n";
  const problemsOf = (data: string) => problems("train", { yaml: `${base}data: ${data}\n` });
  for (
    const bad of [
      "{ split: test }",
      "[{ path: a, wieght: 1 }]",
      "[{ path: a, weight: 0 }]",
      "[{ path: a, weight: x }]",
      "[[a]]",
      "5",
    ]
  ) {
    const [problem] = problemsOf(`{ train: ${bad} }`);
    assertEquals(problem!.includes(wants), true, problem);
  }
  assertEquals(problemsOf("{ train: [{ path: a, weight: 2 }] }"), [
    "data.train: a weight would be ignored where there is one source; leave it out (line 3)",
  ]);
  assertEquals(problemsOf("{ train: [{ path: a, weight: 2 }, b] }"), [
    "data.train: only some of the sources have a weight; give each of them one, or none (line 3)",
  ]);
  for (const bad of ["0", "1", "1.5", "-0.1", "{ path: a, weight: 1 }", "[a]"]) {
    const [problem] = problemsOf(`{ train: a, eval: ${bad} }`);
    assertEquals(
      problem!.includes("is not a path, a mapping { path, split }, or a share above 0 and below 1, or null"),
      true,
      problem,
    );
  }
  const score = problems("score", {
    yaml: "model: { path: m }\ndata: { records: [{ path: a, weight: 1 }] }\n",
  });
  assertEquals(score[0]!.includes("is not a path, a mapping { path, split }, or a list of these"), true);
});
