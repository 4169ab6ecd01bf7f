/** A hub with one model, an empty cache, and settings that fail fast. */
import type { HubEvent } from "../../hub/mod.ts";
import { hubSettings } from "../../hub/mod.ts";
import type { HubSettings } from "../../hub/settings.ts";
import { type FakeHub, type FakeRepository, startHub } from "./server.ts";

export const WEIGHTS = pseudoRandomBytes(200_000);

/** Everything that a model's repository may hold. */
export const FILES: Record<string, Uint8Array<ArrayBuffer> | string> = {
  ".gitattributes": "*.safetensors filter=lfs",
  "README.md": "hello\n",
  "config.json": '{"model_type": "llama"}\n',
  "generation_config.json": "{}\n",
  "model.safetensors": WEIGHTS,
  "model.fp16.safetensors": pseudoRandomBytes(3000),
  "model.gguf": pseudoRandomBytes(2000),
  "onnx/model.onnx": pseudoRandomBytes(2001),
  "pytorch_model.bin": pseudoRandomBytes(2002),
  "special_tokens_map.json": '{"eos_token": "</s>"}\n',
  "chat_template.jinja": "{{ messages }}\n",
  "tokenizer.json": JSON.stringify({ padding: "x".repeat(200) }),
  "tokenizer_config.json": "{ }\n",
};

/** Bytes that repeat nothing, the same in every run. */
export function pseudoRandomBytes(length: number): Uint8Array<ArrayBuffer> {
  let state = length;
  return Uint8Array.from({ length }, () => (state = (state * 1103515245 + 12345) & 0x7fffffff) >> 16);
}

/** A hub, a cache and what happened. */
export interface HubWorkspace extends AsyncDisposable {
  hub: FakeHub;
  settings: HubSettings;
  events: HubEvent[];
  onEvent: (event: HubEvent) => void;
  /** The texts of messages. */
  messages(): string[];
  /** Paths below the cache, sorted, locks and directories left out. */
  cached(): Promise<string[]>;
}

/** Starts one; by default with `owner/tiny`, which holds {@linkcode FILES}. */
export async function createHubWorkspace(
  repositories: Record<string, FakeRepository> = { "models/owner/tiny": { files: { ...FILES } } },
): Promise<HubWorkspace> {
  const hub = startHub(repositories);
  const root = await Deno.makeTempDir({ prefix: "tr_align_hub_" });
  const environment = { HF_ENDPOINT: hub.endpoint, HF_HOME: root, HOME: root };
  const events: HubEvent[] = [];
  let stopped = false;
  return {
    hub: Object.assign(hub, {
      [Symbol.asyncDispose]: ((stop) => async () => {
        if (!stopped) await stop.call(hub);
        stopped = true;
      })(hub[Symbol.asyncDispose]),
    }),
    settings: {
      ...await hubSettings(environment),
      stallMilliseconds: 250,
      retries: 2,
      backOffMilliseconds: 1,
    },
    events,
    onEvent: (event) => events.push(event),
    messages: () => events.flatMap((event) => event.type === "message" ? [event.text] : []),
    async cached() {
      const { stdout } = await new Deno.Command("find", { args: [".", "-not", "-type", "d"], cwd: root })
        .output();
      return new TextDecoder().decode(stdout).trim().split("\n").filter((path) => !path.includes("/.locks/"))
        .map((path) => path.slice(2)).sort();
    },
    async [Symbol.asyncDispose]() {
      await hub[Symbol.asyncDispose]();
      await Deno.remove(root, { recursive: true });
    },
  };
}
