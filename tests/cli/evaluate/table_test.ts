import { assertEquals } from "@std/assert";
import { renderMeasures } from "../../../cli/evaluate/table.ts";

Deno.test("renderMeasures aligns names to the left and numbers to the right", () => {
  const measures = {
    "kl/initial": {
      mean: 12.34567,
      standardError: 0.5,
      interval: [11, 13.5] as [number, number],
      count: 128,
    },
    tiny: { mean: -0.000012, standardError: null, interval: [0, 1234567] as [number, number], count: 3 },
  };
  assertEquals(
    renderMeasures(measures, { confidence: 0.95 }),
    [
      "                mean  ± error  95 % interval    n",
      "kl/initial     12.35      0.5      11 … 13.5  128",
      "tiny        -1.20e-5             0 … 1.23e+6    3",
    ].join("\n"),
  );
});
