import { encodeExchange, type Exchange, readTokenizer, type Tokenizer } from "@tr/align/data";
import { assertEquals, assertThrows } from "@std/assert";
import { besideCheckout, BOS_PROCESSOR, characterTokenizer, CHATML, idOf, idsOf, LLAMA3 } from "./support.ts";

const BOS = 0, EOS = 1, IM_START = 2, IM_END = 3;

function encode(
  exchange: Exchange,
  tokenizer: Tokenizer,
  addEos = true,
): { prompt: number[]; completions: number[][] } {
  const { prompt, completions } = encodeExchange(exchange, { tokenizer, addEos });
  return { prompt: [...prompt], completions: completions.map((ids) => [...ids]) };
}
const text = (prompt: string, ...completions: string[]): Exchange => ({ form: "text", prompt, completions });
const chat = (content: string, ...completions: string[]): Exchange => ({
  form: "messages",
  prompt: [{ role: "user", content }],
  completions: completions.map((completion) => [{ role: "assistant", content: completion }]),
});

Deno.test("encodeExchange ends the prompt before a token that merges across its end, for both sides", () => {
  // "xa" + "b" holds the token "ab", so the "a" leaves the prompt of the other side as well.
  assertEquals(encode(text("xa", "b", "c"), characterTokenizer()), {
    prompt: idsOf("x"),
    completions: [[idOf("ab"), EOS], [...idsOf("ac"), EOS]],
  });
  // No merge: the prompt stays whole.
  assertEquals(encode(text("xa", "c", "d"), characterTokenizer()), {
    prompt: idsOf("xa"),
    completions: [[...idsOf("c"), EOS], [...idsOf("d"), EOS]],
  });
  // A space at the prompt's end, the usual cause.
  assertEquals(encode(text("Q: ", "b", "c"), characterTokenizer()), {
    prompt: idsOf("Q:"),
    completions: [[idOf(" b"), EOS], [...idsOf(" c"), EOS]],
  });
});

Deno.test("encodeExchange moves a whole prompt into the completion if all of it merges", () => {
  assertEquals(encode(text("a", "b"), characterTokenizer()), {
    prompt: [],
    completions: [[idOf("ab"), EOS]],
  });
  const withBos = characterTokenizer({ add_bos_token: true });
  assertEquals(encode(text("a", "b"), withBos), { prompt: [BOS], completions: [[idOf("ab"), EOS]] });
});

Deno.test("encodeExchange frames text with one BOS and one EOS in every configuration", () => {
  const processed = { postProcessor: BOS_PROCESSOR };
  const configurations: [Tokenizer, boolean][] = [
    [characterTokenizer(), false],
    [characterTokenizer({ add_bos_token: true }), true],
    [characterTokenizer({}, processed), true],
    [characterTokenizer({ add_bos_token: false }, processed), false],
    [characterTokenizer({ add_eos_token: true, add_bos_token: true }, processed), true],
    [characterTokenizer({ bos_token: "</s>", add_bos_token: false }), false],
  ];
  for (const [tokenizer, hasBos] of configurations) {
    for (const completion of ["yes", "yes</s>", "yes</s></s>"]) {
      assertEquals(encode(text("why", completion), tokenizer), {
        prompt: [...(hasBos ? [BOS] : []), ...idsOf("why")],
        completions: [[...idsOf("yes"), EOS]],
      });
    }
  }
});

Deno.test("encodeExchange doesn't repeat a BOS that the text already has", () => {
  for (const prompt of ["why", "<s>why", "<s><s>why"]) {
    const encoded = encode(text(prompt, "yes"), characterTokenizer({ add_bos_token: true }));
    assertEquals(encoded.prompt, [BOS, ...idsOf("why")]);
  }
});

Deno.test("encodeExchange leaves EOS out on request", () => {
  assertEquals(encode(text("why", "yes"), characterTokenizer(), false).completions, [idsOf("yes")]);
});

