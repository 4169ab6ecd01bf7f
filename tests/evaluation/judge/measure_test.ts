import { assertEquals } from "@std/assert";
import { measureJudgements } from "../../../evaluation/judge/measure.ts";
import type { Judgement } from "../../../evaluation/judge/judge.ts";
import type { Outcome } from "../../../evaluation/win_rate.ts";

const few = { resamples: 50 };
const match = { prompt: "?", answer: "ab", other: "cd" };
const judged = (outcome: Outcome | null, orders: Judgement["orders"]): Judgement => ({
  outcome,
  orders,
  replies: ["", ""],
});

Deno.test("measureJudgements counts outcomes, consistency and the preference for what comes first", () => {
  const judgements = [judged(1, [1, 1]), judged(0.5, [1, 0]), judged(0.5, [0.5, 1]), judged(null, [null, 1])];
  const { measures, malformed } = measureJudgements(judgements, Array(4).fill(match), few);
  assertEquals(malformed, [3]);
  assertEquals(measures.win_rate!.mean, 2 / 3);
  assertEquals(measures.win_rate!.count, 3);
  assertEquals(measures.consistency!.mean, 1 / 3);
  // Of five decided verdicts: first, not; first, first; not.
  assertEquals(measures.first_preferred!.mean, 3 / 5);
});

Deno.test("measureJudgements has nothing to say where no verdict can be read", () => {
  const { measures, malformed } = measureJudgements([judged(null, [null, null])], [match], few);
  assertEquals([measures, malformed], [{}, [0]]);
  assertEquals(
    "first_preferred" in measureJudgements([judged(0.5, [0.5, 0.5])], [match], few).measures,
    false,
  );
});

Deno.test("measureJudgements controls for characters, as a reader counts them", () => {
  // The longer answer always wins, and lengths are balanced: nothing is left of the difference.
  const matches = Array.from(
    { length: 40 },
    (_, i) =>
      i % 2 === 0
        ? { prompt: "?", answer: "👍👍👍", other: "no" }
        : { prompt: "?", answer: "no", other: "👍👍👍" },
  );
  const judgements = matches.map((_, i) => judged(i % 2 === 0 ? 1 : 0, i % 2 === 0 ? [1, 1] : [0, 0]));
  const { measures } = measureJudgements(judgements, matches, few);
  assertEquals(Math.abs(measures.length_controlled_win_rate!.mean - 0.5) < 1e-6, true);
});
