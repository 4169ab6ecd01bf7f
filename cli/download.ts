/**
 * `deno task download owner/name …`: fetches models and data sets of the Hugging Face hub beforehand.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { resolveData } from "../hub/resolve.ts";
import { findModel, RECORD_EXTENSIONS } from "../training/sources.ts";
import { withDownloads } from "./download_progress.ts";
import { runCommand, UserError } from "./errors.ts";

const HELP = `deno task download owner/name[@revision] hf://datasets/owner/name[@revision][/path/to/file] …

Fetches models and data sets of the Hugging Face hub into the cache, where the other commands find them by the same
names, and prints the directory of each model and the files of each data set. Of a model come its configuration,
tokenizer and safetensors only. A data set without a path is searched for its training records.

  HF_TOKEN        access token for private and gated repositories (default: what \`hf auth login\` stored)
  HF_ENDPOINT     address of the hub (default: https://huggingface.co)
  HF_HUB_CACHE    directory of the cache (default: hub in HF_HOME, which is ~/.cache/huggingface by default)
  HF_HUB_OFFLINE  1 uses the cache alone
`;

/** Runs the command. */
export async function download(args: readonly string[]): Promise<void> {
  const unknown: string[] = [];
  const { _: names, help } = parseArgs(args, {
    boolean: ["help"],
    alias: { h: "help" },
    string: ["_"],
    unknown: (flag, key) => key === undefined || (unknown.push(flag), false),
  });
  if (help) return console.log(HELP);
  if (unknown.length > 0) {
    throw new UserError(`${unknown[0]}: unknown flag; a revision is written owner/name@revision`);
  }
  if (names.length === 0) throw new UserError("name what to download, such as owner/name; --help says more");
  for (const name of names.map(String)) {
    const paths = await withDownloads(async (onEvent) => {
      if (name.startsWith("hf://datasets/")) {
        const data = await resolveData(name, { onEvent, purpose: "train", extensions: RECORD_EXTENSIONS });
        return data.paths;
      }
      const { path, source } = await findModel(name, { onEvent });
      if (path !== source) return [path];
      throw new UserError(
        `${name}: this is ${await isThere(name) ? "here already" : "no name on the hub"}; wanted ` +
          "owner/name or hf://datasets/owner/name",
      );
    });
    for (const path of paths) console.log(path);
  }
}

function isThere(path: string): Promise<boolean> {
  return Deno.stat(path).then(() => true, () => false);
}

if (import.meta.main) await runCommand(() => download(Deno.args));
