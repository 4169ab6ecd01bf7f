import { assertEquals } from "@std/assert";
import { differences, groupRuns, settingsOf } from "../../../evaluation/compare/group_runs.ts";

const run = (name: string, config: object) => ({ name, config, metrics: [] });
const names = (...configs: object[]) =>
  groupRuns(configs.map((config, i) => run(`run${i}`, config))).map(({ name }) => name);

Deno.test("settingsOf lists dotted keys with their values", () => {
  assertEquals([...settingsOf({ a: { b: 1, c: [1, 2] }, d: null, e: "x" })], [
    ["a.b", "1"],
    ["a.c", "[1,2]"],
    ["d", "null"],
    ["e", '"x"'],
  ]);
});

Deno.test("groupRuns puts runs together that differ in seed and directory only", () => {
  const config = (seed: number, beta: number) => ({
    loss: { beta },
    training: { seed },
    output: { directory: `${seed}${beta}`, samples: 1 },
  });
  const groups = groupRuns([
    run("a", config(0, 1)),
    run("b", config(0, 2)),
    run("c", config(1, 1)),
    run("d", { ...config(1, 1), output: { directory: "d", samples: 2 } }),
  ]);
  assertEquals(groups.map(({ runs }) => runs.map(({ name }) => name)), [["a", "c"], ["b"], ["d"]]);
});

Deno.test("groupRuns doesn't take the same setting and seed twice for two seeds", () => {
  const config = { training: { seed: 3 } };
  const groups = groupRuns([run("before", config), run("after", config)]);
  assertEquals(groups.map(({ name }) => name), ["before", "after"]);
});

Deno.test("groupRuns names groups by what tells them apart", () => {
  assertEquals(names({ loss: { beta: 0.1 } }, { loss: { beta: 0.2 } }), ["beta 0.1", "beta 0.2"]);
  assertEquals(names({ a: { alpha: 1 }, b: { alpha: 2 } }, { a: { alpha: 2 }, b: { alpha: 1 } }), [
    "a.alpha 1, b.alpha 2",
    "a.alpha 2, b.alpha 1",
  ]);
  // Keys that one update has and another hasn't are named only where they vary.
  assertEquals(
    names(
      { reference: { update: "soft", alpha: 0.4, every: 8 } },
      { reference: { update: "soft", alpha: 0.6, every: 8 } },
      { reference: { update: "frozen", dtype: "float32" } },
    ),
    ["update soft, alpha 0.4", "update soft, alpha 0.6", "update frozen"],
  );
});

Deno.test("groupRuns names groups by their runs where settings would make no name", () => {
  const config = (name: string) => ({
    model: { path: `models/${name}` },
    data: { train: `preferences/${name}.jsonl` },
  });
  assertEquals(names(config("the first of them"), config("the second of them")), ["run0", "run1"]);
});

Deno.test("differences shows the settings that differ, and a dash where there is none", () => {
  const groups = groupRuns([run("a", { x: 1, y: "same" }), run("b", { x: 2, y: "same", z: "new" })]);
  assertEquals(differences(groups), { keys: ["x", "z"], rows: [["1", "–"], ["2", "new"]] });
});
