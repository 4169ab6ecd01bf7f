import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UserError } from "../../../cli/errors.ts";
import { loadSweep } from "../../../cli/sweep/parse_sweep.ts";

async function load(yaml: string) {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(file, yaml);
    return await loadSweep(file);
  } finally {
    await Deno.remove(file);
  }
}

const problemOf = async (yaml: string) => (await assertRejects(() => load(yaml), UserError)).message;

Deno.test("loadSweep reads base and grid, in order", async () => {
  const { base, grid } = await load(
    "base: { loss: { type: dpo } }\ngrid: { loss.beta: [1, 2], training.seed: [0] }\n",
  );
  assertEquals(base, { loss: { type: "dpo" } });
  assertEquals([...grid], [["loss.beta", [1, 2]], ["training.seed", [0]]]);
});

Deno.test("loadSweep reads base from a file where it is a path", async () => {
  const run = await Deno.makeTempFile();
  await Deno.writeTextFile(run, "training: { steps: 7 }");
  assertEquals((await load(`base: ${run}\ngrid: { loss.beta: [1] }`)).base, { training: { steps: 7 } });
  await Deno.remove(run);
  assertStringIncludes(
    await problemOf(`base: ${run}\ngrid: { loss.beta: [1] }`),
    `${run}: there is no such file`,
  );
});

Deno.test("loadSweep says everything that is wrong, with lines", async () => {
  const message = await problemOf(`bse: {}
grid:
  loss.beta: 0.1
  loss.bta: [1]
  reference: { alpha: [0.1] }
  training.seed: [1, 2, 1]
  training.steps: []
  output.directory: [a, b]
  model: [{ path: a }]
  model.path: [b]
`);
  for (
    const part of [
      "bse: unknown key; did you mean base?",
      "(line 1)",
      "base: is missing",
      "grid.loss.beta: 0.1 is not a list",
      "grid.loss.bta: unknown key; did you mean loss.beta?",
      "grid.reference: is a mapping; write its keys with dots, as in reference.alpha: [ … ]",
      "grid.training.seed: has 1 twice",
      "grid.training.steps: is an empty list",
      "grid.output.directory: can't be varied",
      "grid.model.path: lies inside model",
    ]
  ) assertStringIncludes(message, part);
});

Deno.test("loadSweep wants a mapping with a grid", async () => {
  assertStringIncludes(await problemOf("[1]"), "stands where a mapping is wanted");
  assertStringIncludes(await problemOf("base: {}"), "grid: is missing");
});
