import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { addSnapshot, emptySnapshots, snapshotsNeeded } from "../../reference/snapshots.ts";

Deno.test("a snapshot's share after j more updates is α (1 − α)ʲ, whatever α was before", () => {
  let stack = emptySnapshots(4);
  for (const alpha of [0.5, 0.2, 0.25]) ({ stack } = addSnapshot(stack, { alpha }));
  // By hand: 0.5 · 0.8 · 0.75, 0.2 · 0.75, 0.25; what is left of 1 is the start's: 0.5 · 0.8 · 0.75.
  [0.3, 0.15, 0.25, 0].forEach((share, i) => assertAlmostEquals(stack.weights[i]!, share, 1e-12));
  assertEquals(stack.ages, [1, 2, 3, 0]);
  assertEquals(stack.lost, 0);
});

Deno.test("where places run out, the oldest snapshot's share goes to the next oldest and counts as lost", () => {
  let stack = emptySnapshots(3);
  for (let i = 0; i < 3; i++) ({ stack } = addSnapshot(stack, { alpha: 0.5 }));
  assertEquals(stack.weights, [0.125, 0.25, 0.5]);
  const { stack: next, slot, factors } = addSnapshot(stack, { alpha: 0.5 });
  assertEquals(slot, 0);
  assertEquals(next.weights, [0.5, 0.1875, 0.25]); // ½ (¼ + ⅛) and ½ · ½
  assertEquals(factors, [0, 0.75, 0.5]);
  assertEquals(next.lost, 0.0625); // ½ · ⅛
  const after = addSnapshot(next, { alpha: 0.5 });
  assertEquals(after.slot, 1); // the one that inherited is the oldest now
  assertEquals(after.stack.lost, 0.5 * 0.0625 + 0.5 * 0.1875);
});

Deno.test("a copy of the policy frees every place and loses nothing", () => {
  let stack = emptySnapshots(2);
  for (let i = 0; i < 5; i++) ({ stack } = addSnapshot(stack, { alpha: 0.5 }));
  const { stack: copied, factors } = addSnapshot(stack, { alpha: 1 });
  assertEquals(copied, { weights: [1, 0], ages: [6, 0], taken: 6, lost: 0 });
  assertEquals(factors, [0, 0]);
});

Deno.test("shares and the start's add up to 1 as long as nothing is given up, and to 1 without the start's after", () => {
  let stack = emptySnapshots(8);
  for (let i = 1; i <= 30; i++) {
    ({ stack } = addSnapshot(stack, { alpha: 0.3 }));
    const sum = stack.weights.reduce((total, share) => total + share, 0);
    assertAlmostEquals(sum, 1 - 0.7 ** i, 1e-12); // the start keeps its own share, whoever gives up another's
  }
});

Deno.test("snapshotsNeeded counts the shares that float32 can tell from none", () => {
  // 0.4¹⁷ · 0.6 = 1.03e-7 > 2⁻²⁴ = 5.96e-8 > 0.4¹⁸ · 0.6 = 4.1e-8
  assertEquals(snapshotsNeeded(Array(1000).fill(0.6)), 18);
  // ln(2⁻²⁴ / 0.1) / ln 0.9 = 136.0
  assertEquals(snapshotsNeeded(Array(1000).fill(0.1)), 137);
  assertEquals(snapshotsNeeded([0.1, 0.1, 1, 0.1]), 2);
  assertEquals(snapshotsNeeded([]), 1);
});

Deno.test("addSnapshot and emptySnapshots refuse what can't be", () => {
  assertThrows(() => emptySnapshots(0), RangeError, "at least 1, got 0");
  assertThrows(
    () => addSnapshot(emptySnapshots(1), { alpha: 0 }),
    RangeError,
    "above 0 and at most 1, got 0",
  );
  const { stack } = addSnapshot(emptySnapshots(1), { alpha: 0.5 });
  assertThrows(() => addSnapshot(stack, { alpha: 0.5 }), RangeError, "give at least 2 for a smaller alpha");
});
