import { loadTokenizer, readTokenizer } from "@tr/align/data";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { besideCheckout, BOS_PROCESSOR, characterTokenizer, CHATML, idOf, idsOf } from "./support.ts";

Deno.test("loadTokenizer encodes without and with special tokens, and decodes", () => {
  const tokenizer = characterTokenizer({}, { postProcessor: BOS_PROCESSOR });
  assertEquals([...tokenizer.encode("cab")], [idOf("c"), idOf("ab")]);
  assertEquals([...tokenizer.encode("c", { addSpecialTokens: true })], [0, idOf("c")]);
  assertEquals([...tokenizer.encode("")], []);
  assertEquals(tokenizer.decode(Int32Array.of(0, ...idsOf("hi"), 1)), "<s>hi</s>");
  assertEquals(tokenizer.decode([0, ...idsOf("hi"), 1], { skipSpecialTokens: true }), "hi");
  assertEquals(tokenizer.decode([]), "");
});

Deno.test("loadTokenizer keeps spaces before punctuation", () => {
  const tokenizer = characterTokenizer({ clean_up_tokenization_spaces: true });
  assertEquals(tokenizer.decode(tokenizer.encode("a . b ?")), "a . b ?");
});

Deno.test("loadTokenizer knows the special tokens", () => {
  const tokenizer = characterTokenizer({ pad_token: { content: "<pad>", lstrip: false } });
  assertEquals([tokenizer.bosId, tokenizer.eosId, tokenizer.padId], [0, 1, 4]);
  assertEquals([...tokenizer.specialIds].sort(), [0, 1, 2, 3, 4]);
  assertEquals(tokenizer.vocabularySize, idOf(" b") + 1);
  assertEquals(tokenizer.tokenText(3), "<|im_end|>");
  assertThrows(() => tokenizer.tokenText(999), Error, "Token id 999 is not in the vocabulary");
});

Deno.test("loadTokenizer copes with tokenizers without BOS, EOS or padding", () => {
  const { bosId, eosId, padId, addBos } = characterTokenizer({ bos_token: null, eos_token: null });
  assertEquals([bosId, eosId, padId, addBos], [null, null, null, false]);
  assertEquals(characterTokenizer({ pad_token: "[PAD]" }).padId, null);
});

Deno.test("loadTokenizer adds BOS if the post-processor does or the configuration says so", () => {
  const addBos = (config: { [key: string]: unknown }, postProcessor: unknown) =>
    characterTokenizer(config, { postProcessor }).addBos;
  assertEquals(addBos({}, null), false);
  assertEquals(addBos({}, BOS_PROCESSOR), true);
  assertEquals(addBos({ add_bos_token: true }, null), true);
  assertEquals(addBos({ add_bos_token: false }, BOS_PROCESSOR), false);
  assertEquals(addBos({ add_bos_token: true, bos_token: null }, null), false);
});

Deno.test("loadTokenizer prefers a given chat template to the configuration's", () => {
  const messages = [{ role: "user", content: "Hi" }];
  const render = (template: string | null) =>
    characterTokenizer({ chat_template: CHATML }, { chatTemplate: template })
      .chatTemplate?.(messages, { addGenerationPrompt: false });
  assertEquals(render(null), "<|im_start|>user\nHi<|im_end|>\n");
  assertEquals(render("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"), "<s>Hi</s>");
  assertEquals(characterTokenizer().chatTemplate, null);
});

Deno.test("loadTokenizer refuses files of another form", () => {
  assertThrows(
    () => loadTokenizer({ tokenizerJson: [], tokenizerConfig: {} }),
    Error,
    "tokenizer.json is a list",
  );
  assertThrows(
    () => loadTokenizer({ tokenizerJson: {}, tokenizerConfig: {} }),
    Error,
    'tokenizer.json has no "model"',
  );
  assertThrows(
    () => loadTokenizer({ tokenizerJson: {}, tokenizerConfig: null }),
    Error,
    "tokenizer_config.json is",
  );
  assertThrows(
    () => characterTokenizer({ eos_token: "<|endoftext|>" }),
    Error,
    'eos_token is "<|endoftext|>", which is not in tokenizer.json',
  );
});

Deno.test("loadTokenizer leaves out what a BPE vocabulary without unknown token lacks", () => {
  assertEquals([...characterTokenizer().encode("aéc")], idsOf("ac"));
});

Deno.test("loadTokenizer refuses text that becomes a token without id", () => {
  const model = { type: "WordPiece", vocab: { a: 0 }, unk_token: "[UNK]", max_input_chars_per_word: 9 };
  const tokenizer = loadTokenizer({ tokenizerJson: { model }, tokenizerConfig: {} });
  assertEquals([...tokenizer.encode("a")], [0]);
  assertThrows(() => tokenizer.encode("b"), Error, 'no id for "[UNK]" and no unknown token');
});

Deno.test("readTokenizer names the file that is missing or malformed", async () => {
  const directory = await Deno.makeTempDir();
  await assertRejects(() => readTokenizer(directory), Error, "tokenizer.json: no such file");
  await Deno.writeTextFile(`${directory}/tokenizer.json`, "{");
  await Deno.writeTextFile(`${directory}/tokenizer_config.json`, "{}");
  await assertRejects(() => readTokenizer(directory), Error, "tokenizer.json: malformed JSON");
  await Deno.remove(directory, { recursive: true });
});

Deno.test("readTokenizer reads chat_template.jinja", async () => {
  const directory = await Deno.makeTempDir();
  const model = { type: "BPE", vocab: { a: 0 }, merges: [] };
  await Deno.writeTextFile(`${directory}/tokenizer.json`, JSON.stringify({ model }));
  await Deno.writeTextFile(`${directory}/tokenizer_config.json`, "{}");
  await Deno.writeTextFile(`${directory}/chat_template.jinja`, "T");
  const { chatTemplate } = await readTokenizer(directory);
  assertEquals(chatTemplate?.([], { addGenerationPrompt: true }), "T");
  await Deno.remove(directory, { recursive: true });
});

const stories = besideCheckout("models/stories260K");
Deno.test({
  name: "readTokenizer reads the stories260K model",
  ignore: stories.isAbsent,
  async fn(): Promise<void> {
    const tokenizer = await readTokenizer(stories.path);
    assertEquals([tokenizer.bosId, tokenizer.eosId, tokenizer.addBos, tokenizer.vocabularySize], [
      1,
      2,
      true,
      512,
    ]);
    const ids = tokenizer.encode("Once upon a time");
    assertEquals(Array.from(ids, tokenizer.tokenText), ["▁Once", "▁upon", "▁a", "▁time"]);
    assertEquals(tokenizer.decode(ids), "Once upon a time");
  },
});
