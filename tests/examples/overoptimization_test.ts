/** The whole experiment in miniature: seconds instead of minutes, and numbers that mean nothing. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { carryOut, type ExperimentEvent } from "../../examples/overoptimization/carry_out.ts";
import { writeEvidence } from "../../examples/overoptimization/evidence.ts";
import { printSummary, writeReport } from "../../examples/overoptimization/report.ts";
import { readGrid } from "../../examples/overoptimization/results.ts";
import { EXPERIMENT, type Experiment, type Grid } from "../../examples/overoptimization/settings.ts";
import { createSpeaker } from "../../examples/overoptimization/speaker.ts";
import { summarize } from "../../examples/overoptimization/summary.ts";
import { testDevice } from "../kernels/harness.ts";

const experiment: Experiment = {
  ...EXPERIMENT,
  supervisedOrders: 64,
  supervisedReplies: 1,
  supervisedBatch: 8,
  pairs: 12,
  pairSets: 2,
  steps: 16,
  batchSize: 4,
  warmup: 1,
  learningRate: 3e-3,
  checkpoints: [8, 16],
  measuredOrders: 4,
};

const grid: Grid = {
  settings: [
    { loss: "dpo", beta: 0.3, reference: { update: "frozen" } },
    { loss: "dpo", beta: 0.3, reference: { update: "hard", every: 6 } },
    { loss: "kto", beta: 0.3, reference: { update: "soft", alpha: 0.6, every: 4 } },
  ],
  seeds: [0, 1],
};

async function inTemporaryDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("the speaker has 143,232 parameters", () => {
  const { parameters, config } = createSpeaker();
  assertEquals(config.vocabularySize, 71);
  // 71 × 64 tokens (tied) + 3 × (2 norms of 64 + q and o of 64 × 64 + k and v of 32 × 64 + 3 × 64 × 176) + a norm of 64
  const expected = 71 * 64 + 3 * (128 + 2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 176) + 64;
  const counted = parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  assertEquals([counted, expected], [143_232, 143_232]);
});

Deno.test("carryOut trains every setting with every seed, and makes no run twice", async () => {
  await inTemporaryDirectory(async (directory) => {
    const device = await testDevice();
    const events: ExperimentEvent[] = [];
    const options = { directory, experiment, grid, onEvent: (event: ExperimentEvent) => events.push(event) };
    const results = await carryOut(device, options);
    assertEquals(results.map(({ setting, seed }) => [setting.loss, setting.reference.update, seed]), [
      ["dpo", "frozen", 0],
      ["dpo", "frozen", 1],
      ["dpo", "hard", 0],
      ["dpo", "hard", 1],
      ["kto", "soft", 0],
      ["kto", "soft", 1],
    ]);
    assertEquals(results.map(({ training }) => training.updates), [0, 0, 2, 2, 4, 4]);
    for (const { checkpoints } of results) {
      assertEquals(checkpoints.map(({ step }) => step), [0, 8, 16]);
      assert(checkpoints[0]!.kl.every((kl) => kl === 0), "at the start the policy is the initial one");
      assert(checkpoints[2]!.kl.every((kl) => kl > 0));
      for (const { gold, lengths } of checkpoints) assertEquals([gold.length, lengths.length], [8, 8]);
    }
    const runs = () => events.filter((event) => event.type === "run");
    assertEquals(runs().map(({ wasThere }) => wasThere), Array(6).fill(false));

    events.length = 0;
    const again = await carryOut(device, options);
    assertEquals(runs().map(({ wasThere }) => wasThere), Array(6).fill(true));
    assertEquals(events.some(({ type }) => type === "supervised"), false, "nor the supervised model");
    assertEquals(JSON.stringify(again), JSON.stringify(results));
    assertEquals(await readGrid(directory, { grid, experiment }), again);

    const summaries = summarize(again);
    const html = await Deno.readTextFile(await writeReport(directory, { results: again, summaries }));
    assertStringIncludes(html, "hard τ 6");
    const lines: string[] = [];
    printSummary(summaries, (line) => lines.push(line));
    assertStringIncludes(
      lines.join("\n"),
      "Gold reward at the end with a moving reference, less that with a frozen one",
    );
    await Deno.copyFile(new URL("../../docs/evidence.md", import.meta.url), `${directory}/evidence.md`);
    await writeEvidence(directory, { results: again, summaries, isFull: false });
    assertStringIncludes(
      await Deno.readTextFile(`${directory}/evidence.md`),
      "6 runs: 3 settings with 2 seeds",
    );

    await assertRejects(
      () => carryOut(device, { directory, grid, experiment: { ...experiment, temperature: 2 } }),
      Error,
      "the runs there were made with other settings",
    );
  });
});

Deno.test("carryOut gives the same numbers again, also where a grid leaves out what ran before", async () => {
  const device = await testDevice();
  const files: string[] = [];
  for (const settings of [grid.settings.slice(0, 2), grid.settings.slice(1, 2)]) {
    await inTemporaryDirectory(async (directory) => {
      await carryOut(device, { directory, experiment, grid: { settings, seeds: [1] } });
      files.push(await Deno.readTextFile(`${directory}/runs/dpo-0.3-hard-6-seed1.json`));
    });
  }
  assertEquals(files[0], files[1]);
});
