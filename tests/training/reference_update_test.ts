import { assert, assertEquals, assertThrows } from "@std/assert";
import { createBatches } from "../../data/position.ts";
import { adaptive } from "../../reference/adaptive.ts";
import { after } from "../../reference/after.ts";
import { bema } from "../../reference/bema.ts";
import { hard } from "../../reference/hard.ts";
import { withOptimizerReset } from "../../reference/optimizer_reset.ts";
import { defineReferenceStrategy, type Progress, type ReferenceStrategy } from "../../reference/strategy.ts";
import type { Engine } from "../../training/engine.ts";
import { startOfRun } from "../../training/loop_options.ts";
import { noteMeasurement, updateReference } from "../../training/reference_update.ts";
import type { TrainingExample } from "../../training/records.ts";

/** An engine that only notes what it is told. */
function noting() {
  const calls: unknown[][] = [];
  const engine = {
    moveReference: (...args: unknown[]) => calls.push(["move", ...args]),
    resetOptimizer: () => calls.push(["reset"]),
  } as unknown as Engine;
  return { engine, calls };
}

/** Walks a run of batches of 4 from 10 records; `finished` says which step's metrics were read before a step. */
function walk(
  strategy: ReferenceStrategy,
  { steps, finished, batch = 4 }: { steps: number; finished: (step: number) => number; batch?: number },
) {
  const { engine, calls } = noting();
  const state = startOfRun();
  const examples = Array.from({ length: 10 }) as TrainingExample[];
  const takeBatch = createBatches({ count: examples.length, size: batch, seed: 0 });
  const rows = [];
  let noted = 0;
  for (let step = 1; step <= steps; step++) {
    while (noted < finished(step)) {
      noteMeasurement({ step: ++noted, "kl/reference": noted / 10, curvature: 0.2 }, { state, strategy });
    }
    const { next } = takeBatch(state.position);
    const options = { state, strategy, steps, examples, batchSize: batch, accumulate: 1, step, next };
    rows.push(updateReference(engine, options));
    state.step = step;
    state.position = next;
  }
  return { calls, state, rows };
}

/** A strategy that updates at given steps and keeps what it was shown. */
function watching(updates: readonly number[] = []) {
  const shown: Progress[] = [];
  const strategy = defineReferenceStrategy((progress) => {
    shown.push(progress);
    return updates.includes(progress.step) ? 1 : 0;
  }, { name: "watching" });
  return { shown, strategy };
}

Deno.test("a strategy sees measurements from four steps back, and none of before the last update", () => {
  const { shown, strategy } = watching([6]);
  walk(strategy, { steps: 13, finished: (step) => Math.max(0, step - 4) });
  const steps = shown.map(({ measured }) => measured!.map(({ step }) => step));
  assertEquals(steps, [[], [], [], [], [1], [1, 2], [], [], [], [], [7], [7, 8], [7, 8, 9]]);
  assertEquals(shown.map(({ lastUpdate }) => lastUpdate), [0, 0, 0, 0, 0, 0, 6, 6, 6, 6, 6, 6, 6]);
  assertEquals(shown[12]!.measured!.map(({ kl, curvature }) => [kl, curvature]), [[0.7, 0.2], [0.8, 0.2], [
    0.9,
    0.2,
  ]]);
});

Deno.test("what a strategy sees doesn't depend on when results happened to be read", () => {
  const late = watching([40]);
  walk(late.strategy, { steps: 150, finished: (step) => Math.max(0, step - 4) });
  const drained = watching([40]);
  walk(drained.strategy, { steps: 150, finished: (step) => step - 1 });
  const now = watching([40]);
  walk(now.strategy, { steps: 150, finished: (step) => step % 7 === 1 ? step - 1 : Math.max(0, step - 4) });
  assertEquals(drained.shown, late.shown);
  assertEquals(now.shown, late.shown);
  assertEquals(late.shown.at(-1)!.measured!.length, 64);
  assertEquals(late.shown.at(-1)!.measured!.at(-1)!.step, 146);
});

