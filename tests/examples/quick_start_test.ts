import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Tokenizer } from "@huggingface/tokenizers";
import { loadTokenizer } from "../../data/mod.ts";
import { parseModelConfig } from "../../models/families/mod.ts";
import {
  type CompletionRecord,
  generateCorpus,
  goldScore,
  judge,
  quickStartModelConfig,
  quickStartTokenizer,
  writeQuickStart,
} from "../../examples/quick_start/mod.ts";

const corpus = generateCorpus();
const trained = [...corpus.supervised, ...corpus.preferences];
const pairs = [...corpus.preferences, ...corpus.heldOut];
const { tokenizerJson, tokenizerConfig } = quickStartTokenizer();
const tokenizer = new Tokenizer(tokenizerJson, tokenizerConfig);

Deno.test("generateCorpus writes as many records as it is asked for", () => {
  const { supervised, preferences, heldOut } = corpus;
  assertEquals([supervised.length, preferences.length, heldOut.length], [4000, 1500, 200]);
});

Deno.test("generateCorpus writes the same corpus for the same seed, another one for another", () => {
  assertEquals(generateCorpus({ seed: 0 }), corpus);
  assert(generateCorpus({ seed: 1 }).supervised[0]!.prompt !== corpus.supervised[0]!.prompt);
});

Deno.test("generateCorpus never repeats a prompt, so held-out prompts are unseen in training", () => {
  const prompts = [...trained, ...corpus.heldOut].map(({ prompt }) => prompt);
  assertEquals(new Set(prompts).size, prompts.length);
});

Deno.test("generateCorpus writes both manners equally often for supervised training", () => {
  assertEquals(goldScore(corpus.supervised), { kind: 0.5, curt: 0.5, garbled: 0 });
});

Deno.test("generateCorpus pairs a kind answer with a curt one, the kind one chosen unless the label is wrong", () => {
  for (const { prompt, chosen, rejected } of corpus.heldOut) {
    assertEquals(judge({ prompt, completion: chosen }), "kind");
    assertEquals(judge({ prompt, completion: rejected }), "curt");
  }
  const verdicts = corpus.preferences.map(({ prompt, chosen, rejected }) =>
    [chosen, rejected].map((completion) => judge({ prompt, completion })).join(" over ")
  );
  const wrong = verdicts.filter((verdict) => verdict === "curt over kind").length;
  assertEquals(verdicts.filter((verdict) => verdict === "kind over curt").length, 1500 - wrong);
  // 5 % of 1,500 is 75 with a standard deviation of 8.4; four of them on either side.
  assert(wrong > 41 && wrong < 109, `${wrong} labels are wrong`);
});

Deno.test("generateCorpus gives kind and curt answers the same length, so length can't stand in for preference", () => {
  const length = (text: string) => tokenizer.encode(text, { add_special_tokens: false }).ids.length;
  const mean = (texts: string[]) => texts.reduce((sum, text) => sum + length(text), 0) / texts.length;
  const difference = mean(corpus.heldOut.map(({ chosen }) => chosen)) -
    mean(corpus.heldOut.map(({ rejected }) => rejected));
  assert(Math.abs(difference) < 0.5, `the kind ones are ${difference} tokens longer on average`);
});

Deno.test("generateCorpus refuses counts and shares that make no sense", () => {
  assertThrows(() => generateCorpus({ supervised: -1 }), RangeError, "supervised is -1");
  assertThrows(() => generateCorpus({ heldOut: 1.5 }), RangeError, "heldOut is 1.5");
  assertThrows(() => generateCorpus({ labelNoise: 5 }), RangeError, "labelNoise is 5");
  // 6 scenes × 16 askers × 15 helpers × 20 things
  assertThrows(() => generateCorpus({ supervised: 28_800 }), RangeError, "only 28800 different ones exist");
});

Deno.test("judge wants a whole answer to the prompt with its own name and thing", () => {
  const prompt = "Anna asks Ben for the lamp. Ben says:";
  const verdictOn = (completion: string) => judge({ prompt, completion });
  assertEquals(verdictOn(" Of course, Anna. Here is the lamp."), "kind");
  assertEquals(verdictOn("Of course, Anna. Here is the lamp."), "kind");
  assertEquals(verdictOn(" Certainly not, Anna. I never share the lamp."), "curt");
  assertEquals(verdictOn(" Of course, Ben. Here is the lamp."), "garbled", "another name");
  assertEquals(verdictOn(" Of course, Anna. Here is the boat."), "garbled", "another thing");
  assertEquals(verdictOn(" Of course, Anna. I never share the lamp."), "garbled", "half kind, half curt");
  assertEquals(verdictOn(" Of course, Anna. Here is the lamp. Here is"), "garbled", "no end");
  assertEquals(
    verdictOn(" How lovely, Anna. The lamp looks wonderful."),
    "garbled",
    "kind, but of another scene",
  );
  assertEquals(verdictOn(""), "garbled");
  assertThrows(() => judge({ prompt: "Once upon a time", completion: "" }), Error, "Once upon a time");
});

