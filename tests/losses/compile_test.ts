import { assert, assertEquals, assertThrows } from "@std/assert";
import { compileLoss } from "../../losses/compile.ts";
import { dpo } from "../../losses/dpo.ts";
import { evaluatePaired } from "../../losses/evaluate.ts";
import { ipo } from "../../losses/ipo.ts";
import { kto } from "../../losses/kto.ts";
import { ktoPaired } from "../../losses/kto_paired.ts";
import { sft } from "../../losses/sft.ts";
import { pairs } from "./paired_gradient.ts";

Deno.test("compileLoss says what each loss needs", () => {
  const needs = [dpo({ beta: 1 }), ipo({ beta: 1, average: "mean" }), kto({ beta: 1 }), sft()]
    .map((loss) => compileLoss(loss).needs);
  assertEquals(needs, [
    { reference: true, lengths: false, mismatched: false },
    { reference: true, lengths: true, mismatched: false },
    { reference: true, lengths: false, mismatched: true },
    { reference: false, lengths: true, mismatched: false },
  ]);
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
