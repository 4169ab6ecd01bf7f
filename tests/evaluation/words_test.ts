import { assertEquals } from "@std/assert";
import { splitWords } from "../../evaluation/words.ts";

Deno.test("splitWords keeps words whole and punctuation apart", () => {
  assertEquals(splitWords("  Well-known: it’s 3 o'clock…\n"), [
    "well-known",
    ":",
    "it’s",
    "3",
    "o'clock",
    "…",
  ]);
  assertEquals(splitWords("'quoted' - end-"), ["'", "quoted", "'", "-", "end", "-"]);
  assertEquals(splitWords("Ünï"), splitWords("ünï".normalize("NFD")));
  assertEquals(splitWords("नमस्ते 👍"), ["नमस्ते", "👍"]);
  assertEquals(splitWords(" "), []);
});
