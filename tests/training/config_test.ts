import { assert, assertEquals, assertThrows } from "@std/assert";
import { aot, aotUnpaired } from "../../losses/aot.ts";
import { apoDown } from "../../losses/apo_down.ts";
import { apoZero } from "../../losses/apo_zero.ts";
import { bcoPair } from "../../losses/bco_pair.ts";
import { calDpo } from "../../losses/cal_dpo.ts";
import { compileLoss } from "../../losses/compile.ts";
import { cpo } from "../../losses/cpo.ts";
import type { Loss } from "../../losses/definition.ts";
import { discopop } from "../../losses/discopop.ts";
import { dpop } from "../../losses/dpop.ts";
import { exoPair } from "../../losses/exo_pair.ts";
import { hinge } from "../../losses/hinge.ts";
import { hypo } from "../../losses/hypo.ts";
import { ipo } from "../../losses/ipo.ts";
import { margin } from "../../losses/margin.ts";
import { mpo } from "../../losses/mpo.ts";
import { ncaPair } from "../../losses/nca_pair.ts";
import { normalizeLengths } from "../../losses/normalize_lengths.ts";
import { orpo } from "../../losses/orpo.ts";
import { robust } from "../../losses/robust.ts";
import { rpo } from "../../losses/rpo.ts";
import { sigmoidNorm } from "../../losses/sigmoid_norm.ts";
import { simpo } from "../../losses/simpo.ts";
import { sppoHard } from "../../losses/sppo_hard.ts";
import { wpo } from "../../losses/wpo.ts";
import { lossOf, type LossSettings } from "../../training/config.ts";

const dpo = { type: "dpo", weight: 1, beta: 0.1, labelSmoothing: 0 } as const;
const pair = {
  records: {
    policyChosen: [-10, -20],
    policyRejected: [-15, -18],
    referenceChosen: [-12, -20],
    referenceRejected: [-14, -19],
    lengthChosen: [2, 4],
    lengthRejected: [5, 3],
  },
};
const log1pExp = (x: number) => Math.log1p(Math.exp(x));
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
// Log-ratios: chosen 2 and 0, rejected −1 and 1.
const dpoValue = (log1pExp(-0.3) + log1pExp(0.1)) / 2;
const cases: [string, LossSettings[], number][] = [
  ["dpo", [dpo], dpoValue],
  [
    "dpo with label smoothing",
    [{ ...dpo, labelSmoothing: 0.25 }],
    0.75 * dpoValue + 0.25 * (log1pExp(0.3) + log1pExp(-0.1)) / 2,
  ],
  ["ipo by sums", [{ type: "ipo", weight: 1, beta: 0.25, average: "sum" }], (1 + 9) / 2], // (3 − 2)², (−1 − 2)²
  [
    "ipo by means",
    [{ type: "ipo", weight: 1, beta: 0.25, average: "mean" }],
    ((1 + 1 / 5 - 2) ** 2 + (-1 / 3 - 2) ** 2) / 2,
  ],
  [
    "kto_paired", // z_w = 1, z_l = 0
    [{ type: "kto_paired", weight: 1, beta: 0.1, detach: true }],
    (sigmoid(-0.2) + sigmoid(-0.2) + sigmoid(0) + sigmoid(0)) / 4,
  ],
  ["dpo and half of sft", [dpo, { type: "sft", weight: 0.5 }], dpoValue + 0.5 * 30 / 6],
  ["one loss with a weight", [{ ...dpo, weight: 3 }], 3 * dpoValue],
];

for (const [name, loss, expected] of cases) {
  Deno.test(`lossOf makes the loss that the settings say: ${name}`, () => {
    const { loss: value } = compileLoss(lossOf({ loss })).evaluate(pair);
    assertEquals(value.toFixed(12), expected.toFixed(12));
  });
}

Deno.test("lossOf gives kto its weights", () => {
  const { losses } = compileLoss(
    lossOf({ loss: [{ type: "kto", weight: 1, beta: 0.1, desirableWeight: 2, undesirableWeight: 3 }] }),
  ).evaluate({
    records: { policyChosen: [-1, -1], referenceChosen: [-1, -1], label: [1, 0] },
    mismatched: { policyChosen: [-1, -1], referenceChosen: [-1, -1] },
  });
  assertEquals([...losses], [1, 1.5]);
});

