import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { replaceNumbers } from "../../../examples/overoptimization/evidence.ts";
import type { Checkpoint, RunResult } from "../../../examples/overoptimization/results.ts";
import { EXPERIMENT, FULL, QUICK, settingId } from "../../../examples/overoptimization/settings.ts";
import {
  bestCheckpoint,
  difference,
  goldAtDivergence,
  goldAtDivergences,
  meanOverSeeds,
} from "../../../examples/overoptimization/statistics.ts";
import { summarize } from "../../../examples/overoptimization/summary.ts";

/** A run of four samples (two orders) whose checkpoints have the given KL and gold rewards. */
function run(
  points: readonly { kl: number; gold: readonly number[] }[],
  { update = "frozen", seed = 0 }: { update?: "frozen" | "hard"; seed?: number } = {},
): RunResult {
  const checkpoints = points.map(({ kl, gold }, step): Checkpoint => ({
    step,
    gold,
    kl: gold.map(() => kl),
    logRatio: gold.map(() => kl),
    lengths: gold.map(() => 5),
    parts: { garbled: 0, repeated: 0 },
    distinct2: 0.5,
    selfBleu: 0.5,
  }));
  return {
    experiment: EXPERIMENT,
    setting: {
      loss: "dpo",
      beta: 0.1,
      reference: update === "frozen" ? { update } : { update, every: 8 },
    },
    seed,
    checkpoints,
    training: { updates: 0, accuracy: 1, chosenLogProb: -1, rejectedLogProb: -1 },
    samples: [],
  };
}

const rising = run([{ kl: 0, gold: [0, 0, 0, 0] }, { kl: 2, gold: [1, 1, 3, 3] }, {
  kl: 6,
  gold: [0, 0, 1, 1],
}]);

Deno.test("goldAtDivergence interpolates each sample between the checkpoints around the first crossing", () => {
  assertEquals(goldAtDivergence(rising, 1), [0.5, 0.5, 1.5, 1.5]);
  assertEquals(goldAtDivergence(rising, 2), [1, 1, 3, 3]);
  assertEquals(goldAtDivergence(rising, 3), [0.75, 0.75, 2.5, 2.5]);
  assertEquals(goldAtDivergence(rising, 7), null);
  const near = run([{ kl: 0, gold: [0, 0, 0, 0] }, { kl: 1, gold: [1, 1, 1, 1] }]);
  assertEquals(goldAtDivergences([rising, near], 1.5), null, "not every seed gets there");
});

Deno.test("bestCheckpoint chooses by every second order and measures on the others", () => {
  // The first order alone says step 2, the second alone would say step 1.
  const runs = [
    run([{ kl: 0, gold: [0, 0, 0, 0] }, { kl: 2, gold: [1, 1, 9, 9] }, { kl: 3, gold: [2, 2, 5, 5] }]),
  ];
  const { step, gold, end, kl } = bestCheckpoint(runs);
  assertEquals({ step, gold, end, kl }, { step: 2, gold: [[5, 5]], end: [[5, 5]], kl: 3 });
});

Deno.test("meanOverSeeds weighs seeds alike; its interval covers the spread of seeds and of orders", () => {
  assertEquals(meanOverSeeds([[1, 1, 1, 1], [1, 1, 1, 1]]), { value: 1, interval: [1, 1] });
  const seeds = meanOverSeeds([[0, 0, 0, 0], [2, 2, 2, 2]]);
  assertEquals(seeds, { value: 1, interval: [0, 2] }); // both draws of one seed: a chance of ¼ each
  const orders = meanOverSeeds([[0, 0, 2, 2]]);
  assertEquals(orders, { value: 1, interval: [0, 2] });
  // Two replies to one order that cancel out: whole orders are drawn, so nothing is left to vary.
  assertEquals(meanOverSeeds([[0, 2, 0, 2]]), { value: 1, interval: [1, 1] });
});

Deno.test("difference takes what is the same on both sides out of the interval", () => {
  assertEquals(meanOverSeeds(difference([[5, 1, 9, 3]], [[4, 0, 8, 2]])), { value: 1, interval: [1, 1] });
});

Deno.test("summarize compares a moving reference with the frozen one at the same KL and at the end", () => {
  const better = run(
    rising.checkpoints.map(({ gold }, i) => ({
      kl: [0, 2, 6][i]!,
      gold: gold.map((value) => value + i),
    })),
    { update: "hard" },
  );
  const [frozen, hard] = summarize([rising, better]);
  assertEquals(frozen!.endOverFrozen, null);
  assertAlmostEquals(frozen!.lost.value, 2); // by the second order: 3 − 1
  assertEquals(hard!.endOverFrozen, { value: 2, interval: [2, 2] });
  const [at1, , at4] = hard!.matched;
  assertEquals(at1!.overFrozen, { value: 0.5, interval: [0.5, 0.5] });
  assertEquals(at4!.overFrozen, { value: 1.5, interval: [1.5, 1.5] });
  assertEquals(at4!.overBest, { beta: 0.1, gain: { value: 1.5, interval: [1.5, 1.5] } });
});

Deno.test("summarize leaves out a KL that not every seed reaches", () => {
  const near = run([{ kl: 0, gold: [0, 0, 0, 0] }, { kl: 1.5, gold: [1, 1, 1, 1] }, {
    kl: 1.6,
    gold: [1, 1, 1, 1],
  }], { seed: 1 });
  const [summary] = summarize([rising, near]);
  assertEquals(summary!.matched.map(({ gold }) => gold !== null), [true, false, false]);
  assertEquals(summary!.againstKl.at(-1)!.kl, 2 ** 0.5);
});

Deno.test("the full grid contains the quick one, and no setting twice", () => {
  const full = new Set(FULL.settings.map(settingId));
  assertEquals(full.size, FULL.settings.length);
  for (const setting of QUICK.settings) assert(full.has(settingId(setting)), settingId(setting));
  for (const seed of QUICK.seeds) assert(FULL.seeds.includes(seed));
  assert(FULL.seeds.every((seed) => seed < EXPERIMENT.pairSets));
});

Deno.test("replaceNumbers replaces what is between the marks, and wants them", async () => {
  const text = await Deno.readTextFile(new URL("../../../docs/evidence.md", import.meta.url));
  const once = replaceNumbers(text, { name: "evidence.md", by: "numbers" });
  assert(once.includes("docs; changes here are lost. -->\n\nnumbers\n\n<!-- End of"));
  assertEquals(replaceNumbers(once, { name: "evidence.md", by: "numbers" }), once);
  assertThrows(
    () => replaceNumbers("# Evidence\n", { name: "x.md", by: "" }),
    Error,
    "x.md: wanted the lines",
  );
});
