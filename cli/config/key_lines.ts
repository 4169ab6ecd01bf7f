/**
 * On which line of a YAML text each key stands, for messages. The YAML parser gives values without positions.
 *
 * @module
 */

/** A key, or a list's item, in whose block the scan is. */
interface Block {
  indent: number;
  path: string;
  isItem: boolean;
  items: number;
}

/** A `{…}` or `[…]` in which the scan is. */
interface Flow {
  path: string;
  isList: boolean;
  index: number;
  key: string | undefined;
}

const BLOCK_KEY = /^(["']?)([^\s"'{}[\],#:]+)\1\s*:(?=\s|$)/;
const FLOW_TOKEN = /"((?:[^"\\]|\\.)*)"|'((?:[^']|'')*)'|#.*|[{}[\],:]|[^\s{}[\],:"']+/g;

/**
 * Maps each dotted key of a YAML text to its line, counted from 1; items of lists are keys `0`, `1`, ….
 *
 * It reads indentation, lists and flow collections, and is meant for messages only: where a text uses rarer YAML
 * (anchors, text over several lines) an entry may be missing.
 */
export function keyLines(yaml: string): Map<string, number> {
  const lines = new Map<string, number>();
  const blocks: Block[] = [];
  const flows: Flow[] = [];
  for (const [index, line] of yaml.split(/\r?\n/).entries()) {
    const record = (path: string) => lines.has(path) || lines.set(path, index + 1);
    if (flows.length > 0) {
      scanFlow(line, flows, record);
      continue;
    }
    const { path, rest } = scanBlock(line, blocks, record);
    if (/^[{[]/.test(rest)) scanFlow(rest, flows, record, path);
  }
  return lines;
}

// Reads the dashes and the key that open a line; returns what follows them and the path it belongs to.
function scanBlock(
  line: string,
  blocks: Block[],
  record: (path: string) => void,
): { path: string; rest: string } {
  let column = line.search(/\S|$/);
  let rest = line.slice(column);
  const skip = (length: number) => {
    const tail = rest.slice(length);
    column += length + tail.search(/\S|$/);
    rest = tail.trimStart();
  };
  while (/^-(\s|$)/.test(rest)) {
    closeBlocks(blocks, (top) => top.indent > column || (top.isItem && top.indent === column));
    const parent = blocks.at(-1);
    const path = join(parent?.path, String(parent ? parent.items++ : 0));
    record(path);
    blocks.push({ indent: column, path, isItem: true, items: 0 });
    skip(1);
  }
  const match = BLOCK_KEY.exec(rest);
  if (match) {
    closeBlocks(blocks, (top) => top.indent >= column);
    const path = join(blocks.at(-1)?.path, match[2]!);
    record(path);
    blocks.push({ indent: column, path, isItem: false, items: 0 });
    skip(match[0].length);
  }
  return { path: blocks.at(-1)?.path ?? "", rest };
}

function closeBlocks(blocks: Block[], isClosed: (top: Block) => boolean): void {
  while (blocks.length > 0 && isClosed(blocks.at(-1)!)) blocks.pop();
}

// Reads flow tokens; `flows` keeps what is still open at the end of the text for the next line.
function scanFlow(text: string, flows: Flow[], record: (path: string) => void, start = ""): void {
  let pending: string | undefined;
  for (const [token, doubleQuoted, singleQuoted] of text.matchAll(FLOW_TOKEN)) {
    const top = flows.at(-1);
    if (token === "{" || token === "[") {
      const path = top ? join(top.path, top.isList ? String(top.index) : top.key ?? "") : start;
      if (top?.isList) record(path);
      flows.push({ path, isList: token === "[", index: 0, key: undefined });
    } else if (token === "}" || token === "]") {
      flows.pop();
    } else if (token === "," && top) {
      top.index++;
      top.key = undefined;
    } else if (token === ":" && top && !top.isList && top.key === undefined && pending !== undefined) {
      top.key = pending;
      record(join(top.path, pending));
    } else if (token.startsWith("#")) {
      return;
    } else {
      pending = doubleQuoted ?? singleQuoted ?? token;
    }
  }
}

function join(parent: string | undefined, name: string): string {
  return parent ? `${parent}.${name}` : name;
}
