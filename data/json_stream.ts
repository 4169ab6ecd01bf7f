import { parseJsonArray } from "./json_array.ts";

/** One JSON value of a file, and where it stands. */
export interface JsonEntry {
  /** The line on which it starts; its row in a table, or its place in an array on one line; all from 1. */
  line: number;
  /** The parsed value. */
  value: unknown;
}

/** How {@linkcode parseJsonStream} reads its bytes. */
export interface JsonStreamOptions {
  /** The file's name, for error messages. */
  file: string;
  /** Whether the bytes are compressed with gzip; default false. */
  gzip?: boolean;
}

/**
 * Parses JSON Lines or a JSON array value by value as bytes arrive, so that a file may be larger than memory.
 *
 * The two are told apart by the first character: `[` starts an array. Blank lines are skipped but counted.
 *
 * @throws {Error} `pairs.jsonl:17: …` where the text isn't JSON; an error that names the file if it holds no
 * value, isn't UTF-8 or can't be decompressed
 *
 * @example
 * ```ts
 * import { parseJsonStream } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = new Blob(['{"text":"a"}\n\n{"text":"b"}\n']).stream();
 * const entries = await Array.fromAsync(parseJsonStream(bytes, { file: "texts.jsonl" }));
 * assertEquals(entries, [{ line: 1, value: { text: "a" } }, { line: 3, value: { text: "b" } }]);
 * ```
 */
export async function* parseJsonStream(
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
  { file, gzip = false }: JsonStreamOptions,
): AsyncGenerator<JsonEntry> {
  const chunks = decode(bytes, { file, gzip });
  // What precedes the first value decides how the rest is read.
  let start = "";
  while (start.trim() === "") {
    const { value, done } = await chunks.next();
    if (done) throw emptyFile(file);
    start += value;
  }
  const all = startingWith(start, chunks);
  let isEmpty = true;
  for await (
    const entry of start.trimStart().startsWith("[") ? parseJsonArray(all, { file }) : parseLines(all, file)
  ) {
    isEmpty = false;
    yield entry;
  }
  if (isEmpty) throw emptyFile(file);
}

function emptyFile(file: string): Error {
  return new Error(`${file}: no records; wanted one JSON object a line, or a JSON array of objects`);
}

async function* startingWith(start: string, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  yield start;
  yield* rest;
}

async function* parseLines(chunks: AsyncIterable<string>, file: string): AsyncGenerator<JsonEntry> {
  let line = 0;
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const text of lines) {
      line++;
      if (text.trim() !== "") yield { line, value: parseLine(text, `${file}:${line}`) };
    }
  }
  line++;
  if (rest.trim() !== "") yield { line, value: parseLine(rest, `${file}:${line}`) };
}

async function* decode(
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
  { file, gzip }: Required<JsonStreamOptions>,
): AsyncGenerator<string> {
  const unpacked = gzip ? bytes.pipeThrough(new DecompressionStream("gzip")) : bytes;
  const chunks = unpacked.pipeThrough(new TextDecoderStream("utf-8", { fatal: true })).getReader();
  try {
    while (true) {
      const { value, done } = await read();
      if (done) return;
      yield value;
    }
  } finally {
    await chunks.cancel().catch(() => {}); // the reason, if there is one, was reported
  }

  // Apart from the loop, so that what a consumer throws isn't taken for an error of the bytes.
  async function read(): Promise<ReadableStreamReadResult<string>> {
    try {
      return await chunks.read();
    } catch (cause) {
      const wanted = gzip ? "gzip-compressed UTF-8 text" : "UTF-8 text";
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${file}: not ${wanted} (${reason})`, { cause });
    }
  }
}

function parseLine(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).replaceAll("\n", " "); // it quotes the text
    throw new Error(`${where}: malformed JSON: ${reason}`, { cause });
  }
}
