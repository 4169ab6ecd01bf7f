import { assertEquals, assertThrows } from "@std/assert";
import { ggufHeader, ggufPadding } from "../../../../models/files/gguf/format.ts";
import { readGguf } from "./read_gguf.ts";

Deno.test("ggufHeader is the bytes of the specification", () => {
  const bytes = ggufHeader({ "k": { uint32: 7 } }, [{ name: "t", shape: [2, 3], type: "F16" }]);
  const expected = [
    ...[0x47, 0x47, 0x55, 0x46, 3, 0, 0, 0], // magic, version
    ...[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], // one tensor, one key
    ...[1, 0, 0, 0, 0, 0, 0, 0, 0x6b, 4, 0, 0, 0, 7, 0, 0, 0],
    ...[1, 0, 0, 0, 0, 0, 0, 0, 0x74, 2, 0, 0, 0],
    ...[3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0], // innermost size first
    ...[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ];
  assertEquals([...bytes], [...expected, ...new Array(32 - expected.length % 32).fill(0)]);
});

Deno.test("ggufHeader keeps every kind of value", () => {
  const { metadata, types } = readGguf(ggufHeader({
    text: "日本 \n",
    yes: true,
    no: false,
    count: { uint32: 2 ** 32 - 1 },
    base: { float32: 0.5 },
    texts: ["", "a", "▁b"],
    floats: Float32Array.of(-1, 1e-9),
    integers: Int32Array.of(-1, 6).subarray(1),
  }, []));
  assertEquals(Object.fromEntries(metadata), {
    text: "日本 \n",
    yes: true,
    no: false,
    count: 2 ** 32 - 1,
    base: 0.5,
    texts: ["", "a", "▁b"],
    floats: [-1, Math.fround(1e-9)],
    integers: [6],
  });
  assertEquals([...types.values()], [[8], [7], [7], [4], [6], [9, 8], [9, 6], [9, 5]]);
});

Deno.test("ggufHeader grows to any number of tokens", () => {
  const texts = Array.from({ length: 50_000 }, (_, i) => `token ${i}`);
  assertEquals(readGguf(ggufHeader({ texts }, [])).metadata.get("texts"), texts);
});

Deno.test("ggufPadding leads to the next multiple of 32", () => {
  assertEquals([0, 1, 31, 32, 33].map(ggufPadding), [0, 31, 1, 0, 31]);
});

Deno.test("ggufHeader refuses names and sizes that ggml doesn't take", () => {
  const info = (name: string, shape: number[]) => ({ name, shape, type: "F32" as const });
  assertThrows(() => ggufHeader({}, [info("a", [1]), info("a", [1])]), Error, "two tensors named a");
  assertThrows(() => ggufHeader({}, [info("é".repeat(32), [1])]), Error, "at most 63 bytes");
  assertThrows(() => ggufHeader({}, [info("a", [1, 1, 1, 1, 1])]), Error, "a has 5 sizes");
});
