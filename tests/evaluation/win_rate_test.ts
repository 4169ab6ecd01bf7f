import { assert, assertEquals, assertThrows } from "@std/assert";
import { countOutcomes, winRate } from "../../evaluation/win_rate.ts";

Deno.test("winRate counts wins, ties and losses prompt by prompt", () => {
  const { mean, wins, ties, losses, count, interval } = winRate([1, 5, 3, 0], [0, 9, 3, -1]);
  assertEquals({ mean, wins, ties, losses, count }, { mean: 0.625, wins: 2, ties: 1, losses: 1, count: 4 });
  assert(interval[0] < 0.625 && 0.625 < interval[1]);
});

Deno.test("winRate takes small differences for ties where it is told to", () => {
  assertEquals(winRate([1, 2], [1.1, 1], { tie: 0.2 }).ties, 1);
  assertEquals(winRate([1, 2], [1.1, 1]).losses, 1);
});

Deno.test("winRate takes infinite scores, and refuses what it can't compare", () => {
  assertEquals(winRate([Infinity], [-Infinity]).wins, 1);
  assertEquals(winRate([-Infinity], [-Infinity]).ties, 1);
  assertThrows(() => winRate([NaN], [1]), RangeError, "a score is NaN");
  assertThrows(() => winRate([1], []), RangeError, "1 and 0 scores");
  assertThrows(() => winRate([], []), RangeError, "no values");
});

Deno.test("countOutcomes bootstraps over prompts", () => {
  // Of 100 prompts 70 are won: resampled, the wins are binomial, whose 2.5 % and 97.5 % quantiles are 61 and 79.
  const { interval } = countOutcomes(Array.from({ length: 100 }, (_, i) => i < 70 ? 1 : 0));
  assert(Math.abs(interval[0] - 0.61) < 0.0101 && Math.abs(interval[1] - 0.79) < 0.0101, `${interval}`);
});
