import { assertThrows } from "@std/assert";
import { evaluatePaired } from "../../losses/evaluate.ts";
import { sft } from "../../losses/sft.ts";
import { assertClose } from "./assertions.ts";
import { pairs } from "./paired_gradient.ts";

Deno.test("sft counts every chosen token alike", () => {
  const { loss, gradients, rewards } = evaluatePaired(pairs, sft());
  const tokens = 7 + 1 + 40 + 23;
  assertClose([loss], [(12.5 + 3.25 + 80.5 + 41) / tokens]);
  assertClose(gradients.chosen, [0, 0, 0, 0].map(() => -1 / tokens));
  assertClose(gradients.rejected, [0, 0, 0, 0]);
  assertClose(rewards.chosen, [0, 0, 0, 0]);
});

Deno.test("sft demands lengths", () => {
  const { lengths: _, ...without } = pairs;
  assertThrows(() => evaluatePaired(without, sft()), Error, "sft: needs lengths");
});
