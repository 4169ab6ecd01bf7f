import { assertEquals, assertThrows } from "@std/assert";
import { longestRun, repeatedShare } from "../../evaluation/repetition.ts";

Deno.test("repeatedShare is the share of n-grams that were there before", () => {
  // By hand: "a b a b a" has the pairs ab ba ab ba, of which two are distinct.
  assertEquals(repeatedShare("a b a b a", { n: 2 }), 2 / 4);
  assertEquals(repeatedShare("a b c d e"), 0);
  assertEquals(repeatedShare("a a a a a a a a"), 4 / 5); // five 4-grams, one distinct
  assertEquals(repeatedShare("a b"), 0);
  assertThrows(() => repeatedShare("a b", { n: 0 }), RangeError, "n is 0");
});

Deno.test("longestRun finds loops of any period", () => {
  assertEquals(longestRun("x no no no y"), 3);
  assertEquals(longestRun("a b a b a c"), 5);
  assertEquals(longestRun("a b c x a b c"), 0); // repeated, but not in a row
  assertEquals(longestRun("p q r s p q r s"), 8);
  assertEquals(longestRun("p q r s p q r"), 0); // not twice yet
  assertEquals(longestRun("a a b c b c b c d"), 6); // the longer of two
  assertEquals(longestRun([5, 5]), 2);
  assertEquals(longestRun(""), 0);
});
