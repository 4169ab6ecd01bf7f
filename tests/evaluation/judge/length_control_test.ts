import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import { lengthControlledWinRate } from "../../../evaluation/judge/length_control.ts";
import type { Outcome } from "../../../evaluation/win_rate.ts";

const zip = (outcomes: Outcome[], differences: number[]) =>
  outcomes.map((outcome, i) => ({ outcome, difference: differences[i]! }));

// PyTorch 1.13, float64: the same penalized likelihood minimized by torch.optim.LBFGS, the variance from the inverse of
// torch.autograd.functional.hessian.
const CASES = [
  {
    what: "mixed outcomes",
    outcomes: zip([1, 1, 1, 0.5, 0, 1, 0, 1, 0, 0.5], [300, 250, 120, 10, -80, 500, -200, -30, 40, 0]),
    rate: 0.4778048662602493,
    standardError: 0.21659086537483255,
  },
  {
    what: "wins alone, at one difference",
    outcomes: zip([1, 1, 1, 1], [5, 5, 5, 5]),
    rate: 0.9887988202168764,
    standardError: 0.04752918660808144,
  },
  {
    what: "a judge for whom the longer answer always wins",
    outcomes: zip([1, 1, 1, 0, 0], [100, 200, 300, -50, -10]),
    rate: 0.1402889737900129,
    standardError: 0.32001800929174457,
  },
];

for (const { what, outcomes, rate, standardError } of CASES) {
  Deno.test(`lengthControlledWinRate fits ${what} as PyTorch does`, () => {
    const fitted = lengthControlledWinRate(outcomes, { resamples: 200 });
    assertAlmostEquals(fitted.mean, rate, 1e-8);
    assertAlmostEquals(fitted.standardError!, standardError, 1e-7);
    assert(fitted.interval[0] <= fitted.mean && fitted.mean <= fitted.interval[1]);
  });
}

Deno.test("lengthControlledWinRate takes length out of a judge who sees nothing else", () => {
  // Longer answers win 9 times of 10, whoever gives them; the policy's are longer 3 times of 4 and win 70 %.
  const outcomes = Array.from({ length: 400 }, (_, i) => {
    const isLonger = i % 4 !== 0;
    const isUsual = Math.floor(i / 4) % 10 !== 0;
    return { outcome: (isLonger === isUsual ? 1 : 0) as Outcome, difference: isLonger ? 100 : -100 };
  });
  const raw = outcomes.reduce((sum, { outcome }) => sum + outcome, 0) / 400;
  assertAlmostEquals(raw, 0.7, 1e-12);
  assertAlmostEquals(lengthControlledWinRate(outcomes, { resamples: 10 }).mean, 0.5, 0.001);
});

Deno.test("lengthControlledWinRate refuses no outcomes", () => {
  assertThrows(() => lengthControlledWinRate([]), RangeError, "no outcomes");
});
