/** A directory with a tiny model and records in which a test runs the real commands, as processes of their own. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { writeQuickStart } from "../../examples/quick_start/mod.ts";
import { parseModelConfig } from "../../models/families/mod.ts";
import { writeModelDirectory } from "../../models/files/write_directory.ts";
import { initialTensors } from "../../models/initialize.ts";

/** The commands. */
export type CommandName =
  | "train"
  | "sft"
  | "inspect"
  | "score"
  | "generate"
  | "evaluate"
  | "export"
  | "tune"
  | "download"
  | "compare"
  | "sweep";

/** What a command said and returned. */
export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** A temporary directory; every path is relative to it, as a user's would be. */
export interface Workspace extends AsyncDisposable {
  /** Where it is. */
  root: string;
  /** Runs a command in it. */
  run(command: CommandName, args: readonly string[], env?: Record<string, string>): Promise<CommandResult>;
  /** Starts a command in it. */
  start(command: CommandName, args: readonly string[]): Deno.ChildProcess;
  /** Writes a file, given as text, as bytes, or as records that become JSON lines. */
  write(path: string, content: string | Uint8Array | readonly unknown[]): Promise<void>;
  /** Reads a text file. */
  read(path: string): Promise<string>;
  /** Copies the model to another directory and changes its `config.json`. */
  copyModel(path: string, change?: (config: Record<string, unknown>) => void): Promise<void>;
  /** Names of all files and directories below a path, sorted; none if there is no such directory. */
  list(path?: string): Promise<string[]>;
  /** A digest of every file by name, to see whether anything was changed. */
  snapshot(): Promise<Record<string, string>>;
}

/** Flags of `train` and `sft` for the workspace's model and pairs, with keys of one's own. */
export function trainFlags(keys: Record<string, string | number> = {}): string[] {
  const all = { "model.path": "model", "data.train": "pairs.jsonl", "data.max_length": 64, ...keys };
  return Object.entries(all).map(([key, value]) => `--${key}=${value}`);
}

/**
 * Makes a directory with `model` (one layer, 32 channels, the quick start's tokenizer), `pairs.jsonl` (24 pairs),
 * `held_out.jsonl` (6 pairs) and `demonstrations.jsonl` (24).
 */
export async function createWorkspace(): Promise<Workspace> {
  const root = await Deno.makeTempDir({ prefix: "tr_align_" });
  await writeFiles(root);
  const at = (path: string) => `${root}/${path}`;
  const start = (command: CommandName, args: readonly string[], env: Record<string, string> = {}) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", new URL(`../../cli/${command}.ts`, import.meta.url).pathname, ...args],
      cwd: root,
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  return {
    root,
    async run(command, args, env) {
      const { code, stdout, stderr } = await start(command, args, env).output();
      return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
    },
    start: (command, args) => start(command, args).spawn(),
    async write(path, content) {
      if (content instanceof Uint8Array) return await Deno.writeFile(at(path), content);
      await Deno.writeTextFile(at(path), typeof content === "string" ? content : jsonLines(content));
    },
    read: (path) => Deno.readTextFile(at(path)),
    async copyModel(path, change) {
      await Deno.mkdir(at(path), { recursive: true });
      for await (const { name } of Deno.readDir(at("model"))) {
        await Deno.copyFile(at(`model/${name}`), at(`${path}/${name}`));
      }
      const config = JSON.parse(await Deno.readTextFile(at("model/config.json")));
      change?.(config);
      await Deno.writeTextFile(at(`${path}/config.json`), JSON.stringify(config));
    },
    list: (path = "") => listTree(at(path)),
    async snapshot() {
      const names = await listTree(root);
      return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await digest(at(name))])));
    },
    [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }),
  };
}

async function writeFiles(root: string): Promise<void> {
  const counts = { supervised: 24, preferences: 24, heldOut: 6 };
  const written = await writeQuickStart(`${root}/quick_start`, counts);
  const json = {
    ...JSON.parse(await Deno.readTextFile(`${written.model}/config.json`)),
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
  };
  await writeModelDirectory(`${root}/model`, {
    config: json,
    tensors: initialTensors(parseModelConfig(json, { name: "tiny" }), { seed: 0, deviation: 0.15 }),
    dtype: "F32",
    copyFrom: written.model,
  });
  await Deno.rename(written.preferences, `${root}/pairs.jsonl`);
  await Deno.rename(written.heldOut, `${root}/held_out.jsonl`);
  await Deno.rename(written.supervised, `${root}/demonstrations.jsonl`);
  await Deno.remove(`${root}/quick_start`, { recursive: true });
}

/** One line of JSON a value. */
export function jsonLines(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value) + "\n").join("");
}

/** The values of a text of JSON lines. */
export function parseLines(text: string): Record<string, unknown>[] {
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

async function listTree(path: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(path)) {
      names.push(name);
      if (isDirectory) names.push(...(await listTree(`${path}/${name}`)).map((inner) => `${name}/${inner}`));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

async function digest(path: string): Promise<string> {
  if ((await Deno.stat(path)).isDirectory) return "directory";
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await Deno.readFile(path))).toHex();
}

/** Fails unless a command said what is wrong on one line that holds all of `parts`, and nothing else. */
export function assertOneLine({ code, stderr }: CommandResult, parts: readonly string[], exitCode = 1): void {
  assertEquals(stderr.trimEnd().split("\n").length, 1, `wanted one line:\n${stderr}`);
  assertMessage({ code, stderr, stdout: "" }, parts, exitCode);
}

/** Fails unless a command failed with a message that holds all of `parts`, without a stack. */
export function assertMessage({ code, stderr }: CommandResult, parts: readonly string[], exitCode = 1): void {
  assert(stderr.startsWith("error: "), `wanted a message:\n${stderr}`);
  assert(!/^\s+at /m.test(stderr), `wanted no stack:\n${stderr}`);
  for (const part of parts) assertStringIncludes(stderr, part);
  assertEquals(code, exitCode);
}

/**
 * Runs a command that must fail with one line that holds all of `parts`, and fails itself if the command left, removed or
 * changed any file.
 */
export async function assertRefuses(
  workspace: Workspace,
  { command, args, parts, env, exitCode }: {
    command: CommandName;
    args: readonly string[];
    parts: readonly string[];
    env?: Record<string, string>;
    exitCode?: number;
  },
): Promise<void> {
  const before = await workspace.snapshot();
  assertOneLine(await workspace.run(command, args, env), parts, exitCode);
  assertEquals(await workspace.snapshot(), before);
}
