import { assertEquals, assertThrows } from "@std/assert";
import { measureScores } from "../../evaluation/scores.ts";

const few = { resamples: 50 };
const means = (measures: ReturnType<typeof measureScores>) =>
  Object.fromEntries(Object.entries(measures).map(([name, { mean }]) => [name, mean]));

Deno.test("measureScores compares the means of each prompt's answers", () => {
  const own = [[1, 3], [0, 0], [5, 5]];
  const other = [[1.5], [1], [5]];
  // Means 2, 0, 5 against 1.5, 1, 5: a win, a loss and a tie.
  const measures = measureScores({ own, other }, few);
  assertEquals(means(measures), { score: 7 / 3, opponent_score: 2.5, difference: -0.5 / 3, win_rate: 0.5 });
  assertEquals(means(measureScores({ own, other }, { ...few, tie: 0.5 })).win_rate, 1 / 3); // now two ties and a loss
});

Deno.test("measureScores without an opponent has the score alone", () => {
  assertEquals(means(measureScores({ own: [[1], [2]], other: null }, few)), { score: 1.5 });
  assertThrows(() => measureScores({ own: [], other: null }), RangeError, "no values");
});
