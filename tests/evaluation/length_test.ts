import { assertEquals, assertThrows } from "@std/assert";
import { measureLengths } from "../../evaluation/length.ts";

Deno.test("measureLengths counts words, characters and tokens", () => {
  const texts = ["One, two!", "👍"];
  assertEquals(measureLengths(texts, { unit: "words" }).mean, (4 + 1) / 2);
  assertEquals(measureLengths(texts, { unit: "characters" }).mean, (9 + 1) / 2);
  const tokenize = (text: string) => new TextEncoder().encode(text);
  assertEquals(measureLengths(texts, { unit: "tokens", tokenize }).mean, (9 + 4) / 2);
});

Deno.test("measureLengths says how lengths are spread", () => {
  // Lengths 1 to 20: numpy.quantile(range(1, 21), q, method="inverted_cdf")
  const texts = Array.from({ length: 20 }, (_, i) => "x".repeat(((i * 7) % 20) + 1));
  assertEquals(measureLengths(texts, { unit: "characters" }).quantiles, {
    shortest: 1,
    p10: 2,
    p25: 5,
    median: 10,
    p75: 15,
    p90: 18,
    longest: 20,
  });
});

Deno.test("measureLengths refuses a tokenizer that it would not use, and its absence", () => {
  assertThrows(() => measureLengths(["a"], { unit: "tokens" }), RangeError, "tokens need tokenize");
  assertThrows(() => measureLengths(["a"], { unit: "words", tokenize: () => [] }), RangeError, "no effect");
  assertThrows(() => measureLengths([], { unit: "words" }), RangeError, "no values");
});