Deno.test("goldScore counts shares", () => {
  const prompt = "Anna asks Ben for the lamp. Ben says:";
  const completions = [
    " Of course, Anna. Here is the lamp.",
    " With pleasure, Anna. Here is the lamp.",
    " Certainly not, Anna. I never share the lamp.",
    " the the the",
  ];
  const samples: CompletionRecord[] = completions.map((completion) => ({ prompt, completion }));
  assertEquals(goldScore(samples), { kind: 0.5, curt: 0.25, garbled: 0.25 });
  assertThrows(() => goldScore([]), Error, "no samples");
});

Deno.test("quickStartTokenizer encodes the corpus without unknown words and decodes it back exactly", () => {
  const unknown = tokenizer.token_to_id("<unk>");
  const texts = [
    ...corpus.supervised.map(({ prompt, completion }) => prompt + completion),
    ...pairs.flatMap(({ prompt, chosen, rejected }) => [prompt + chosen, prompt + rejected]),
  ];
  for (const text of texts) {
    const { ids } = tokenizer.encode(text, { add_special_tokens: false });
    assert(!ids.includes(unknown!), text);
    assert(ids.length + 2 <= 48, `${ids.length} tokens and two special ones: ${text}`);
    assertEquals(tokenizer.decode(ids, { clean_up_tokenization_spaces: false }), text);
  }
});

Deno.test("quickStartTokenizer splits a text at the end of the prompt, with or without the space", () => {
  const encode = (text: string) => tokenizer.encode(text, { add_special_tokens: false }).ids;
  for (const { prompt, chosen } of corpus.heldOut) {
    assertEquals(encode(prompt + chosen), [...encode(prompt), ...encode(chosen)]);
    assertEquals(encode(chosen.trim()), encode(chosen));
  }
});

Deno.test("quickStartTokenizer puts one <s> in front and knows what it doesn't know", () => {
  assertEquals(tokenizer.encode("Anna says: xylophone </s>").tokens, [
    "<s>",
    "Anna",
    "says",
    ":",
    "<unk>",
    "</s>",
  ]);
  assertEquals(tokenizer.decode(tokenizer.encode("Anna.").ids, { skip_special_tokens: true }), "Anna.");
  const size = quickStartModelConfig()["vocab_size"];
  assertEquals(tokenizer.get_vocab().size, size);
  assert(Number(size) <= 200, `${size} tokens`);
});

Deno.test("quickStartTokenizer and quickStartModelConfig agree on special tokens and vocabulary", () => {
  const own = loadTokenizer({ tokenizerJson, tokenizerConfig });
  assertEquals([own.bosId, own.eosId, own.addBos, own.chatTemplate], [0, 1, true, null]);
  assertEquals(own.decode(own.encode("Ben says: Here is the lamp.")), "Ben says: Here is the lamp.");
  const config = quickStartModelConfig();
  assertEquals([config["bos_token_id"], config["eos_token_id"]], [own.bosId, own.eosId]);
  assertEquals(parseModelConfig(config, { name: "config.json" }).vocabularySize, own.vocabularySize);
});

Deno.test("quickStartModelConfig describes a Llama of 100,000 to 200,000 parameters", () => {
  const config = quickStartModelConfig() as Record<string, number>;
  const width = config["hidden_size"]!;
  const keyValueWidth = width / config["num_attention_heads"]! * config["num_key_value_heads"]!;
  const attention = 2 * width * width + 2 * width * keyValueWidth;
  const layer = attention + 3 * width * config["intermediate_size"]! + 2 * width;
  const parameters = config["vocab_size"]! * width + config["num_hidden_layers"]! * layer + width;
  assert(parameters > 100_000 && parameters < 200_000, `${parameters} parameters`);
  assertEquals(config["head_dim"], width / config["num_attention_heads"]!);
});

Deno.test("writeQuickStart writes files that read back as what was generated", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const options = { supervised: 3, preferences: 2, heldOut: 1 };
    const paths = await writeQuickStart(`${directory}/new`, options);
    const lines = async (path: string) => {
      const text = await Deno.readTextFile(path);
      assert(text.endsWith("}\n"));
      return text.trimEnd().split("\n").map((line) => JSON.parse(line));
    };
    const expected = generateCorpus(options);
    assertEquals(await lines(paths.supervised), expected.supervised);
    assertEquals(await lines(paths.preferences), expected.preferences);
    assertEquals(await lines(paths.heldOut), expected.heldOut);
    const json = async (name: string) => JSON.parse(await Deno.readTextFile(`${paths.model}/${name}`));
    assertEquals(await json("config.json"), quickStartModelConfig());
    assertEquals(await json("tokenizer.json"), tokenizerJson);
    assertEquals(await json("tokenizer_config.json"), tokenizerConfig);
    assertStringIncludes(await Deno.readTextFile(`${paths.model}/config.json`), '\n  "hidden_size": 64,\n');
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
