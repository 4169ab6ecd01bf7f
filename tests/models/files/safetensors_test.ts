import { assertEquals, assertThrows } from "@std/assert";
import {
  parseSafetensorsHeader,
  safetensorsHeader,
  safetensorsHeaderSize,
} from "../../../models/files/safetensors.ts";

const name = "m.safetensors";

/** A file as the format's description has it: length, header text, `dataBytes` zeros. */
function file(header: unknown, dataBytes: number): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  bytes[0] = text.length & 0xff;
  bytes[1] = text.length >> 8;
  bytes.set(text, 8);
  return bytes;
}

function parse(header: unknown, dataBytes: number) {
  const bytes = file(header, dataBytes);
  return parseSafetensorsHeader(bytes, { fileSize: bytes.length, name });
}

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

Deno.test("parseSafetensorsHeader gives absolute offsets, shapes, types and metadata", () => {
  const header = `{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[2,26]},` +
    `"a":{"dtype":"BF16","shape":[],"data_offsets":[0,2]}}   `;
  const start = 8 + header.length;
  const { tensors, metadata } = parse(header, 26);
  assertEquals(metadata, { format: "pt" });
  assertEquals([...tensors], [
    ["b", { dtype: "F32", shape: [2, 3], begin: start + 2, end: start + 26 }],
    ["a", { dtype: "BF16", shape: [], begin: start, end: start + 2 }],
  ]);
});

Deno.test("parseSafetensorsHeader accepts a file without tensors and tensors without elements", () => {
  assertEquals(parse({}, 0).tensors.size, 0);
  assertEquals(parse({ a: f32(0, 0, [0, 4]), b: f32(0, 8) }, 8).tensors.size, 2);
});

Deno.test("parseSafetensorsHeader reads bytes that lie inside a larger buffer", () => {
  const bytes = file({ a: f32(0, 8) }, 8);
  const larger = new Uint8Array(bytes.length + 5);
  larger.set(bytes, 5);
  const { tensors } = parseSafetensorsHeader(larger.subarray(5), { fileSize: bytes.length, name });
  assertEquals(tensors.get("a")?.end, bytes.length);
});

Deno.test("safetensorsHeaderSize refuses lengths that cannot be", () => {
  const size = (bytes: number[], fileSize: number) =>
    safetensorsHeaderSize(new Uint8Array(bytes), { fileSize, name });
  assertEquals(size([2, 1, 0, 0, 0, 0, 0, 0], 1000), 8 + 258);
  assertThrows(() => size([2, 0], 2), Error, "m.safetensors: 2 bytes are too few for a safetensors file");
  assertThrows(
    () => size([93, 0, 0, 0, 0, 0, 0, 0], 100),
    Error,
    "header of 93 bytes ends after the file's 100",
  );
  assertThrows(() => size([1, 2, 3, 4, 5, 6, 7, 8], 1e12), Error, "is it a safetensors file?");
  const pointer = new TextEncoder().encode("version https://git-lfs.github.com/spec/v1");
  assertThrows(() => size([...pointer], pointer.length), Error, "git lfs pull");
});

Deno.test("parseSafetensorsHeader refuses a header of which a part is given", () => {
  const bytes = file({ a: f32(0, 8) }, 8);
  assertThrows(
    () => parseSafetensorsHeader(bytes.subarray(0, 20), { fileSize: bytes.length, name }),
    Error,
    "20",
  );
});

const malformed: [what: string, header: unknown, dataBytes: number, message: string][] = [
  ["text that is not JSON", `{"a":`, 0, "the header is not valid JSON; the download may be incomplete"],
  ["a list", [1], 0, "the header is not a JSON object"],
  ["a metadata list", { __metadata__: [] }, 0, "__metadata__ is not an object"],
  ["an entry that is a number", { a: 1 }, 0, "tensor a: its entry is not an object"],
  ["an unknown dtype", { a: { ...f32(0, 4), dtype: "F5" } }, 4, `tensor a: unknown dtype "F5"; convert it`],
  [
    "a dtype that every object has",
    { a: { ...f32(0, 4), dtype: "toString" } },
    4,
    `unknown dtype "toString"`,
  ],
  ["a negative size", { a: f32(0, 4, [-1]) }, 4, "tensor a: shape [-1] is not a list of sizes"],
  ["a fractional size", { a: f32(0, 4, [0.5]) }, 4, "shape [0.5] is not"],
  ["one offset", { a: { ...f32(0, 4), data_offsets: [0] } }, 4, "data_offsets [0] are not two offsets"],
  ["offsets that run backwards", { a: f32(4, 0, [0]) }, 4, "data_offsets [4,0] run backwards"],
  ["a truncated file", { a: f32(0, 8) }, 7, "the file at"],
  ["a wrong size", { a: f32(0, 8, [3]) }, 8, "tensor a: F32 [3] takes 12 bytes, not 8"],
  ["an overlap", { a: f32(0, 8), b: f32(4, 12) }, 12, "tensors a and b overlap at byte"],
  ["a hole", { a: f32(0, 4), b: f32(8, 12) }, 12, "before tensor b, belong to no tensor"],
  ["a hole at the start", { a: f32(4, 8) }, 8, "before tensor a, belong to no tensor"],
  ["bytes left over", { a: f32(0, 4) }, 9, "the last 5 bytes, after a, belong to no tensor"],
];
for (const [what, header, dataBytes, message] of malformed) {
  Deno.test(`parseSafetensorsHeader refuses ${what}`, () => {
    const error = assertThrows(() => parse(header, dataBytes), Error, message);
    assertEquals(error.message.startsWith(`${name}: `), true);
    assertEquals(error.message.includes("\n"), false);
  });
}

Deno.test("parseSafetensorsHeader refuses a name that is listed twice, however it is escaped", () => {
  const entry = JSON.stringify(f32(0, 4));
  assertThrows(() => parse(`{"a":${entry},"a":${entry}}`, 4), Error, "tensor a is listed twice");
  assertThrows(() => parse(`{"a":${entry},"\\u0061":${entry}}`, 4), Error, "tensor a is listed twice");
  assertThrows(() => parse(`{"{\\"":${entry},"{\\"":${entry}}`, 4), Error, `tensor {" is listed twice`);
});

Deno.test("safetensorsHeader writes what parseSafetensorsHeader reads, aligned to eight bytes", () => {
  const tensors = [
    { name: "odd", dtype: "BF16", shape: [3] },
    { name: "scalar", dtype: "F32", shape: [] },
    { name: "ünï", dtype: "F16", shape: [2, 2] },
  ] as const;
  const header = safetensorsHeader(tensors, { format: "pt", by: "test" });
  assertEquals(header.length % 8, 0);
  const parsed = parseSafetensorsHeader(header, { fileSize: header.length + 6 + 4 + 8, name });
  assertEquals(parsed.metadata, { format: "pt", by: "test" });
  assertEquals([...parsed.tensors.values()].map(({ begin }) => begin - header.length), [0, 6, 10]);
  assertEquals([...parsed.tensors.keys()], ["odd", "scalar", "ünï"]);
});

Deno.test("safetensorsHeader refuses equal and reserved names", () => {
  const tensor = (name: string) => ({ name, dtype: "F32", shape: [1] }) as const;
  assertThrows(() => safetensorsHeader([tensor("a"), tensor("a")]), Error, "two tensors named a");
  assertThrows(() => safetensorsHeader([tensor("__metadata__")]), Error, "two tensors named __metadata__");
});
