import { assertAlmostEquals, assertEquals } from "@std/assert";
import { goldAgainstKl, LEAST_GOLD } from "../../../examples/overoptimization/figures.ts";
import { QUICK } from "../../../examples/overoptimization/settings.ts";
import type { SettingSummary } from "../../../examples/overoptimization/summary.ts";

Deno.test("goldAgainstKl ends a seed's path where it falls below the plot", () => {
  const estimate = { value: 0, interval: [0, 0] };
  const summary = {
    setting: QUICK.settings[0]!,
    curve: [{ step: 0, gold: estimate }],
    paths: [[{ kl: 0, gold: 0 }, { kl: 1, gold: 1 }, { kl: 100, gold: -5 }, { kl: 200, gold: 0 }]],
    againstKl: [],
  } as unknown as SettingSummary;
  const [plot] = goldAgainstKl([summary]);
  const [start, end, ...others] = plot!.series[0]!.points;
  assertEquals(start, { x: 1, y: 1 });
  assertEquals(others, []);
  assertEquals(end!.y, LEAST_GOLD);
  // Halfway from 1 to −5, and so halfway from 1 to 100 on a logarithmic axis.
  assertAlmostEquals(end!.x, 10);
});
