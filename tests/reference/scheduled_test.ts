import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { scheduled } from "../../reference/scheduled.ts";

const valid = { alphaStart: 0.2, alphaEnd: 0.8, schedule: "linear", every: 2 } as const;

Deno.test("scheduled goes along a line from one alpha to the other, up or down", () => {
  const alphas = (options: Partial<typeof valid> | object) =>
    [1, 2, 3, 4, 5, 6, 7, 8].map((step) => scheduled({ ...valid, ...options })({ step, totalSteps: 8 }));
  // A quarter, half, three quarters and all of the way.
  [0, 0.35, 0, 0.5, 0, 0.65, 0, 0.8].forEach((alpha, i) => assertAlmostEquals(alphas({})[i]!, alpha, 1e-15));
  const down = alphas({ alphaStart: 1, alphaEnd: 0 });
  assertEquals(down, [0, 0.75, 0, 0.5, 0, 0.25, 0, 0]);
});

Deno.test("scheduled goes along half a cosine", () => {
  const strategy = scheduled({ ...valid, schedule: "cosine", every: 1 });
  // (1 − cos πx) / 2 at x = 1/4, 1/3, 1/2 and 1 is (2 − √2) / 4, 1/4, 1/2 and 1.
  const ways = [[3, (2 - Math.SQRT2) / 4], [4, 1 / 4], [6, 1 / 2], [12, 1]] as const;
  for (const [step, way] of ways) {
    assertAlmostEquals(strategy({ step, totalSteps: 12 }), 0.2 + 0.6 * way, 1e-15);
  }
});

Deno.test("scheduled describes itself for logs", () => {
  assertEquals(scheduled(valid).description, {
    name: "scheduled",
    alpha: "0.2 to 0.8",
    schedule: "linear",
    every: 2,
  });
});

Deno.test("scheduled rejects shares outside [0, 1], a fixed one, and steps that are not whole", () => {
  assertThrows(() => scheduled({ ...valid, alphaStart: -0.1 }), RangeError, "alphaStart must be from 0 to 1");
  assertThrows(
    () => scheduled({ ...valid, alphaEnd: NaN }),
    RangeError,
    "alphaEnd must be from 0 to 1, got NaN",
  );
  assertThrows(() => scheduled({ ...valid, alphaEnd: 0.2 }), RangeError, "use soft({ alpha, every })");
  assertThrows(
    () => scheduled({ ...valid, every: 0 }),
    RangeError,
    "scheduled: every must be a whole number",
  );
});
