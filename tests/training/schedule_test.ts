import { assertAlmostEquals, assertEquals } from "@std/assert";
import { learningRateAt, type ScheduleName } from "../../training/schedule.ts";

const rates = (schedule: ScheduleName, { warmup, steps }: { warmup: number; steps: number }) =>
  Array.from(
    { length: steps },
    (_, i) => learningRateAt(i + 1, { schedule, learningRate: 2e-3, warmup, steps }),
  );

// torch.optim.lr_scheduler.LambdaLR of PyTorch 1.13 with the lambdas of transformers' get_linear_schedule_with_warmup
// and get_cosine_schedule_with_warmup, learning rate 2e-3, 3 steps of warm-up, 10 steps: the rates of steps 1 to 10.
const huggingFace = {
  linear: [
    0.0,
    0.0006666666666666666,
    0.0013333333333333333,
    0.002,
    0.0017142857142857142,
    0.0014285714285714286,
    0.0011428571428571427,
    0.0008571428571428571,
    0.0005714285714285714,
    0.0002857142857142857,
  ],
  cosine: [
    0.0,
    0.0006666666666666666,
    0.0013333333333333333,
    0.002,
    0.001900968867902419,
    0.0016234898018587336,
    0.0012225209339563144,
    0.0007774790660436857,
    0.0003765101981412665,
    9.903113209758097e-05,
  ],
};

for (const schedule of ["linear", "cosine"] as const) {
  Deno.test(`learningRateAt: ${schedule} is Hugging Face's, its warm-up one step ahead`, () => {
    const actual = rates(schedule, { warmup: 3, steps: 10 });
    const expected = huggingFace[schedule];
    for (const step of [1, 2, 3]) assertAlmostEquals(actual[step - 1]!, expected[step]!, 1e-15);
    for (const step of [4, 5, 6, 7, 8, 9, 10]) {
      assertAlmostEquals(actual[step - 1]!, expected[step - 1]!, 1e-15);
    }
  });
}

Deno.test("learningRateAt: constant stays at the peak after the warm-up", () => {
  assertEquals(rates("constant", { warmup: 4, steps: 6 }), [0.5e-3, 1e-3, 1.5e-3, 2e-3, 2e-3, 2e-3]);
});

Deno.test("learningRateAt: without warm-up the first step has the peak", () => {
  assertEquals(rates("linear", { warmup: 0, steps: 4 }), [2e-3, 1.5e-3, 1e-3, 0.5e-3]);
  assertEquals(rates("cosine", { warmup: 0, steps: 4 })[0], 2e-3);
  assertAlmostEquals(rates("cosine", { warmup: 0, steps: 4 })[2]!, 1e-3, 1e-15); // half way
});

Deno.test("learningRateAt: a warm-up over all steps ends at the peak", () => {
  assertEquals(rates("cosine", { warmup: 2, steps: 2 }), [1e-3, 2e-3]);
});
