/**
 * Published small models in llama.cpp against our own forward pass and tokenizer, on request:
 *
 *     TR_ALIGN_LLAMA_CPP=1 deno task test tests/llama_cpp
 */
import { assert, assertEquals } from "@std/assert";
import { writeStories15m } from "../../examples/stories15m.ts";
import { loadModel } from "../../training/load.ts";
import { scoreRecords } from "../../training/scorer.ts";
import { besideCheckout } from "../data/support.ts";
import { testDevice } from "../kernels/harness.ts";
import { variedTexts } from "../models/files/gguf/tokenizers.ts";
import { divergence, exportAndEvaluate, logSoftmax, TYPES } from "./evaluate.ts";
import { wantsLlamaCpp } from "./install.ts";

const STORIES = [
  "Once upon a time, there was a little girl named Lily. She loved to play outside in the sunshine.",
  "Tom and Sam are friends. They like to play with cars and trucks in the big park.",
  'The dog saw a cat. "Hello!" said the cat. The dog ran away, but then he came back.',
];
// Float32 rounds in proportion to the logits. The fixtures, whose logits reach 6, suggest 1e-4; here they reach 25.
const FLOAT32_LIMIT = 1e-4 * 25 / 6;

interface StoryModel {
  name: string;
  ignore: boolean;
  /** Calls back with the model's directory. */
  use: (check: (path: string) => Promise<void>) => Promise<void>;
}

const beside = besideCheckout("models/stories260K");
const MODELS: readonly StoryModel[] = [
  { name: "stories260K", ignore: beside.isAbsent, use: (check) => check(beside.path) },
  {
    name: "stories15M",
    ignore: false,
    use: async (check) => {
      const directory = `${await Deno.makeTempDir()}/stories15M`;
      await writeStories15m(directory);
      await check(directory);
      await Deno.remove(directory, { recursive: true });
    },
  },
];

for (const { name, ignore, use } of MODELS) {
  Deno.test({
    name: `llama.cpp computes our log-probs of ${name} and splits texts into our tokens`,
    ignore: ignore || !wantsLlamaCpp(),
    sanitizeResources: false, // the device serves both tests
  }, () =>
    use(async (path) => {
      const model = await loadModel(path);
      const { tokenizer } = model;
      const sequences = STORIES.map((text) => [1, ...tokenizer.encode(text)]);
      const ours = await tokenLogProbs(model, sequences);
      const texts = variedTexts(600, ["<s>", "</s>", "<unk>"]);

      let exact: Float64Array[] = [];
      for (const type of TYPES) {
        const isExact = type === "F32";
        const { logits, tokens, metadata } = await exportAndEvaluate(path, {
          type,
          sequences,
          ...(isExact ? { texts } : {}),
        });
        const rows = logits.map((rows) => rows.map(logSoftmax));
        const errors = sequences.flatMap((ids, s) =>
          ids.slice(1).map((id, i) => Math.abs(rows[s]![i]![id]! - ours[s]![i]!))
        );
        if (isExact) exact = rows.flat();
        const kl = rows.flat().reduce((sum, row, i) => sum + divergence(exact[i]!, row), 0) / exact.length;
        const worst = Math.max(...errors);
        const figures = `${worst.toExponential(1)} at most, KL from F32 ${kl.toExponential(1)}`;
        console.log(`${name} ${type}: log-probs of ${errors.length} tokens off by ${figures}`);
        if (!isExact) continue;
        assert(worst <= FLOAT32_LIMIT);
        texts.forEach((text, i) =>
          assertEquals(tokens[i], [...tokenizer.encode(text)], JSON.stringify(text))
        );
        assertEquals(metadata, {
          name,
          bos: 1,
          eos: 2,
          addsBos: true,
          contextLength: model.config.maxPositions,
        });
      }
      model.directory.close();
    }));
}

async function tokenLogProbs(
  model: Awaited<ReturnType<typeof loadModel>>,
  sequences: readonly number[][],
): Promise<number[][]> {
  const groups = sequences.map(([first, ...rest]) => ({
    prompt: Int32Array.of(first!),
    completions: [Int32Array.from(rest)],
  }));
  const scores = scoreRecords(await testDevice(), model, { groups, batchSize: 1 });
  return (await Array.fromAsync(scores)).map(([score]) => score!.tokenLogps);
}
