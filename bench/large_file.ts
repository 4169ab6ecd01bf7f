/**
 * What it takes to read a file of records that is larger than one wants in memory: time, tokens, and the
 * process's peak.
 *
 *     deno run -A bench/large_file.ts [--megabytes 500] [--model DIRECTORY]
 *
 * The file, JSON lines of the quick start's pairs, its cache and, without `--model`, the quick start's
 * tokenizer go to a temporary directory that is removed. Each reading is a process of its own. Linux only,
 * where the peak is found.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { readTokenizer } from "../data/read_tokenizer.ts";
import { readTokens } from "../data/read_tokens.ts";
import { writeQuickStart } from "../examples/quick_start/mod.ts";

const flags = parseArgs(Deno.args, { string: ["megabytes", "model", "read", "cache"] });
if (flags.read !== undefined) await readOnce(flags.read, { model: flags.model!, cache: flags.cache! });
else await measure(Number(flags.megabytes ?? 500));

async function measure(megabytes: number): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const { preferences, model } = await writeQuickStart(`${directory}/quick_start`);
    const text = await Deno.readTextFile(preferences);
    const file = `${directory}/pairs.jsonl`;
    for (let bytes = 0; bytes < megabytes * 1e6; bytes += text.length) {
      await Deno.writeTextFile(file, text, { append: true });
    }
    for (const what of ["tokenized", "from the cache"]) {
      const args = ["--read", file, "--model", flags.model ?? model, "--cache", `${directory}/cache`];
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", import.meta.filename!, ...args],
        stderr: "inherit",
      }).output();
      console.log(`${megabytes} MB ${what}: ${new TextDecoder().decode(stdout).trim()}`);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function readOnce(path: string, { model, cache }: { model: string; cache: string }): Promise<void> {
  const tokenizer = await readTokenizer(model);
  const before = peakMegabytes();
  const start = performance.now();
  const { store } = await readTokens(path, { tokenizer, cache: { directory: cache } });
  const seconds = (performance.now() - start) / 1000;
  let tokens = 0;
  for (let i = 0; i < store.length; i++) {
    const { prompt, completions } = store.lengths(i);
    tokens += completions.reduce((sum, length) => sum + length, prompt);
  }
  // Records in no order, as training takes them.
  for (let i = 0; i < 10_000; i++) store.at((i * 7919) % store.length);
  console.log(
    `${store.length} pairs, ${tokens} tokens in ${
      seconds.toFixed(1)
    } s; peak ${peakMegabytes()} MB, ${before} before`,
  );
}

function peakMegabytes(): number {
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))!;
  return Math.round(Number(kilobytes) / 1024);
}
