/** What the commands say of a model that they cannot use; nothing is written then. */
import { assert } from "@std/assert";
import { assertRefuses, createWorkspace, trainFlags, type Workspace } from "./workspace.ts";

const WEIGHTS = "broken/model.safetensors";

/** One way to break a model: what is done to a whole one, and what the one line must name. */
interface Break {
  what: string;
  /** Changes the copy in `broken`. */
  by: (workspace: Workspace) => Promise<void>;
  parts: readonly string[];
}

const config = (change: Record<string, unknown>) => (workspace: Workspace) =>
  workspace.copyModel("broken", (json) => Object.assign(json, change));

const weights = (change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array) => async (workspace: Workspace) => {
  await workspace.copyModel("broken");
  await workspace.write(WEIGHTS, change(await Deno.readFile(`${workspace.root}/${WEIGHTS}`)));
};

const without = (name: string, instead?: string) => async (workspace: Workspace) => {
  await workspace.copyModel("broken");
  await Deno.remove(`${workspace.root}/broken/${name}`);
  if (instead !== undefined) await workspace.write(`broken/${instead}`, "");
};

/** Rewrites the header of a safetensors file. */
function withHeader(
  bytes: Uint8Array<ArrayBuffer>,
  change: (header: Record<string, Entry>) => void,
): Uint8Array {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  change(header);
  const text = new TextEncoder().encode(JSON.stringify(header));
  assert(text.length <= length, "the new header must fit into the old one");
  const changed = bytes.slice().fill(0x20, 8, 8 + length);
  changed.set(text, 8);
  return changed;
}
interface Entry {
  data_offsets: [number, number];
}

const LAYER = "model.layers.0";

const breaks: readonly Break[] = [
  {
    what: "no directory",
    by: () => Promise.resolve(),
    parts: ["broken: there is no such directory; give the path of a model in Hugging Face layout"],
  },
  {
    what: "a file in place of the directory",
    by: (workspace) => workspace.write("broken", ""),
    parts: ["broken: there is no such directory"],
  },
  {
    what: "no config.json",
    by: without("config.json"),
    parts: ["broken/config.json: there is no such file"],
  },
  {
    what: "a config.json that is no JSON",
    by: async (workspace) => {
      await workspace.copyModel("broken");
      await workspace.write("broken/config.json", '{"model_type": "llama",');
    },
    parts: ["broken/config.json: this is not valid JSON; correct it or fetch it again"],
  },
  {
    what: "no weights",
    by: without("model.safetensors"),
    parts: ["broken: neither model.safetensors nor model.safetensors.index.json is in this directory; fetch"],
  },
  {
    what: "weights as a pickle only",
    by: without("model.safetensors", "pytorch_model.bin"),
    parts: ["broken: the weights are there only as a pickle (pytorch_model.bin)", "convert it with"],
  },
  {
    what: "truncated weights",
    by: weights((bytes) => bytes.subarray(0, bytes.length - 100)),
    parts: [`${WEIGHTS}: tensor `, "its bytes end at", "the download may be incomplete; fetch it again"],
  },
  {
    what: "weights that end in the header",
    by: weights((bytes) => bytes.subarray(0, 100)),
    parts: [`${WEIGHTS}: the header of `, "ends after the file's 100; the download may be incomplete"],
  },
  {
    what: "an oversized header",
    by: weights((bytes) => {
      new DataView(bytes.buffer).setBigUint64(0, 2n ** 40n, true);
      return bytes;
    }),
    parts: [`${WEIGHTS}: header length 1099511627776 is above 100000000; is it a safetensors file?`],
  },
  {
    what: "overlapping tensors",
    by: weights((bytes) =>
      withHeader(bytes, (header) => {
        const [first, second] = [
          `${LAYER}.input_layernorm.weight`,
          `${LAYER}.post_attention_layernorm.weight`,
        ];
        header[second]!.data_offsets = header[first]!.data_offsets;
      })
    ),
    parts: [
      `${WEIGHTS}: tensors ${LAYER}.input_layernorm.weight and ${LAYER}.post_attention_layernorm.weight overlap at byte`,
    ],
  },
  {
    what: "an unknown architecture",
    by: config({ model_type: "mamba", architectures: ["MambaForCausalLM"] }),
    parts: ['broken/config.json: model_type is "mamba"', "the supported ones are: llama"],
  },
  {
    what: "a feature that is not supported",
    by: config({ hidden_act: "gelu" }),
    parts: ['broken/config.json: hidden_act is "gelu", which is not supported; only "silu" is'],
  },
  {
    what: "a vocabulary that differs between config and weights",
    by: config({ vocab_size: 1000 }),
    parts: [
      "broken: vocab_size is 1000 in config.json, but model.embed_tokens.weight has",
      "set vocab_size to",
    ],
  },
  {
    what: "a tensor of another size",
    by: config({ intermediate_size: 96 }),
    parts: [
      `broken: ${LAYER}.mlp.gate_proj.weight is [64, 32], but config.json makes it [96, 32]; correct one`,
    ],
  },
  {
    what: "fewer layers than the config has",
    by: config({ num_hidden_layers: 2 }),
    parts: ["broken: model.layers.1.input_layernorm.weight", "missing; fetch all weight files"],
  },
  {
    what: "more layers than the config has",
    by: config({ num_hidden_layers: 0 }),
    parts: ["broken/config.json: num_hidden_layers is 0"],
  },
  {
    what: "a tokenizer with more tokens than the model",
    by: async (workspace) => {
      await workspace.copyModel("broken");
      const tokenizer = JSON.parse(await workspace.read("model/tokenizer.json"));
      tokenizer.model.vocab.zebra = 1234;
      await workspace.write("broken/tokenizer.json", JSON.stringify(tokenizer));
    },
    parts: [
      "broken: the tokenizer has ids up to 1234, but vocab_size in config.json is",
      "tokenizer and weights are of different models",
    ],
  },
  {
    what: "no tokenizer.json",
    by: without("tokenizer.json"),
    parts: ["Cannot read broken/tokenizer.json: no such file; wanted a model in Hugging Face layout"],
  },
  {
    what: "a tokenizer.json that is no JSON",
    by: async (workspace) => {
      await workspace.copyModel("broken");
      await workspace.write("broken/tokenizer.json", "{");
    },
    parts: ["broken/tokenizer.json: malformed JSON"],
  },
];

