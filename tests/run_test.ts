import { assertEquals } from "@std/assert";
import { closingLine } from "./run.ts";

// Summaries as Deno 2.9.6 prints them.
const green = (text: string) => `\x1b[0m\x1b[32m${text}\x1b[0m`;

Deno.test("closingLine reads the summary through its colours", () => {
  const output = `a ... ${green("ok")} (1ms)\n\n${
    green("ok")
  } | 116 passed | 0 failed \x1b[0m\x1b[38;5;245m(658ms)\x1b[0m\n\n`;
  assertEquals(closingLine(output, { success: true }), "116 passed, 0 failed, 0 skipped");
});

Deno.test("closingLine reads steps, failures and ignored tests", () => {
  const output =
    "FAILED | 12 passed (3 steps) | 2 failed (1 step) | 4 ignored | 7 filtered out (3s)\n\nerror: Test failed\n";
  assertEquals(closingLine(output, { success: false }), "12 passed, 2 failed, 4 skipped");
});

Deno.test("closingLine takes the last summary, not one that a test has printed", () => {
  const output = "ok | 1 passed | 0 failed (1ms)\nFAILED | 5 passed | 1 failed (9ms)\n";
  assertEquals(closingLine(output, { success: false }), "5 passed, 1 failed, 0 skipped");
});

Deno.test("closingLine counts tests that could not start as a failure", () => {
  assertEquals(
    closingLine("error: Type checking failed.\n", { success: false }),
    "0 passed, 1 failed, 0 skipped",
  );
  const uncaught = "ok | 3 passed | 0 failed (1ms)\n";
  assertEquals(closingLine(uncaught, { success: false }), "3 passed, 1 failed, 0 skipped");
});
