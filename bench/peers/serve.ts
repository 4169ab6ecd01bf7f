/** The peer's side of `process.ts`: answers lines of standard input with lines of JSON. */
import { splitLines } from "./lines.ts";

/** Introduces the peer, then does its work as often as each line says, until the input ends. */
export async function serve(
  name: string,
  { repeat, remark }: { repeat: (count: number) => Promise<number[]>; remark?: string },
): Promise<void> {
  const answer = (values: unknown) => console.log(JSON.stringify(values));
  answer({ name, remark });
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).pipeThrough(splitLines());
  for await (const line of lines) {
    const start = performance.now();
    const values = await repeat(Number(line));
    answer({ milliseconds: (performance.now() - start) / Number(line), values });
  }
}
