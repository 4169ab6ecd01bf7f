import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { ensureAdapter } from "../../../cli/adapter.ts";
import { drawAnswers, type DrawnAnswer } from "../../../cli/evaluate/draw_answers.ts";
import { uploadModel } from "../../../cli/evaluate/weights.ts";
import type { Tokenizer } from "../../../data/tokenizer.ts";
import { compareCompletions } from "../../../evaluation/compare_completions.ts";
import { measureDivergences } from "../../../evaluation/preferences.ts";
import { requestDevice } from "../../../kernels/device.ts";
import { modelParameters, parseModelConfig } from "../../../models/families/mod.ts";
import { openModelDirectory } from "../../../models/files/directory.ts";
import { uploadWeights } from "../../../models/weights.ts";
import { fixturePath, readSafetensors } from "../../fixtures/fixtures.ts";

const PROMPTS = [[1, 5, 9], [1, 40, 41, 42]];
const SAMPLES = 300;

/** The policy and the reference of `llama-gqa`, and answers of at most two tokens. */
async function setUp() {
  const device = await requestDevice(await ensureAdapter());
  using directory = await openModelDirectory(fixturePath("llama-gqa"));
  const config = parseModelConfig(directory.config, { name: "llama-gqa" });
  const policy = await uploadModel(device, { config, directory }, { adapter: null });
  const reference = await uploadModel(device, { config, directory }, { adapter: null });
  const tensors = await readSafetensors(`${fixturePath("llama-gqa")}/reference.safetensors`);
  await uploadWeights(device, reference, {
    parameters: modelParameters(config),
    read: (name, receive) => Promise.resolve(receive(0, tensors.get(name)!)),
  });
  const tokenizer = { decode: String, eosId: null } as unknown as Tokenizer;
  const draw = ({ isOpponent = false } = {}): Promise<DrawnAnswer[][]> =>
    drawAnswers(device, policy, {
      model: { config, tokenizer },
      asked: { prompts: PROMPTS.map(String), encode: (index) => PROMPTS[index]! },
      generation: { temperature: 1, topK: null, topP: null, seed: 0, maxTokens: 2, samples: SAMPLES },
      isOpponent,
      onProgress: () => {},
    });
  const compare = (groups: { prompt: ArrayLike<number>; completions: number[][] }[]) =>
    Array.fromAsync(
      compareCompletions(device, { config, policy, others: [reference], groups, batchSize: 1 }),
    );
  return { config, draw, compare, [Symbol.dispose]: () => device.destroy() };
}

Deno.test("the divergence along drawn answers is that of the policy, by enumeration of all answers", async () => {
  using models = await setUp();
  const { config: { vocabularySize, eosTokenIds }, draw, compare } = models;
  // KL of answers of two tokens: that of the first, and of the second after each first one that doesn't end the answer.
  const tokens = Array.from({ length: vocabularySize }, (_, token) => token);
  const firsts = await compare(
    PROMPTS.map((prompt) => ({ prompt, completions: tokens.map((token) => [token]) })),
  );
  const both = await compare(
    PROMPTS.map((prompt) => ({ prompt, completions: tokens.map((token) => [token, 0]) })),
  );
  const exact = PROMPTS.map((_, i) =>
    tokens.reduce((sum, token) => {
      const of = eosTokenIds.includes(token) ? firsts : both;
      return sum + Math.exp(firsts[i]![token]!.logp) * of[i]![token]!.others[0]!.divergence;
    }, 0)
  );
  const total = firsts.map((ofPrompt) => ofPrompt.reduce((sum, { logp }) => sum + Math.exp(logp), 0));
  for (const sum of total) assertAlmostEquals(sum, 1, 1e-4);

  const answers = await draw();
  const along = await compare(answers.map((ofPrompt) => ({
    prompt: ofPrompt[0]!.prompt,
    completions: ofPrompt.map(({ ids }) => ids),
  })));
  along.forEach((ofPrompt, i) => {
    const each = ofPrompt.map((completion) => [completion]);
    const { mean, standardError } = measureDivergences(each, {
      others: ["reference"],
      resamples: 10,
    })["kl/reference"]!;
    assert(standardError! < 0.05 * mean, `${standardError} of ${mean}`);
    assert(
      Math.abs(mean - exact[i]!) < 3 * standardError!,
      `${mean} ± ${standardError}, exactly ${exact[i]}`,
    );
  });
});

Deno.test("drawAnswers ends answers that end by themselves, and gives an opponent draws of its own", async () => {
  using models = await setUp();
  const { config, draw } = models;
  const [own, other] = [(await draw()).flat(), (await draw({ isOpponent: true })).flat()];
  assertEquals(own.length, PROMPTS.length * SAMPLES);
  for (const { ended, ids, tokens } of own) {
    assertEquals(ids.length, ended ? tokens! + 1 : 2);
    assertEquals(config.eosTokenIds.includes(ids.at(-1)!), ended);
  }
  assert(own.some(({ ended }) => ended));
  const same = own.filter(({ ids }, i) => ids.join() === other[i]!.ids.join()).length;
  assert(same < own.length / 4, `${same} of ${own.length} are the same`);
});
