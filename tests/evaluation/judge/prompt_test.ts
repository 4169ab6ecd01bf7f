import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { DEFAULT_JUDGE_PROMPT, parseJudgePrompt, parseVerdict } from "../../../evaluation/judge/prompt.ts";

Deno.test("parseJudgePrompt fills each place once, whatever answers hold", () => {
  const write = parseJudgePrompt("{{prompt}}|{{ answer_a }}|{{answer_b}}|{{prompt}}", { name: "judge.txt" });
  assertEquals(
    write({ prompt: "Q $& {{answer_a}}", answerA: "one {{answer_b}}", answerB: "two" }),
    "Q $& {{answer_a}}|one {{answer_b}}|two|Q $& {{answer_a}}",
  );
});

Deno.test("parseJudgePrompt refuses a prompt that shows too little, or misspells a place", () => {
  const parse = (text: string) => parseJudgePrompt(text, { name: "judge.txt" });
  assertThrows(() => parse("{{prompt}} {{answer_a}}"), Error, "judge.txt: {{answer_b}} is missing");
  assertThrows(
    () => parse("{{prompt}} {{answerA}} {{answer_b}}"),
    Error,
    "judge.txt: {{answerA}} is nothing that",
  );
});

Deno.test("the default prompt shows all, and its own examples of verdicts are such", () => {
  const write = parseJudgePrompt(DEFAULT_JUDGE_PROMPT, { name: "default" });
  const text = write({ prompt: "<p>", answerA: "<a>", answerB: "<b>" });
  for (const part of ["<p>", "<a>", "<b>"]) assertStringIncludes(text, part);
  const verdicts = text.split("\n").map(parseVerdict).filter((verdict) => verdict !== null);
  assertEquals(verdicts, ["A", "B", "tie"]);
});

Deno.test("parseVerdict reads the last verdict, dressed up or not", () => {
  const cases: [string, ReturnType<typeof parseVerdict>][] = [
    ["A is right.\nVerdict: A", "A"],
    ["**Verdict:** B\n", "B"],
    ["verdict: [[tie]].", "tie"],
    ["- Verdict: **B**", "B"],
    ["Verdict: A\nNo, on second thought:\nVerdict: B", "B"],
    ["Verdict: A is better, since B errs", null], // says more than was asked, so it may mean anything
    ["Verdict: C", null],
    ["The verdict: B or A", null],
    ["A", null],
    ["", null],
  ];
  for (const [reply, verdict] of cases) assertEquals(parseVerdict(reply), verdict, reply);
});
