/** Losses that compare with no reference: the run holds none, and still learns. */
import { assert, assertEquals } from "@std/assert";
import type { LossSettings } from "../../training/config.ts";
import { trainSteps } from "../../training/loop.ts";
import type { Metrics } from "../../training/metrics.ts";
import { loadWeights, prepareRun } from "../../training/prepare.ts";
import { testDevice } from "../kernels/harness.ts";
import { loopOptions, tinyConfig, tinyFiles } from "./tiny_run.ts";

const files = await tinyFiles();
const losses: LossSettings[] = [
  { type: "simpo", weight: 1, beta: 2, gamma: 1 },
  { type: "cpo", weight: 1, beta: 0.1, labelSmoothing: 0 },
  { type: "orpo", weight: 1, beta: 0.1 },
];

for (const loss of losses) {
  Deno.test(`${loss.type} trains without a reference`, async () => {
    const config = tinyConfig(files, {
      loss: [loss],
      reference: { update: "frozen", path: null },
      training: { steps: 12, learningRate: 1e-2, warmup: 0 },
    });
    const run = await prepareRun(await testDevice(), config);
    await loadWeights(run);
    run.model.directory.close();
    assert(!run.hasReference);
    assertEquals(run.engine.sets.reference, null);
    const rows: Metrics[] = [];
    for await (const event of trainSteps(run.engine, loopOptions(run))) {
      if (event.type === "metrics") rows.push(event.row);
    }
    assertEquals(rows.length, 12);
    assert(rows[11]!.loss! < 0.8 * rows[0]!.loss!, `${rows.map(({ loss }) => loss)}`);
  });
}
