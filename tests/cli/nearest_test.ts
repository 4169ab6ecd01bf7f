import { assertEquals } from "@std/assert";
import { didYouMean, nearest } from "../../cli/nearest.ts";

const KNOWN = [
  "training",
  "training.steps",
  "training.batch_size",
  "loss.beta",
  "model.path",
  "reference.path",
];

Deno.test("nearest finds mistyped names", () => {
  assertEquals(nearest("trainin.steps", KNOWN), "training.steps");
  assertEquals(nearest("training.stesp", KNOWN), "training.steps");
  assertEquals(nearest("trainign", KNOWN), "training");
  assertEquals(nearest("stesp", KNOWN), "training.steps");
});

Deno.test("nearest finds names in other sections and other cases", () => {
  assertEquals(nearest("beta", KNOWN), "loss.beta");
  assertEquals(nearest("training.beta", KNOWN), "loss.beta");
  assertEquals(nearest("training.batchSize", KNOWN), "training.batch_size");
  assertEquals(nearest("BATCH-SIZE", KNOWN), "training.batch_size");
  assertEquals(nearest("refrence.path", KNOWN), "reference.path");
});

Deno.test("nearest does not guess", () => {
  assertEquals(nearest("zebra", KNOWN), undefined);
  assertEquals(nearest("", KNOWN), undefined);
  assertEquals(nearest("steps", []), undefined);
});

Deno.test("didYouMean writes the suggestion, or nothing", () => {
  assertEquals(didYouMean("beta", KNOWN, "--"), "; did you mean --loss.beta?");
  assertEquals(didYouMean("zebra", KNOWN), "");
});
