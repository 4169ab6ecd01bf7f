import type { JsonEntry } from "./json_stream.ts";

const QUOTE = 0x22, BACKSLASH = 0x5c, LINE_BREAK = 0x0a, COMMA = 0x2c;
const OPEN_LIST = 0x5b, CLOSE_LIST = 0x5d, OPEN_OBJECT = 0x7b, CLOSE_OBJECT = 0x7d;

/**
 * Parses a JSON array element by element as its text arrives, so that no more than one element is held.
 *
 * An element's `line` is the line on which it starts; where the first one starts on the line of the array's
 * bracket, as in a file without line breaks, it is the element's place, from 1.
 *
 * @param chunks the file's text, of which only white space precedes the array
 * @param options `file`: the name that errors give
 * @throws {Error} `pairs.json:17: malformed JSON in record 5: …` where the text breaks
 */
export async function* parseJsonArray(
  chunks: AsyncIterable<string> | Iterable<string>,
  { file }: { file: string },
): AsyncGenerator<JsonEntry> {
  /** Brackets that are open; the first is the array's. */
  const open: number[] = [];
  let line = 1, inText = false, escaped = false, isClosed = false;
  let countsPlaces: boolean | undefined;
  let bracketLine = 0, elementLine = 0, place = 0;
  let element = "", isStarted = false, afterComma = false;

  for await (const chunk of chunks) {
    let from = 0;
    const found: JsonEntry[] = [];
    for (let at = 0; at < chunk.length; at++) {
      const code = chunk.charCodeAt(at);
      if (code === LINE_BREAK) line++;
      if (inText) {
        if (escaped) escaped = false;
        else if (code === BACKSLASH) escaped = true;
        else if (code === QUOTE) inText = false;
        else if (code === LINE_BREAK) refuse(line - 1, "the line ends inside a string");
        continue;
      }
      if (code === LINE_BREAK || code === 0x20 || code === 0x0d || code === 0x09) continue;
      if (isClosed) refuse(line, "something follows the array");
      if (open.length === 0) {
        open.push(code);
        bracketLine = line;
        from = at + 1;
        continue;
      }
      const endsElement = open.length === 1 && (code === COMMA || code === CLOSE_LIST);
      if (endsElement) {
        if (isStarted) found.push(finish(element + chunk.slice(from, at)));
        else if (code === COMMA || afterComma) refuse(line, `unexpected "${chunk[at]}"`);
        afterComma = code === COMMA;
        isClosed = !afterComma;
        from = at + 1;
        continue;
      }
      if (!isStarted) {
        isStarted = true;
        elementLine = line;
        from = at;
      }
      if (code === QUOTE) inText = true;
      else if (code === OPEN_LIST || code === OPEN_OBJECT) open.push(code);
      else if (code === CLOSE_LIST || code === CLOSE_OBJECT) {
        const opening = code === CLOSE_LIST ? OPEN_LIST : OPEN_OBJECT;
        if (open.length === 1 || open.pop() !== opening) refuse(line, `unexpected "${chunk[at]}"`);
      }
    }
    if (isStarted) element += chunk.slice(from);
    yield* found;
  }
  if (!isClosed) refuse(line, "the file ends inside the array");

  function finish(text: string): JsonEntry {
    place++;
    countsPlaces ??= elementLine === bracketLine;
    const value = parseElement(text);
    isStarted = false;
    element = "";
    return { line: countsPlaces ? place : elementLine, value };
  }

  function parseElement(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      place--; // which refuse counts again
      return refuse(elementLine + brokenLine(text), describe(cause), cause);
    }
  }

  function refuse(line: number, reason: string, cause?: unknown): never {
    throw new Error(`${file}:${line}: malformed JSON in record ${place + 1}: ${reason}`, { cause });
  }
}

/**
 * The line of a text, from 0, on which it stops being JSON: the first up to which it isn't just unfinished.
 */
function brokenLine(text: string): number {
  const lines = text.split("\n");
  for (let count = 1; count < lines.length; count++) {
    if (!isUnfinished(lines.slice(0, count).join("\n"))) return count - 1;
  }
  return lines.length - 1;
}

function isUnfinished(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const { message } = error as Error;
    const position = /at position (\d+)/.exec(message)?.[1];
    return message.startsWith("Unexpected end") || message.startsWith("Unterminated string") ||
      Number(position) >= text.length;
  }
}

/** V8's reason without positions, which count from the element's start. */
function describe(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.replaceAll("\n", " ").replace(/ (in JSON )?at position \d+.*$/, "");
}
