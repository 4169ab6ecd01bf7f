import { assert, assertEquals, assertRejects } from "@std/assert";
import { ensureAdapter } from "../../cli/adapter.ts";
import { openRewardModel, scoreRewards } from "../../evaluation/reward_model.ts";
import { requestDevice } from "../../kernels/device.ts";
import { assertAllWithin, fixturePath } from "../fixtures/fixtures.ts";

interface Expected {
  sequences: { prompt: number[]; completion: number[]; score: number }[];
}

/** What float32 may differ by; the scores are of the order of 1. */
const TOLERANCE = 5e-5;

for (const name of ["reward-llama", "reward-qwen2", "reward-gpt2"]) {
  Deno.test(`scoreRewards gives ${name} the scores of float64 PyTorch, whatever the batches`, async () => {
    const path = fixturePath(name);
    const { sequences }: Expected = JSON.parse(await Deno.readTextFile(`${path}/expected.json`));
    const device = await requestDevice(await ensureAdapter());
    const model = await openRewardModel(path);
    try {
      // The first and the last have one prompt.
      const [first, ...others] = sequences;
      const last = others.pop()!;
      const groups = [
        { prompt: first!.prompt, completions: [first!.completion, last.completion] },
        ...others.map(({ prompt, completion }) => ({ prompt, completions: [completion] })),
      ];
      for (const batchSize of [1, 3]) {
        const scores = (await Array.fromAsync(scoreRewards(device, model, { groups, batchSize }))).flat();
        const expected = [first!, last, ...others].map(({ score }) => score);
        assertEquals(scores.length, expected.length);
        assertAllWithin(scores, expected, { tolerance: TOLERANCE, what: name });
      }
    } finally {
      model.directory.close();
      device.destroy();
    }
  });
}

Deno.test("scoreRewards refuses a text that is longer than the model reads", async () => {
  const device = await requestDevice(await ensureAdapter());
  const model = await openRewardModel(fixturePath("reward-gpt2")); // reads 32 tokens
  try {
    const score = (length: number) =>
      Array.fromAsync(
        scoreRewards(device, model, {
          groups: [{ prompt: [1], completions: [Array(length - 1).fill(2)] }],
          batchSize: 1,
        }),
      );
    assert(Number.isFinite((await score(32))[0]![0]));
    await assertRejects(() => score(33), Error, "has 33 tokens, but the reward model reads at most 32");
  } finally {
    model.directory.close();
    device.destroy();
  }
});

Deno.test("openRewardModel refuses what is no reward model", async () => {
  await assertRejects(
    () => openRewardModel(fixturePath("llama-gqa")),
    Error,
    'architectures is ["LlamaForCausalLM"] with model_type "llama"; reward models can be LlamaForSequenceClassification',
  );
  await using changed = await copyOf("reward-llama");
  await changed.config((config) => config.hidden_size = 32);
  await assertRejects(() => openRewardModel(changed.path), Error, "score.weight is [1, 16], wanted [1, 32]");
});

async function copyOf(name: string) {
  const path = await Deno.makeTempDir();
  for (const file of ["config.json", "model.safetensors"]) {
    await Deno.copyFile(`${fixturePath(name)}/${file}`, `${path}/${file}`);
  }
  return {
    path,
    async config(change: (config: Record<string, unknown>) => void) {
      const config = JSON.parse(await Deno.readTextFile(`${path}/config.json`));
      change(config);
      await Deno.writeTextFile(`${path}/config.json`, JSON.stringify(config));
    },
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}
