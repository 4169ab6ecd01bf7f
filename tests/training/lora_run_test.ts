/** Whole runs that train adapters. */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { openModelDirectory } from "../../models/files/directory.ts";
import { openAdapterDirectory } from "../../models/files/adapter_directory.ts";
import type { LoraRunSettings, RunConfig } from "../../training/config.ts";
import { loadModel } from "../../training/load.ts";
import { loadRecords } from "../../training/load_records.ts";
import { prepareRun } from "../../training/prepare.ts";
import { scoreRecords } from "../../training/scorer.ts";
import { testDevice } from "../kernels/harness.ts";
import { assertSame, carryOut, tinyConfig, tinyFiles, withoutRate } from "./tiny_run.ts";

const files = await tinyFiles();
const lora: LoraRunSettings = { path: null, rank: 3, base: "float32", merge: true };
let runs = 0;

function config(
  changes: { lora?: Partial<LoraRunSettings>; reference?: RunConfig["reference"]; directory?: string } = {},
): RunConfig {
  const { reference = { update: "soft", alpha: 0.6, every: 2, path: null } } = changes;
  return tinyConfig(files, {
    model: { path: files.model, lora: { ...lora, ...changes.lora } },
    reference,
    training: { learningRate: 1e-2, seed: 4 },
    output: { directory: changes.directory ?? `${files.directory}/lora-${runs++}`, saveEvery: 5 },
  });
}

/** Log-probs of the held-out pairs under a model directory, as the score command gives them. */
async function scores(path: string, adapter: string | null = null): Promise<number[]> {
  const model = await loadModel(path);
  const { examples } = await loadRecords([files.heldOut], {
    wanted: "pairs",
    tokenizer: model.tokenizer,
    data: { maxLength: 64, maxPromptLength: null, truncate: "keep_end", invalid: "error" },
  });
  const found: number[] = [];
  const options = { groups: examples, batchSize: 4, adapter };
  for await (const pair of scoreRecords(await testDevice(), model, options)) {
    found.push(...pair.map(({ logp }) => logp));
  }
  model.directory.close();
  return found;
}

Deno.test("a run with a softly moving reference, killed and resumed, equals the uninterrupted one", async () => {
  const whole = await carryOut(config());
  const settings = config();
  await carryOut(settings, { stopAfter: 7 }); // the last checkpoint is after step 5, the reference has moved twice
  const resumed = await carryOut(settings, { resume: true });
  assertEquals(withoutRate(resumed.rows), withoutRate(whole.rows));
  assertSame(resumed.weights, whole.weights, "merged model");
  const [one, other] = await Promise.all(
    [whole, resumed].map(({ output }) => Deno.readFile(`${output.adapter}/adapter_model.safetensors`)),
  );
  assertSame(other!, one!, "adapter");
  const last = whole.rows.at(-1)!;
  assertEquals(last["reference/updates"], 6);
  assertEquals(last["reference/truncation"], 0);
  assert(last["kl/initial"]! > last["kl/reference"]!);
  assertAlmostEquals(whole.rows[0]!.loss!, Math.LN2, 1e-6);
});

Deno.test("the merged model and the base with the adapter score alike, and unlike the base", async () => {
  const { output } = await carryOut(config({ reference: { update: "hard", every: 3, path: null } }));
  const [base, merged, adapted] = [
    await scores(files.model),
    await scores(output.model),
    await scores(files.model, output.adapter),
  ];
  merged.forEach((logProb, i) => assertAlmostEquals(adapted[i]!, logProb, 1e-4));
  assert(merged.some((logProb, i) => Math.abs(logProb - base[i]!) > 0.05));
});

Deno.test("the adapter's directory is what PEFT reads", async () => {
  const { output } = await carryOut(config({ lora: { targets: ["q_proj", "down_proj"], merge: false } }));
  const written = JSON.parse(await Deno.readTextFile(`${output.adapter}/adapter_config.json`));
  assertEquals(written.peft_type, "LORA");
  assertEquals(written.r, 3);
  assertEquals(written.lora_alpha, 6);
  assertEquals(written.target_modules, ["q_proj", "down_proj"]);
  assertEquals(written.base_model_name_or_path, files.model);
  await assertRejects(() => Deno.stat(output.model), Deno.errors.NotFound);

  // As PEFT's own file in tests/fixtures/lora-llama-gqa names and shapes them.
  using directory = await openModelDirectory(output.adapter, {
    config: "adapter_config.json",
    weights: "adapter_model",
  });
  const shapes = [...directory.tensors].map(([name, { dtype, shape }]) =>
    `${name} ${dtype} ${shape.join("×")}`
  );
  assertEquals(shapes.slice(0, 4), [
    "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight F32 3×32",
    "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight F32 32×3",
    "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight F32 3×64",
    "base_model.model.model.layers.0.mlp.down_proj.lora_B.weight F32 32×3",
  ]);
});

Deno.test("a run goes on from an adapter, which then is the first reference", async () => {
  const first = await carryOut(config({ lora: { targets: ["q_proj", "v_proj"] } }));
  const next = await carryOut(
    config({
      lora: { path: first.output.adapter, rank: undefined },
      reference: { update: "frozen", path: null },
    }),
  );
  const [row] = next.rows;
  assertAlmostEquals(row!.loss!, Math.LN2, 1e-5); // policy = reference, though neither is the base
  const before = await scores(first.output.model);
  const run = await prepareRun(
    await testDevice(),
    config({ lora: { path: first.output.adapter, rank: undefined } }),
  );
  run.model.directory.close();
  using kept = await openAdapterDirectory(next.output.adapter, { parameters: run.parameters });
  assertEquals(kept.layout.settings.targets, ["q_proj", "v_proj"]);
  const after = await scores(next.output.model);
  assert(after.some((logProb, i) => Math.abs(logProb - before[i]!) > 0.01));
});

Deno.test("what LoRA can't do is refused before anything runs", async () => {
  const device = await testDevice();
  const refuses = async (settings: Partial<LoraRunSettings>, message: string) => {
    await assertRejects(() => prepareRun(device, config({ lora: settings })), Error, message);
  };
  await refuses(
    { targets: ["q_proj", "wo"] },
    "LoRA: the target wo is no linear layer of this model; it has q_proj, k_proj",
  );
  await refuses({ rank: 0 }, "LoRA: rank must be a whole number of at least 1, got 0");
  await refuses({ snapshots: 1 }, "model.lora.snapshots: 1 is too few for a reference that moves softly");
  await refuses({ path: files.model, rank: undefined }, "adapter_config.json: there is no such file");
});

Deno.test("too few snapshots are warned of with the share that they lose", async () => {
  const run = await prepareRun(await testDevice(), config({ lora: { snapshots: 2 } }));
  run.model.directory.close();
  // α 0.6, six updates, two places. By hand: from the third update on the oldest's 0.6 · 0.4ʲ is given up each time.
  assert(
    run.warnings.some((text) =>
      text.includes("with model.lora.snapshots 2, ") && text.includes("% of the reference")
    ),
  );
});
