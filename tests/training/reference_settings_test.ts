import { assertEquals, assertThrows } from "@std/assert";
import { adaptive } from "../../reference/adaptive.ts";
import { bema } from "../../reference/bema.ts";
import { perEpoch } from "../../reference/per_epoch.ts";
import { scheduled } from "../../reference/scheduled.ts";
import { strategyOf } from "../../training/reference_settings.ts";

Deno.test("strategyOf makes the strategy that the settings say", () => {
  const at = (reference: Parameters<typeof strategyOf>[0]["reference"]) =>
    [1, 2, 3, 4, 5, 6].map((step) => strategyOf(reference ? { reference } : {})({ step, totalSteps: 6 }));
  assertEquals(at({ update: "frozen", path: null }), [0, 0, 0, 0, 0, 0]);
  assertEquals(at(undefined), [0, 0, 0, 0, 0, 0]);
  assertEquals(at({ update: "soft", alpha: 0.6, every: 2, path: null }), [0, 0.6, 0, 0.6, 0, 0.6]);
  assertEquals(at({ update: "hard", every: 3, path: null }), [0, 0, 1, 0, 0, 1]);
  assertThrows(() => at({ update: "hard", every: 0, path: null }), RangeError);
});

Deno.test("strategyOf hands every setting on", () => {
  const describe = (reference: NonNullable<Parameters<typeof strategyOf>[0]["reference"]>) =>
    strategyOf({ reference }).description;
  const [path, every] = [null, 3];
  const alphas = { alphaStart: 0.2, alphaEnd: 0.8, schedule: "cosine", every } as const;
  assertEquals(describe({ update: "scheduled", ...alphas, path }), scheduled(alphas).description);
  assertEquals(describe({ update: "epoch", alpha: 0.7, path }), perEpoch({ alpha: 0.7 }).description);
  const trigger = { measure: "margin", bound: 2, spacing: 5, average: 3, alpha: 0.9 } as const;
  assertEquals(describe({ update: "adaptive", ...trigger, path }), adaptive(trigger).description);
  const powers = { every, emaPower: 0.4, biasPower: 0.3, lag: 20, multiplier: 2 };
  assertEquals(describe({ update: "bema", ...powers, path }), bema(powers).description);
  assertEquals(describe({ update: "hard", every, path, after: 4, until: 9, resetOptimizer: true }), {
    name: "hard",
    every,
    optimizer: "reset",
    after: 4,
    until: 9,
  });
  assertEquals(describe({ update: "hard", every, path, after: 0, until: null, resetOptimizer: false }), {
    name: "hard",
    every,
  });
});

Deno.test("strategyOf refuses what would do nothing, and an average from another model", () => {
  const never = { update: "epoch", alpha: 0.5, path: null, resetOptimizer: true } as const;
  assertThrows(() => strategyOf({ reference: never }), RangeError, "never copies");
  const average = {
    update: "bema",
    every: 3,
    emaPower: 0.5,
    biasPower: 0.2,
    lag: 10,
    multiplier: 1,
  } as const;
  assertThrows(
    () => strategyOf({ reference: { ...average, path: "other" } }),
    Error,
    "reference.path other: bema starts from the policy",
  );
});