for (const { what, by, parts } of breaks) {
  Deno.test(`train refuses a model with ${what}`, async () => {
    await using workspace = await createWorkspace();
    await by(workspace);
    const args = trainFlags({ "model.path": "broken", "output.directory": "runs/out" });
    await assertRefuses(workspace, { command: "train", args, parts });
  });
}

Deno.test("score and generate refuse a broken model as train does, without leaving a file", async () => {
  await using workspace = await createWorkspace();
  await weights((bytes) => bytes.subarray(0, bytes.length - 100))(workspace);
  const parts = [`${WEIGHTS}: tensor `, "fetch it again"];
  const common = ["--model.path=broken", "--output.file=out.jsonl"];
  await assertRefuses(workspace, {
    command: "score",
    args: [...common, "--data.records=pairs.jsonl"],
    parts,
  });
  await assertRefuses(workspace, { command: "generate", args: [...common, "--prompt=Anna asks"], parts });
});

Deno.test("train refuses a reference that is not the policy's architecture before it writes anything", async () => {
  await using workspace = await createWorkspace();
  const args = trainFlags({ "output.directory": "out", "reference.path": "broken" });
  const refuses = (parts: string[]) => assertRefuses(workspace, { command: "train", args, parts });
  await refuses(["broken: there is no such directory"]);
  await workspace.copyModel("broken", (json) => json.rope_theta = 500000);
  await refuses([
    "reference.path broken: rope_theta is 500000, the policy's is 10000; give a model of the same",
  ]);
  await workspace.copyModel("broken", (json) => json.intermediate_size = 96);
  await refuses([
    "reference.path broken: intermediate_size is 96, the policy's is 64; give a model of the same",
  ]);
  await weights((bytes) => bytes.subarray(0, 100))(workspace);
  await refuses([`${WEIGHTS}: the header of`]);
});
