import { assertEquals } from "@std/assert";
import { planEngine } from "../../bench/run_memory.ts";
import { compileLoss } from "../../losses/compile.ts";
import { dpo } from "../../losses/dpo.ts";
import { parseModelConfig } from "../../models/families/mod.ts";
import { createEngine, type EngineOptions } from "../../training/engine.ts";
import { testDevices } from "../kernels/harness.ts";

const shapes = {
  llama: { model_type: "llama", num_key_value_heads: 2, tie_word_embeddings: true },
  gpt_neox: { model_type: "gpt_neox", rotary_pct: 0.25, tie_word_embeddings: false },
};

for (const [family, json] of Object.entries(shapes)) {
  Deno.test(`planEngine says of a ${family} what an engine takes that is made`, async () => {
    const config = parseModelConfig({
      vocab_size: 96,
      hidden_size: 64,
      intermediate_size: 128,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      max_position_embeddings: 64,
      ...json,
    }, { name: "config.json" });
    const options: EngineOptions = {
      config,
      loss: compileLoss(dpo({ beta: 0.1 })),
      sequencesPerRecord: 2,
      reference: "moving",
      optimizer: { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 },
      shapes: [{ rows: 128, slots: 64, sequences: 4 }],
      maxLength: 64,
    };
    const { total, ...made } = (await createEngine((await testDevices()).GPU, options)).memory;
    const planned = await planEngine(options);
    assertEquals(planned, made);
    const sets = Object.values(planned.sets).reduce((sum, bytes) => sum + bytes, 0);
    assertEquals(sets + planned.temporaries + planned.transfers, total);
  });
}
