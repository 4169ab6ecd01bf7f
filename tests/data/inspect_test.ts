import { describeExample, readTokenizer, tokenizePairs } from "@tr/align/data";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { besideCheckout, characterTokenizer } from "./support.ts";

const tokenizer = characterTokenizer({ add_bos_token: true });
const pair = {
  kind: "paired",
  form: "text",
  line: 17,
  prompt: "why",
  chosen: "yes",
  rejected: "no",
} as const;

Deno.test("describeExample shows parts, cuts, endings and the boundary", () => {
  const { examples: [example] } = tokenizePairs([pair], tokenizer, { maxLength: 6 });
  assertEquals(
    describeExample(example!, tokenizer),
    [
      "line 17",
      "--- prompt: 3 tokens, 1 cut ---",
      "<s>hy",
      "--- chosen: 3 tokens, 1 cut, no end token ---",
      "yes",
      'boundary: "<s>" "h" "y" | "y" "e" "s"',
      "--- rejected: 3 tokens, ends with </s> ---",
      "no</s>",
      'boundary: "<s>" "h" "y" | "n" "o" "</s>"',
    ].join("\n"),
  );
});

Deno.test("describeExample shows the label of a completion", () => {
  const example = { line: 2, prompt: Int32Array.of(0), completion: Int32Array.of(1), label: false };
  assertEquals(
    describeExample(example, tokenizer),
    [
      "line 2",
      "label: undesirable",
      "--- prompt: 1 token ---",
      "<s>",
      "--- completion: 1 token, ends with </s> ---",
      "</s>",
      'boundary: "<s>" | "</s>"',
    ].join("\n"),
  );
});

Deno.test("describeExample colours the parts on request", () => {
  const { examples: [example] } = tokenizePairs([pair], tokenizer);
  const text = describeExample(example!, tokenizer, { color: true });
  assertStringIncludes(text, "\x1b[32myes\x1b[7m</s>\x1b[27m\x1b[0m");
  assertStringIncludes(text, "\x1b[31mno\x1b[7m</s>\x1b[27m\x1b[0m");
});

const stories = besideCheckout("models/stories260K");
Deno.test({
  name: "describeExample keeps the space with which a completion starts",
  ignore: stories.isAbsent,
  async fn(): Promise<void> {
    const stories260K = await readTokenizer(stories.path);
    const record = { ...pair, prompt: "Once upon", chosen: " a time", rejected: " the sea" };
    const { examples: [example] } = tokenizePairs([record], stories260K);
    assertStringIncludes(describeExample(example!, stories260K), "\n a time</s>\n");
  },
});
