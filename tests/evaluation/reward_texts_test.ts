import { assertEquals, assertThrows } from "@std/assert";
import { loadTokenizer } from "../../data/tokenizer.ts";
import { encodeForReward } from "../../evaluation/reward_texts.ts";

const WORDS = ["<s>", "</s>", "a", "b", "c", "U", "A", "\n"];

function tokenizerOf({ addBos, template }: { addBos: boolean; template: string | null }) {
  return loadTokenizer({
    tokenizerJson: {
      added_tokens: [{ id: 0, content: "<s>", special: true }, { id: 1, content: "</s>", special: true }],
      model: { type: "BPE", vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])), merges: [] },
    },
    tokenizerConfig: {
      bos_token: "<s>",
      eos_token: "</s>",
      add_bos_token: addBos,
      ...(template === null ? {} : { chat_template: template }),
    },
  });
}

const TEMPLATE =
  "{% for m in messages %}{{ 'U' if m.role == 'user' else 'A' }}{{ m.content }}</s>\n{% endfor %}{% if add_generation_prompt %}A{% endif %}";

Deno.test("encodeForReward puts answers after a text, and what they share in front", () => {
  const tokenizer = tokenizerOf({ addBos: true, template: null });
  assertEquals(encodeForReward("ab", ["cb", "ca"], { tokenizer, eos: false }), {
    prompt: [0, 2, 3, 4],
    completions: [[3], [2]],
  });
  assertEquals(encodeForReward("ab", ["c", ""], { tokenizer, eos: true }), {
    prompt: [0, 2, 3],
    completions: [[4, 1], [1]],
  });
});

Deno.test("encodeForReward writes conversations as the template does, to the last line break", () => {
  const tokenizer = tokenizerOf({ addBos: false, template: TEMPLATE });
  // U a </s> \n A b </s> \n, as apply_chat_template(messages, tokenize=True) has it.
  assertEquals(encodeForReward([{ role: "user", content: "a" }], ["b"], { tokenizer, eos: false }), {
    prompt: [5, 2, 1, 7, 6, 3, 1, 7],
    completions: [[]],
  });
  assertEquals(encodeForReward([{ role: "user", content: "a" }], ["b", "c"], { tokenizer, eos: false }), {
    prompt: [5, 2, 1, 7, 6],
    completions: [[3, 1, 7], [4, 1, 7]],
  });
});

Deno.test("encodeForReward refuses what can't be scored", () => {
  const tokenizer = tokenizerOf({ addBos: false, template: null });
  const encode = (prompt: Parameters<typeof encodeForReward>[0], answers: string[]) => () =>
    encodeForReward(prompt, answers, { tokenizer, eos: false });
  assertThrows(
    encode([{ role: "user", content: "a" }], ["b"]),
    Error,
    "the reward model has no chat template",
  );
  assertThrows(encode("", [""]), Error, "both empty");
  assertThrows(encode("", ["a", "b"]), Error, "no token in common");
});
