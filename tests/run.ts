/**
 * Runs all tests, the examples in doc comments and Markdown included, once there is a GPU adapter for them.
 *
 * Arguments go to `deno test`: `deno task test losses --filter dpo`. The last line, `N passed, N failed, N skipped`,
 * is for programs that read this output; the exit code is that of `deno test`.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import { ensureAdapter } from "../cli/adapter.ts";
import { runCommand } from "../cli/errors.ts";

if (import.meta.main) await runCommand(main);

async function main(): Promise<number> {
  await ensureAdapter({ print: console.log });
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--doc", ...Deno.args],
    cwd: new URL("..", import.meta.url),
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const output = await passOn(child.stdout);
  const { code } = await child.status;
  console.log(closingLine(output, { success: code === 0 }));
  return code;
}

/** Copies a stream to standard output as it comes, and returns its text. */
async function passOn(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const [shown, kept] = stream.tee();
  const text = new Response(kept).text();
  await shown.pipeTo(Deno.stdout.writable, { preventClose: true });
  return await text;
}

/**
 * `N passed, N failed, N skipped` from the summary that `deno test` ends with.
 *
 * Tests that could not even start, for a type error for example, leave no summary; they count as one failure.
 */
export function closingLine(output: string, { success }: { success: boolean }): string {
  const summary = stripVTControlCharacters(output).match(/^(?:ok|FAILED) \| \d+ passed.*$/gm)?.at(-1) ?? "";
  const count = (outcome: string) => Number(summary.match(new RegExp(`(\\d+) ${outcome}`))?.[1] ?? 0);
  const failed = Math.max(count("failed"), success ? 0 : 1);
  return `${count("passed")} passed, ${failed} failed, ${count("ignored")} skipped`;
}
