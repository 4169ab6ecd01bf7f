import { assert, assertEquals, assertThrows } from "@std/assert";
import { aot } from "../../losses/aot.ts";
import { compileLoss } from "../../losses/compile.ts";
import type { Loss } from "../../losses/definition.ts";
import { dpo } from "../../losses/dpo.ts";
import { evaluatePaired } from "../../losses/evaluate.ts";
import { ipo } from "../../losses/ipo.ts";
import { kto } from "../../losses/kto.ts";
import { ktoPaired } from "../../losses/kto_paired.ts";
import { ldDpo } from "../../losses/ld_dpo.ts";
import { margin } from "../../losses/margin.ts";
import { sft } from "../../losses/sft.ts";
import { wpo } from "../../losses/wpo.ts";
import { pairs } from "./paired_gradient.ts";

Deno.test("compileLoss says what each loss needs", () => {
  const needs = (loss: Loss) =>
    Object.entries(compileLoss(loss).needs).flatMap(([name, needed]) => needed ? [name] : []);
  assertEquals(needs(dpo({ beta: 1 })), ["reference"]);
  assertEquals(needs(ipo({ beta: 1, average: "mean" })), ["reference", "lengths"]);
  assertEquals(needs(kto({ beta: 1 })), ["reference", "mismatched"]);
  assertEquals(needs(sft()), ["lengths"]);
  assertEquals(needs(margin({ beta: 1 })), ["reference", "margins"]);
  assertEquals(needs(wpo(dpo({ beta: 1 }))), ["reference", "logWeights"]);
  assertEquals(compileLoss(dpo({ beta: 1 })).tailWeight, 1);
  assertEquals(compileLoss(ldDpo(dpo({ beta: 1 }), { alpha: 0.25 })).tailWeight, 0.25);
  assertEquals(compileLoss(aot({ beta: 1 })).matchings, 1);
});

Deno.test("compileLoss lists statistics in the order of the vectors' components", () => {
  assertEquals(compileLoss(ktoPaired({ beta: 0.1, detach: false })).statistics, [
    { name: "z_chosen", source: "records", detached: false },
    { name: "z_rejected", source: "records", detached: false },
  ]);
});

Deno.test("compileLoss evaluates columns as evaluatePaired does a batch", () => {
  const { policy, reference } = pairs;
  const records = {
    policyChosen: policy.chosen,
    policyRejected: policy.rejected,
    referenceChosen: reference.chosen,
    referenceRejected: reference.rejected,
  };
  const loss = dpo({ beta: 0.1 });
  assertEquals(compileLoss(loss).evaluate({ records }), evaluatePaired(pairs, loss));
});

Deno.test("compileLoss includes only the helpers that a loss calls", () => {
  const functions = (wgsl: string) => [...wgsl.matchAll(/^fn (\w+)/gm)].map(([, name]) => name);
  const common = [
    "loss_statistic_terms",
    "loss_statistic_terms_chosen_gradient",
    "loss_statistic_terms_rejected_gradient",
    "loss_statistics",
    "loss_statistics_gradient",
    "loss_value",
  ];
  assertEquals(functions(compileLoss(sft()).wgsl), common);
  assertEquals(
    functions(compileLoss(aot({ beta: 0.1 })).wgsl).filter((name) => name?.startsWith("loss_ranked")),
    [
      "loss_ranked",
      "loss_ranked_with",
      "loss_ranked_with_chosen_gradient",
      "loss_ranked_with_rejected_gradient",
    ],
  );
  const dpoFunctions = functions(compileLoss(dpo({ beta: 0.1 })).wgsl);
  assertEquals(dpoFunctions, ["loss_log1p", "loss_log_sigmoid", "loss_sigmoid", ...common]);
});

Deno.test("compileLoss writes constants as float literals", () => {
  const wgsl = compileLoss(dpo({ beta: 1e-8 })).wgsl;
  assert(wgsl.includes(" 1e-8f "), wgsl);
});

Deno.test("compileLoss rejects a constant that float32 cannot hold", () => {
  assertThrows(
    () => compileLoss(dpo({ beta: 1e-40 })),
    RangeError,
    "constant 1e-40 cannot be written as a float32",
  );
});
