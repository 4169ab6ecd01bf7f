/** Planning an engine's memory: what it says, how it grows, and how it chooses. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { compileLoss } from "../../losses/compile.ts";
import { dpo } from "../../losses/dpo.ts";
import { parseModelConfig } from "../../models/families/mod.ts";
import { createEngine, type EngineOptions } from "../../training/engine.ts";
import { planEngine } from "../../training/engine_memory.ts";
import { testDevice } from "../kernels/harness.ts";

const device = await testDevice();
const loss = compileLoss(dpo({ beta: 0.1 }));
const HIDDEN = 64;
const VOCABULARY = 256;

function options(
  { layers = 2, rows = 256, ...rest }: { layers?: number; rows?: number } & Partial<EngineOptions> = {},
): EngineOptions {
  const json = {
    model_type: "llama",
    vocab_size: VOCABULARY,
    hidden_size: HIDDEN,
    intermediate_size: 3 * HIDDEN,
    num_hidden_layers: layers,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    tie_word_embeddings: true,
    max_position_embeddings: 4096,
  };
  return {
    config: parseModelConfig(json, { name: "test" }),
    loss,
    sequencesPerRecord: 2,
    reference: "frozen",
    optimizer: { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 },
    shapes: [{ rows, slots: rows / 2, sequences: 4 }],
    maxLength: rows,
    ...rest,
  };
}

Deno.test("planEngine: a layer more costs its input with checkpointing, and all that its gradient reads without", async () => {
  const rows = 256;
  const choices = async (layers: number) => (await planEngine(device, options({ layers, rows }))).choices;
  const [few, many] = [await choices(3), await choices(11)];
  const bytes = rows * HIDDEN * 4;
  assertEquals(many.block - few.block, 8 * bytes);
  // Two norms, qkv (2 C), attention, its result added, gate and up (6 C), their product (3 C), the layer's result.
  assert(many.none - few.none >= 8 * (2 + 2 + 1 + 1 + 6 + 3 + 1) * bytes);
});

Deno.test("planEngine: activations grow with the rows, no faster", async () => {
  const choices = async (rows: number) => (await planEngine(device, options({ rows }))).choices;
  const [short, long] = [await choices(256), await choices(1024)];
  for (const kind of ["none", "block"] as const) {
    assert(
      long[kind] <= 4 * short[kind],
      `${kind}: ${short[kind]} bytes, ${long[kind]} for four times the rows`,
    );
  }
});

Deno.test("planEngine allocates nothing, and what it says is what createEngine takes", async () => {
  const before = { ...device.counters };
  const planned = await planEngine(device, options({ reference: "moving" }));
  assertEquals(device.counters, before);
  const { memory, programs } = await createEngine(device, options({ reference: "moving" }));
  assertEquals(memory, planned);
  const { temporaries, transfers } = programs.get("update")!.memory;
  assertEquals({ temporaries, transfers }, {
    temporaries: planned.temporaries,
    transfers: planned.transfers,
  });
  assertEquals(Object.keys(planned.sets), ["gradients", "policy", "reference", "initial", "first", "second"]);
});

Deno.test("planEngine checkpoints on its own only where keeping activations would exceed the limit", async () => {
  const none = (await planEngine(device, options({ checkpointing: "none" }))).total;
  const block = (await planEngine(device, options({ checkpointing: "block" }))).total;
  assert(block < none);
  const chosen = async (memoryLimit?: number) =>
    (await planEngine(device, options(memoryLimit === undefined ? {} : { memoryLimit }))).checkpointing;
  assertEquals(await chosen(), "none");
  assertEquals(await chosen(none), "none");
  assertEquals(await chosen(none - 1), "block");
  assertEquals(await chosen(block), "block");

  const refusal = async (changes: Partial<EngineOptions>) => {
    const error = await assertRejects(() => planEngine(device, options(changes)), RangeError);
    assertStringIncludes(error.message, `This run needs ${none} bytes on the device (`);
    assertStringIncludes(
      error.message,
      `or ${block} with training.checkpointing: block, more than the limit of `,
    );
    return error.message.split("bytes. ").at(-1);
  };
  assertEquals(await refusal({ memoryLimit: block - 1 }), "Use a smaller batch_size or max_length.");
  assertEquals(
    await refusal({ memoryLimit: none - 1, checkpointing: "none" }),
    "Set training.checkpointing to auto or block.",
  );
  assertEquals(
    await refusal({ memoryLimit: 1000 }),
    "Weights and optimizer alone take more: use adapters (model.lora) or a smaller model.",
  );
});

Deno.test("createEngine says what checkpointing would save where the device lacks the memory for activations", async () => {
  const { choices } = await planEngine(device, options());
  let scope = "";
  const gpu = new Proxy(device.gpu, {
    get(target, key) {
      if (key === "pushErrorScope") return (filter: GPUErrorFilter) => target.pushErrorScope(scope = filter);
      if (key === "popErrorScope") {
        const isActivations = scope === "out-of-memory" && created === "temporary";
        return async () =>
          await target.popErrorScope() ?? (isActivations ? { message: "out of memory" } : null);
      }
      if (key === "createBuffer") {
        return (descriptor: GPUBufferDescriptor) => {
          created = descriptor.label!.split(" ")[0]!;
          return target.createBuffer(descriptor);
        };
      }
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  let created = "";
  const refusal = async (checkpointing: "none" | "block") =>
    (await assertRejects(() => createEngine({ ...device, gpu }, options({ checkpointing })), Error)).message;
  assertStringIncludes(
    await refusal("none"),
    `is out of memory: the activations of this run needs ${choices.none} bytes. ` +
      `With training.checkpointing: block it would be ${choices.block} bytes.`,
  );
  assertStringIncludes(
    await refusal("block"),
    `the activations of this run needs ${choices.block} bytes. Use a smaller batch_size or max_length.`,
  );
});