Deno.test("encodeExchange ends ChatML turns at their end-of-turn token, whether or not it is EOS", () => {
  for (const eos_token of ["</s>", "<|im_end|>"]) {
    for (const add_bos_token of [false, true]) {
      const tokenizer = characterTokenizer({ eos_token, add_bos_token, chat_template: CHATML });
      assertEquals(encode(chat("hi", "yo", "no\n"), tokenizer), {
        prompt: [
          ...(add_bos_token ? [BOS] : []),
          IM_START,
          ...idsOf("user\nhi"),
          IM_END,
          ...idsOf("\n"),
          IM_START,
          ...idsOf("assistant\n"),
        ],
        completions: [[...idsOf("yo"), IM_END], [...idsOf("no\n"), IM_END]],
      });
    }
  }
});

Deno.test("encodeExchange appends EOS where a template writes no end of turn", () => {
  const chat_template = "{% for m in messages %}{{ m.role[0] }}: {{ m.content }}\n{% endfor %}" +
    "{% if add_generation_prompt %}a: {% endif %}";
  assertEquals(encode(chat("hi", "yo"), characterTokenizer({ chat_template })), {
    prompt: idsOf("u: hi\na: "),
    completions: [[...idsOf("yo\n"), EOS]],
  });
});

Deno.test("encodeExchange appends no second EOS where a template writes it, and no second BOS", () => {
  const chat_template = "{{ bos_token }}{% for m in messages %}{{ m.content }}" +
    "{% if m.role == 'assistant' %}{{ eos_token }}\n{% endif %}{% endfor %}{% if add_generation_prompt %}{% endif %}";
  assertEquals(encode(chat("hi:", "yo"), characterTokenizer({ chat_template, add_bos_token: true })), {
    prompt: [BOS, ...idsOf("hi:")],
    completions: [[...idsOf("yo"), EOS]],
  });
});

Deno.test("encodeExchange keeps one BOS with the Llama 3 template, in later turns too", () => {
  const tokenizer = characterTokenizer({ chat_template: LLAMA3, add_bos_token: true });
  const { prompt, completions } = encode({
    form: "messages",
    prompt: ["user", "assistant", "user"].map((role) => ({ role, content: "hi" })),
    completions: [[{ role: "assistant", content: "yo" }]],
  }, tokenizer);
  assertEquals([prompt, ...completions].map((ids) => ids.filter((id) => id === BOS).length), [1, 0]);
  assertEquals(completions[0]?.filter((id) => id === EOS).length, 1);
});

Deno.test("encodeExchange takes ids as they are", () => {
  const prompt = Int32Array.of(5, 6);
  const completions = [Int32Array.of(7)];
  const tokenizer = characterTokenizer({ add_bos_token: true });
  assertEquals(encodeExchange({ form: "ids", prompt, completions }, { tokenizer, addEos: true }), {
    prompt,
    completions,
  });
});

Deno.test("encodeExchange says how to give a chat template or an EOS token", () => {
  assertThrows(
    () => encode(chat("hi", "yo"), characterTokenizer()),
    Error,
    "the record holds messages but the model has no chat template; give one (chat_template in tokenizer_config.json",
  );
  const endless = characterTokenizer({ eos_token: null });
  assertThrows(() => encode(text("a", "c"), endless), Error, "no EOS token; name one");
  assertEquals(encode(text("a", "c"), endless, false).completions, [idsOf("c")]);
});

const stories = besideCheckout("models/stories260K");
Deno.test({
  name: "encodeExchange gives stories260K no second word mark and moves merged spaces",
  ignore: stories.isAbsent,
  async fn(): Promise<void> {
    const tokenizer = await readTokenizer(stories.path);
    const tokens = (exchange: Exchange) => {
      const { prompt, completions } = encodeExchange(exchange, { tokenizer, addEos: true });
      return [prompt, ...completions].map((ids) => Array.from(ids, tokenizer.tokenText));
    };
    const [start, ending] = [["<s>", "▁Once", "▁upon"], ["▁a", "▁time", "</s>"]];
    assertEquals(tokens(text("Once upon", " a time")), [start, ending]);
    // Alone, "Once upon " ends with the token "▁", which "a" takes in.
    assertEquals(Array.from(tokenizer.encode("Once upon "), tokenizer.tokenText).at(-1), "▁");
    assertEquals(tokens(text("Once upon ", "a time")), [start, ending]);
    // Tokenized alone, "s" would get a word mark of its own.
    assertEquals(tokens(text("Once upon", "s")), [start, ["s", "</s>"]]);
  },
});
