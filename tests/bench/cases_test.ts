import { assert, assertEquals, assertThrows } from "@std/assert";
import { casePairs, casesNamed, caseTensors } from "../../bench/cases.ts";
import { sizeOf } from "../../kernels/tensor.ts";
import { modelTensors } from "../../models/tensors.ts";

Deno.test("the large cases have as many parameters as the models that they are named after", () => {
  const count = (name: string) =>
    modelTensors(casesNamed([name])[0]!.config).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  // As the model cards on the hub say.
  assertEquals(count("SmolLM2-135M"), 134_515_008);
  assertEquals(count("Qwen2.5-0.5B"), 494_032_768);
});

Deno.test("a case's weights are the same each time, and a reference is near its policy but not it", () => {
  const { config } = casesNamed(["S"])[0]!;
  const [policy, again, reference] = [
    caseTensors(config, "policy"),
    caseTensors(config, "policy"),
    caseTensors(config, "reference"),
  ];
  assertEquals(again, policy);
  policy.forEach(({ values }, i) => {
    const distances = values.map((value, j) => Math.abs(value - reference[i]!.values[j]!));
    const spread = values.reduce((most, value) => Math.max(most, Math.abs(value - values[0]!)), 0);
    const most = distances.reduce((most, value) => Math.max(most, value), 0);
    assert(most > 0 && most < 0.05 * spread);
  });
});

Deno.test("a case's pairs have its lengths", () => {
  const stepCase = casesNamed(["M4"])[0]!;
  const lengths = casePairs(stepCase).map(({ prompt, completions }) =>
    [prompt, ...completions].map(({ length }) => length)
  );
  assertEquals(lengths, Array(4).fill([32, 96, 96]));
  assertThrows(() => casesNamed(["XL"]), Error, 'there is no case "XL"');
});
