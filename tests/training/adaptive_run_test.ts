/** Adaptive runs decide the same wherever they are interrupted, and however often they pause. */
import { assert, assertEquals } from "@std/assert";
import {
  assertSame,
  carryOut,
  type Changes,
  type Finished,
  tinyConfig,
  tinyFiles,
  withoutRate,
} from "./tiny_run.ts";

const files = await tinyFiles();
const STEPS = 14;

let runs = 0;
const configure = ({ output, ...changes }: Changes = {}) =>
  tinyConfig(files, {
    reference: {
      update: "adaptive",
      measure: "kl",
      bound: 0.02,
      spacing: 2,
      average: 2,
      alpha: 1,
      path: null,
    },
    training: { steps: STEPS },
    ...changes,
    output: { directory: `${files.directory}/run${++runs}`, saveEvery: 0, ...output },
  });

/** A run that never paused before its end. */
const uninterrupted = await carryOut(configure());
const updates = uninterrupted.rows.filter((row) => row["reference/alpha"]! > 0).map(({ step }) => step!);

/** Rows without what is measured on held-out records. */
const trainingRows = ({ rows }: Finished) =>
  withoutRate(rows).filter(({ step }) => step! > 0)
    .map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !name.startsWith("eval_"))));

function assertUninterrupted(run: Finished): void {
  assertEquals(trainingRows(run), trainingRows(uninterrupted));
  assertSame(run.weights, uninterrupted.weights, "weights");
}

Deno.test("the run of these tests updates in its middle, so that there is something to get wrong", () => {
  assert(updates.length >= 2 && updates.at(-1)! < STEPS, `updates at ${updates}`);
});

Deno.test("an adaptive run that saves after every step is the one that saves at its end", async () => {
  assertUninterrupted(await carryOut(configure({ output: { saveEvery: 1 } })));
});

Deno.test("an adaptive run that evaluates after every third step is the one that never does", async () => {
  const config = configure({ data: { eval: files.heldOut, evalRecords: 4 }, output: { evalEvery: 3 } });
  assertUninterrupted(await carryOut(config));
});

// Right before and after an update, and where a checkpoint lies some steps back.
const places = [
  { saveEvery: 1, stopAfter: updates[0]! - 1 },
  { saveEvery: 1, stopAfter: updates[0]! },
  { saveEvery: 4, stopAfter: updates[0]! + 2 },
];
for (const { saveEvery, stopAfter } of places) {
  Deno.test(`an adaptive run that was killed after step ${stopAfter} and saved every ${saveEvery} resumes as it would have gone on`, async () => {
    const config = configure({ output: { saveEvery } });
    await carryOut(config, { stopAfter });
    assertUninterrupted(await carryOut(config, { resume: true }));
  });
}
