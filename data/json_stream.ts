/** One JSON value of a file, and where it stands. */
export interface JsonEntry {
  /** The line in a JSON Lines file, or the place in a JSON array, from 1. */
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
 * Parses JSON Lines line by line as bytes arrive, or a JSON array at once.
 *
 * The two are told apart by the first character: `[` starts an array. Blank lines are skipped but counted.
 *
 * @throws {Error} `pairs.jsonl:17: …` if a line isn't JSON; an error that names the file if it holds no
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
  let line = 0;
  let isArray: boolean | undefined;
  const arrayText: string[] = [];
  let isEmpty = true;

  for await (const text of splitLines(bytes, { file, gzip })) {
    line++;
    if (text.trim() === "") continue;
    isArray ??= text.trimStart().startsWith("[");
    if (isArray) {
      arrayText.push(text);
    } else {
      isEmpty = false;
      yield { line, value: parseJson(text, `${file}:${line}`) };
    }
  }
  if (isArray === true) {
    const values = parseJson(arrayText.join("\n"), file) as unknown[];
    for (const [index, value] of values.entries()) yield { line: index + 1, value };
    isEmpty = values.length === 0;
  }
  if (isEmpty) {
    throw new Error(`${file}: no records; wanted one JSON object a line, or a JSON array of objects`);
  }
}

async function* splitLines(
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
  { file, gzip }: Required<JsonStreamOptions>,
): AsyncGenerator<string> {
  const unpacked = gzip ? bytes.pipeThrough(new DecompressionStream("gzip")) : bytes;
  let rest = "";
  try {
    for await (const chunk of unpacked.pipeThrough(new TextDecoderStream("utf-8", { fatal: true }))) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      yield* lines;
    }
  } catch (cause) {
    const wanted = gzip ? "gzip-compressed UTF-8 text" : "UTF-8 text";
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${file}: not ${wanted} (${reason})`, { cause });
  }
  if (rest !== "") yield rest;
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).replaceAll("\n", " "); // it quotes the text
    throw new Error(`${where}: malformed JSON: ${reason}`, { cause });
  }
}