const beta = 0.3;
const variants: [LossSettings, Loss][] = [
  [{ type: "robust", weight: 1, beta, labelSmoothing: 0.2 }, robust({ beta, labelSmoothing: 0.2 })],
  [{ type: "hinge", weight: 1, beta }, hinge({ beta })],
  [{ type: "exo_pair", weight: 1, beta, labelSmoothing: 0.2 }, exoPair({ beta, labelSmoothing: 0.2 })],
  [{ type: "nca_pair", weight: 1, beta }, ncaPair({ beta })],
  [{ type: "bco_pair", weight: 1, beta }, bcoPair({ beta })],
  [{ type: "sppo_hard", weight: 1, beta }, sppoHard({ beta })],
  [{ type: "apo_zero", weight: 1, beta }, apoZero({ beta })],
  [{ type: "apo_down", weight: 1, beta }, apoDown({ beta })],
  [{ type: "discopop", weight: 1, beta, tau: 0.1 }, discopop({ beta, tau: 0.1 })],
  [{ type: "sigmoid_norm", weight: 1, beta }, sigmoidNorm({ beta })],
  [{ type: "dpop", weight: 1, beta, lambda: 5 }, dpop({ beta, lambda: 5 })],
  [{ type: "cal_dpo", weight: 1, beta }, calDpo({ beta })],
  [{ type: "simpo", weight: 1, beta, gamma: 0.7 }, simpo({ beta, gamma: 0.7 })],
  [{ type: "cpo", weight: 1, beta, labelSmoothing: 0.2 }, cpo({ beta, labelSmoothing: 0.2 })],
  [{ type: "orpo", weight: 1, beta }, orpo({ beta })],
  [{ type: "margin", weight: 1, beta }, margin({ beta })],
  [{ type: "aot", weight: 1, beta, labelSmoothing: 0.2 }, aot({ beta, labelSmoothing: 0.2 })],
  [
    { type: "aot_unpaired", weight: 1, beta, labelSmoothing: 0.2 },
    aotUnpaired({ beta, labelSmoothing: 0.2 }),
  ],
  [
    { type: "rpo", weight: 1, beta, labelSmoothing: 0.2, alpha: 0.5 },
    rpo({ beta, labelSmoothing: 0.2, alpha: 0.5 }),
  ],
  [{ type: "mpo", weight: 1, beta }, mpo({ beta })],
  [{ type: "hinge", weight: 1, beta, hypo: true }, hypo(hinge({ beta }))],
  [
    { type: "hinge", weight: 1, beta, normalizeLengths: true, wpo: true, hypo: true },
    wpo(normalizeLengths(hypo(hinge({ beta })))),
  ],
  ...(["robust", "exo_pair"] as const).map((type): [LossSettings, Loss] => [
    { type, weight: 1, beta, labelSmoothing: 0.2, divergence: "forward_kl" },
    { robust, exo_pair: exoPair }[type]({ beta, labelSmoothing: 0.2, divergence: "forward_kl" }),
  ]),
  [
    { type: "ipo", weight: 1, beta, average: "sum", divergence: "alpha", divergenceAlpha: 0.5 },
    ipo({ beta, average: "sum", divergence: { alpha: 0.5 } }),
  ],
];
for (const [settings, expected] of variants) {
  Deno.test(`lossOf gives ${settings.type} its options`, () => {
    const loss = lossOf({ loss: [settings] });
    assertEquals(loss.name, expected.name);
    assertEquals(compileLoss(loss).wgsl, compileLoss(expected).wgsl); // has every constant
  });
}

for (
  const type of [
    "hinge",
    "nca_pair",
    "bco_pair",
    "sppo_hard",
    "apo_down",
    "sigmoid_norm",
    "cal_dpo",
    "margin",
    "mpo",
  ] as const
) {
  Deno.test(`lossOf gives ${type} its divergence`, () => {
    const [plain, other] = (["reverse_kl", "jensen_shannon"] as const).map((divergence) =>
      compileLoss(lossOf({ loss: [{ type, weight: 1, beta, divergence }] })).wgsl
    );
    assert(plain !== other);
  });
}

Deno.test("lossOf refuses changes that a loss would ignore, by name", () => {
  const refuse = (settings: LossSettings, message: string) =>
    assertThrows(() => lossOf({ loss: [settings] }), Error, message);
  refuse({ type: "orpo", weight: 1, beta, divergence: "forward_kl" }, "forward_kl would be ignored by orpo");
  refuse({ type: "hinge", weight: 1, beta, divergenceAlpha: 0.5 }, "divergence_alpha 0.5 would be ignored");
  refuse({ type: "hinge", weight: 1, beta, divergence: "alpha" }, "alpha needs a number");
  refuse({ type: "sft", weight: 1, wpo: true }, "wpo: sft has a cross-entropy over tokens");
  assertEquals(
    compileLoss(lossOf({ loss: [{ type: "hinge", weight: 1, beta, ldAlpha: 0.5 }] })).tailWeight,
    0.5,
  );
});

Deno.test("lossOf without losses is supervised fine-tuning", () => {
  assertEquals(lossOf({}).name, "sft");
});