Deno.test("the state keeps no more measurements than can still be shown", () => {
  const { state } = walk(watching().strategy, { steps: 150, finished: (step) => step - 1 });
  assertEquals(state.measured.map(({ step }) => step), Array.from({ length: 68 }, (_, i) => 149 - 67 + i));
});

Deno.test("an epoch is finished where no full batch is left of it", () => {
  const { shown, strategy } = watching();
  walk(strategy, { steps: 6, finished: () => 0 }); // 4 + 4 of 10
  assertEquals(shown.map(({ finishesEpoch }) => finishesEpoch), [false, true, false, true, false, true]);
  assertEquals(shown.map(({ epoch }) => epoch), [0, 1, 1, 2, 2, 3]);
  const even = watching();
  walk(even.strategy, { steps: 4, finished: () => 0, batch: 5 });
  assertEquals(even.shown.map(({ finishesEpoch }) => finishesEpoch), [false, true, false, true]);
  const large = watching(); // a batch of 15 completes one epoch, then two, then one
  walk(large.strategy, { steps: 3, finished: () => 0, batch: 15 });
  assertEquals(large.shown.map(({ finishesEpoch }) => finishesEpoch), [true, true, true]);
});

Deno.test("an adaptive strategy's row shows the number that it compared", () => {
  const strategy = after(adaptive({ measure: "kl", bound: 0.34, spacing: 1, average: 2 }), { step: 2 });
  const { rows, state } = walk(strategy, { steps: 9, finished: (step) => step - 1 });
  // Means of 0.1 and 0.2, of 0.2 and 0.3, of 0.3 and 0.4.
  const measured = rows.map(({ metrics }) => metrics["reference/measured"]?.toFixed(2));
  const none = undefined;
  assertEquals(measured, [none, none, none, none, none, "0.15", "0.25", "0.35", none]);
  assertEquals(rows.map(({ alpha }) => alpha), [0, 0, 0, 0, 0, 0, 0, 1, 0]);
  assertEquals([state.lastUpdate, state.referenceUpdates], [8, 1]);
});

Deno.test("only a copy resets the optimizer, and only where asked for", () => {
  const reset = walk(withOptimizerReset(hard({ every: 2 })), { steps: 4, finished: () => 0 });
  const move = ["move", 1, { bias: 0 }];
  assertEquals(reset.calls, [move, ["reset"], move, ["reset"]]);
  assertEquals(reset.rows.map(({ metrics }) => metrics["optimizer/resets"]), [0, 1, 1, 2]);
  assertEquals(reset.state.optimizerResets, 2);
  const plain = walk(hard({ every: 2 }), { steps: 4, finished: () => 0 });
  assertEquals(plain.calls, [move, move]);
  assert(plain.rows.every(({ metrics }) => !("optimizer/resets" in metrics)));
  const mixes = defineReferenceStrategy(({ step }) => step / 2, { name: "mine" }, { resetsOptimizer: true });
  assertEquals(walk(mixes, { steps: 2, finished: () => 0 }).calls.map(([name]) => name), [
    "move",
    "move",
    "reset",
  ]);
});

Deno.test("a corrected average gets its bias beside its alpha", () => {
  const { calls } = walk(bema({ every: 6 }), { steps: 6, finished: () => 0 });
  assertEquals(calls, [["move", 16 ** -0.5, { bias: 16 ** -0.2 }]]);
});

Deno.test("a loss that reports no curvature can't be decided on by it", () => {
  const state = startOfRun();
  const row = { step: 1, "kl/reference": 1 };
  const strategy = adaptive({ measure: "curvature", bound: 0.2 });
  assertThrows(() => noteMeasurement(row, { state, strategy }), Error, "returns no curvature to decide on");
  noteMeasurement(row, { state, strategy: adaptive({ measure: "kl", bound: 0.2 }) });
  assertEquals(state.measured, [{ step: 1, kl: 1 }]);
  noteMeasurement({ step: 2 }, { state, strategy }); // without a reference there is nothing to decide
});
