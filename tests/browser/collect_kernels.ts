/** The kernels of whole runs on an imagined adapter: what training, generation and measuring products compile there. */
import { ARCHITECTURES } from "../../bench/architectures.ts";
import { attention } from "../../kernels/attention.ts";
import { backward, createGraph, type Graph, input, temporary } from "../../kernels/graph.ts";
import { matmul } from "../../kernels/matmul.ts";
import { possibleVariants } from "../../kernels/matmul_variants.ts";
import { compile } from "../../kernels/program.ts";
import type { DType, Tensor } from "../../kernels/tensor.ts";
import { aot } from "../../losses/aot.ts";
import { combine } from "../../losses/combine.ts";
import { compileLoss } from "../../losses/compile.ts";
import type { Loss } from "../../losses/definition.ts";
import { dpo } from "../../losses/dpo.ts";
import { ipo } from "../../losses/ipo.ts";
import { kto } from "../../losses/kto.ts";
import { ktoPaired } from "../../losses/kto_paired.ts";
import { sft } from "../../losses/sft.ts";
import { wpo } from "../../losses/wpo.ts";
import { createDecoder } from "../../models/decoder.ts";
import { parseModelConfig } from "../../models/families/mod.ts";
import { modelParameters } from "../../models/families/mod.ts";
import { layoutAdapters } from "../../models/lora/layout.ts";
import { createEngine, type EngineOptions } from "../../training/engine.ts";
import { fixturePath } from "../fixtures/fixtures.ts";
import { collectingDevice, type CollectingOptions, type Collection } from "../kernels/collecting_device.ts";
import { lossVariants } from "../losses/loss_variants.ts";

/** Models whose sizes take every path: odd and even vocabularies, each family, heads of 8 to 128, rows of 32 to 4096. */
const FIXTURES = ["llama-gqa", "gpt2", "gpt_neox", "qwen3", "mistral-window"];
const SHAPES = ["HuggingFaceTB/SmolLM2-135M-Instruct", "meta-llama/Meta-Llama-3-8B-Instruct"];

const beta = 0.1;

/** Losses of every form, by what they make the engine compile. */
const losses: readonly Loss[] = [
  dpo({ beta }),
  ipo({ beta, average: "sum" }),
  kto({ beta }),
  ktoPaired({ beta, detach: false }),
  aot({ beta }),
  combine([{ loss: wpo(dpo({ beta })), weight: 1 }, { loss: sft(), weight: 0.5 }]),
  ...Object.values(lossVariants).map(({ loss }) => loss),
];

/** Everything that is compiled on an adapter like this. */
export async function collectKernels(options: CollectingOptions): Promise<Collection> {
  const collection = collectingDevice(options);
  for (const name of FIXTURES) {
    await collectModel(collection, JSON.parse(await Deno.readTextFile(`${fixturePath(name)}/config.json`)));
  }
  for (const name of SHAPES) await collectModel(collection, ARCHITECTURES[name]!, { batch: 512 });
  const tiny = JSON.parse(await Deno.readTextFile(`${fixturePath("llama-gqa")}/config.json`));
  for (const loss of losses) await collectEngine(collection, tiny, { loss: compileLoss(loss) });
  await collectProducts(collection);
  await collectAttention(collection);
  return collection;
}

/** A model, trained in each way and asked to generate. */
async function collectModel(
  collection: Collection,
  json: Readonly<Record<string, unknown>>,
  { batch = 64 }: { batch?: number } = {},
): Promise<void> {
  const { device } = collection;
  // A block's kernels are those of all blocks; models with windows have them in the last ones.
  const config = parseModelConfig(
    { ...json, num_hidden_layers: 2, ...(json.n_layer ? { n_layer: 2 } : {}) },
    {
      name: "test",
    },
  );
  const shape = { rows: batch, slots: batch, sequences: 4 };
  await collectEngine(collection, json, { config, reference: "averaged", accumulate: 2, shapes: [shape] });
  await collectEngine(collection, json, {
    config,
    reference: "frozen",
    referenceDtype: "bfloat16",
    shapes: [shape],
  });
  const layout = layoutAdapters(modelParameters(config), { rank: 6, alpha: 5, targets: "all-linear" });
  const lora = { layout, base: "bfloat16", snapshots: 2, continued: false } as const;
  const { sets } = await collectEngine(collection, json, {
    config,
    lora,
    reference: "moving",
    shapes: [shape],
  });
  const weights = sets.base!.tensors;
  await createDecoder(device, {
    config,
    weights: { ...sets.base!, get: (name) => sets.base!.get(name) ?? weights.get(name) },
    maxSequences: 4,
    maxLength: 64,
  });
}

/** An engine of these options. */
async function collectEngine(
  { device }: Collection,
  json: Readonly<Record<string, unknown>>,
  options: Partial<EngineOptions>,
) {
  const { loss = compileLoss(dpo({ beta })), ...rest } = options;
  const isPaired = loss?.kind !== "unpaired";
  const shape = { rows: 64, slots: 64, sequences: 4 };
  return await createEngine(device, {
    config: parseModelConfig(json, { name: "test" }),
    loss,
    sequencesPerRecord: isPaired ? 2 : 1,
    reference: "frozen",
    optimizer: { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 },
    shapes: [shape],
    mismatchedShapes: [shape],
    maxLength: 64,
    checkpointing: "none",
    ...rest,
  });
}

async function compileGraph(device: Collection["device"], record: (graph: Graph) => void): Promise<void> {
  const graph = createGraph(device);
  record(graph);
  await compile(device, { graphs: [graph] });
}

/** What `deno task tune` may choose: every variant of a product in each layout and storage, of sizes that 4 divides and not. */
async function collectProducts({ device }: Collection): Promise<void> {
  const layouts = [[false, false], [false, true], [true, false]] as const;
  for (const [transposeA, transposeB] of layouts) {
    for (const dtype of ["f32", "bf16"] as const) {
      for (const size of [1024, 1022]) {
        const product = {
          batch: 1,
          m: size,
          n: size,
          k: size,
          transposeA,
          transposeB,
          packedB: dtype === "bf16",
        };
        for (const variant of possibleVariants(device, product)) {
          await compileGraph(device, (graph) => {
            const matrix = (name: string, dtype: DType = "f32"): Tensor =>
              input(graph, name, { shape: [size, size], dtype });
            matmul(graph, matrix("a"), matrix("b", dtype), { transposeA, transposeB, variant });
          });
        }
      }
    }
  }
}

/** Attention with heads of every size that models have. */
async function collectAttention({ device }: Collection): Promise<void> {
  for (const headSize of [4, 32, 64, 80, 96, 128, 192]) {
    await compileGraph(device, (graph) => {
      const gradient = temporary([64, 4 * headSize], "gradient");
      const qkv = { ...input(graph, "qkv", { shape: [64, 8 * headSize] }), gradient };
      const spans = input(graph, "spans", { shape: [64, 4], dtype: "u32" });
      const attended = attention(graph, qkv, { spans, heads: 4, keyValueHeads: 2, headSize });
      backward(graph, new Map([[attended, input(graph, "seed", { shape: attended.shape })]]));
    });
  }
}
