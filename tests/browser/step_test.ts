/**
 * A training step in a browser, against the numbers of PyTorch, on request:
 *
 *     TR_ALIGN_CHROMIUM=1 deno task test tests/browser
 */
import { measureGroups } from "../../data/pack.ts";
import { assertRelative, fixturePath, readExpectation, readSafetensors } from "../fixtures/fixtures.ts";
import { fixturePairs } from "../training/fixture_engine.ts";
import { runInChromium, wantsChromium } from "./chromium.ts";
import type { StepAnswer, StepRequest } from "./step_page.ts";

const roundUp = (size: number) => Math.ceil(size / 32) * 32;

async function readWeights(path: string): Promise<Record<string, number[]>> {
  return Object.fromEntries([...await readSafetensors(path)].map(([name, values]) => [name, [...values]]));
}

for (const [kernels, software] of [["a GPU", false], ["a software adapter", true]] as const) {
  Deno.test({
    name: `Chromium trains llama-gqa as PyTorch does, with the kernels for ${kernels}`,
    ignore: !wantsChromium(),
    async fn() {
      const name = "llama-gqa";
      const expected = await readExpectation(name);
      const pairs = fixturePairs(expected);
      const { rows, slots, sequences } = measureGroups(pairs);
      const request: StepRequest = {
        config: JSON.parse(await Deno.readTextFile(`${fixturePath(name)}/config.json`)),
        weights: {
          policy: await readWeights(`${fixturePath(name)}/model.safetensors`),
          reference: await readWeights(`${fixturePath(name)}/reference.safetensors`),
        },
        pairs,
        shape: { rows: roundUp(rows), slots: roundUp(slots), sequences },
        tokens: pairs.reduce((total, { completions }) => total + completions[0]!.length, 0),
        software,
      };
      const answer = await runInChromium<StepAnswer>(new URL("step_page.ts", import.meta.url), request);
      // The tolerances of the same step on Deno's WebGPU, see tests/training/engine_fixture_test.ts.
      const { value, grad_global_norm } = expected.losses.dpo!;
      assertRelative(answer.loss, value, { tolerance: 1e-4, what: "loss" });
      assertRelative(answer.gradientNorm, grad_global_norm, { tolerance: 1e-4, what: "gradient norm" });
      assertRelative(answer.lossAfter, expected.adamw_step.no_clip!.loss_after, {
        tolerance: 2e-4,
        what: "loss after the step",
      });
    },
  });
}
