import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../../cli/errors.ts";
import { expandSweep } from "../../../cli/sweep/expand.ts";

const BASE = {
  model: { path: "model" },
  data: { train: "pairs.jsonl" },
  loss: { type: "dpo" },
  output: { directory: "runs/s/" },
};

const expand = (grid: Record<string, unknown[]>, base: object = BASE) =>
  expandSweep({ base, grid: new Map(Object.entries(grid)) }, { name: "sweep.yaml" });
const names = (grid: Record<string, unknown[]>, base?: object) =>
  expand(grid, base).runs.map(({ name }) => name);

Deno.test("expandSweep makes every combination once, the last key varying fastest", () => {
  const { directory, runs, skipped } = expand({ "reference.alpha": [0.4, 0.6], "training.seed": [0, 1] });
  assertEquals(directory, "runs/s");
  assertEquals(runs.map(({ name }) => name), [
    "alpha=0.4,seed=0",
    "alpha=0.4,seed=1",
    "alpha=0.6,seed=0",
    "alpha=0.6,seed=1",
  ]);
  const { config } = runs[1]!;
  assertEquals(config.output.directory, "runs/s/alpha=0.4,seed=1");
  assertEquals([config.reference.update === "soft" && config.reference.alpha, config.training.seed], [
    0.4,
    1,
  ]);
  assertEquals(skipped, []);
});

Deno.test("expandSweep leaves base as it is", () => {
  const base = structuredClone(BASE);
  expand({ "loss.beta": [0.1, 0.2], "loss.type": ["dpo", "simpo"] }, base);
  assertEquals(base, BASE);
});

Deno.test("expandSweep runs a combination once whose keys its reference would ignore, and says so", () => {
  const grid = {
    "reference.update": ["soft", "hard", "frozen"],
    "reference.alpha": [0.4, 0.6],
    "reference.every": [8, 16],
  };
  const { runs, skipped } = expand(grid);
  assertEquals(runs.map(({ name }) => name), [
    ...["update=soft,alpha=0.4,every=8", "update=soft,alpha=0.4,every=16"],
    ...["update=soft,alpha=0.6,every=8", "update=soft,alpha=0.6,every=16"],
    ...["update=hard,every=8", "update=hard,every=16", "update=frozen"],
  ]);
  assertEquals(skipped, [
    "reference.alpha would be ignored by reference.update: hard: 4 combinations are 2 runs",
    "reference.alpha, reference.every would be ignored by reference.update: frozen: 4 combinations are one run",
  ]);
});

Deno.test("expandSweep leaves out base's keys of another update, and the reference of a loss without one", () => {
  const base = { ...BASE, reference: { alpha: 0.3, every: 8 } };
  assertEquals(names({ "reference.update": ["soft", "hard", "frozen"] }, base), [
    "update=soft",
    "update=hard",
    "update=frozen",
  ]);
  const { runs, skipped } = expand({ "loss.type": ["dpo", "simpo"], "reference.every": [8, 16] }, base);
  assertEquals(runs.map(({ name, config }) => [name, config.reference.update]), [
    ["type=dpo,every=8", "soft"],
    ["type=dpo,every=16", "soft"],
    ["type=simpo", "frozen"],
  ]);
  assertEquals(skipped, ["reference.every would be ignored by loss.type: simpo: 2 combinations are one run"]);
});

Deno.test("expandSweep drops nothing where the type isn't varied: the run's own check refuses it", () => {
  const error = assertThrows(
    () => expand({ "reference.alpha": [0.1] }, { ...BASE, reference: { update: "hard" } }),
    UserError,
  );
  assertEquals(
    error.message.includes("reference.alpha: would be ignored by update: hard"),
    true,
    error.message,
  );
});

Deno.test("expandSweep lists the errors of all combinations, each once and where it is", () => {
  const error = assertThrows(
    () => expand({ "loss.beta": [0.1, -1], "training.steps": [10, 0, 20] }, { ...BASE, data: {} }),
    UserError,
  );
  // data.train is missing everywhere; −1 is wrong in three of six runs and 0 in two, in one of them together.
  const lines = error.message.split("\n");
  assertEquals(lines.filter((line) => line.includes("loss.beta: -1")).length > 0, true, error.message);
  assertEquals(lines.filter((line) => line.includes("training.steps: 0")).length > 0, true, error.message);
  assertEquals(lines.includes("  in beta=0.1,steps=10 and 1 more"), true, error.message);
});

Deno.test("expandSweep names directories without separators, and keys by their whole name where they must be", () => {
  assertEquals(names({ "data.train": ["a/pairs.jsonl", "b c.jsonl"] }), [
    "train=a-pairs.jsonl",
    "train=b-c.jsonl",
  ]);
  assertEquals(names({ "training.learning_rate": [1e-5], "training.adam_betas": [[0.9, 0.99]] }), [
    "learning_rate=1e-5,adam_betas=0.9-0.99",
  ]);
  const base = { ...BASE, model: { path: "model", lora: { rank: 2 } } };
  assertEquals(names({ "model.lora.alpha": [4], "reference.alpha": [0.5] }, base), [
    "model.lora.alpha=4,reference.alpha=0.5",
  ]);
});

Deno.test("expandSweep refuses values whose directories would have one name", () => {
  assertThrows(
    () => expand({ "data.train": ["a/b.jsonl", "a-b.jsonl"] }),
    UserError,
    "train=a-b.jsonl: two combinations would have this directory",
  );
});

Deno.test("expandSweep needs a directory, and sections that can be reached", () => {
  assertThrows(
    () => expand({ "loss.beta": [1] }, { model: {} }),
    UserError,
    "base: output.directory is missing",
  );
  assertThrows(
    () => expand({ "loss.beta": [1] }, { ...BASE, loss: 3 }),
    UserError,
    "sweep.yaml: grid.loss.beta: loss is 3",
  );
});
