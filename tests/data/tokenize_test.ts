import {
  type PairedRecord,
  readRecords,
  readTokenizer,
  type SftRecord,
  tokenizeCompletions,
  tokenizePairs,
  type UnpairedRecord,
} from "@tr/align/data";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { besideCheckout, characterTokenizer, CHATML, idsOf } from "./support.ts";

const BOS = 0, EOS = 1;
const withBos = characterTokenizer({ add_bos_token: true });
const ids = (...values: number[]) => Int32Array.from(values);

const pair = (prompt: string, chosen: string, rejected: string, line = 1): PairedRecord =>
  ({ kind: "paired", form: "text", line, prompt, chosen, rejected }) as const;
const labelled = (prompt: string, completion: string, label: boolean): UnpairedRecord =>
  ({ kind: "unpaired", form: "text", line: 1, prompt, completion, label }) as const;
const demonstration = (prompt: string, completion: string): SftRecord =>
  ({ kind: "sft", form: "text", line: 1, prompt, completion }) as const;

Deno.test("tokenizePairs gives both sides one prompt", () => {
  assertEquals(tokenizePairs([pair("why", "yes", "no", 7)], withBos), {
    examples: [{
      line: 7,
      prompt: ids(BOS, ...idsOf("why")),
      chosen: ids(...idsOf("yes"), EOS),
      rejected: ids(...idsOf("no"), EOS),
    }],
    dropped: {},
    truncated: { prompt: 0, completion: 0 },
  });
});

Deno.test("tokenizePairs cuts the prompt's start and says how much", () => {
  // <s> w h y + y e s </s> is 8 tokens.
  const { examples, truncated } = tokenizePairs([pair("why", "yes", "no")], withBos, { maxLength: 7 });
  assertEquals(examples, [{
    line: 1,
    prompt: ids(BOS, ...idsOf("hy")),
    chosen: ids(...idsOf("yes"), EOS),
    rejected: ids(...idsOf("no"), EOS),
    cut: { prompt: 1, chosen: 0, rejected: 0 },
  }]);
  assertEquals(truncated, { prompt: 1, completion: 0 });

  const { examples: [other] } = tokenizePairs([pair("why", "yes", "no")], withBos, {
    maxLength: 7,
    truncate: "keep_start",
  });
  assertEquals(other?.prompt, ids(BOS, ...idsOf("wh")));
});

Deno.test("tokenizePairs cuts completions at their end, EOS first, and never to nothing", () => {
  const { examples, truncated, dropped } = tokenizePairs([pair("why", "yes", "no")], withBos, {
    maxLength: 6,
  });
  assertEquals(examples, [{
    line: 1,
    prompt: ids(BOS, ...idsOf("hy")),
    chosen: textIds("yes"),
    rejected: ids(...idsOf("no"), EOS),
    cut: { prompt: 1, chosen: 1, rejected: 0 },
  }]);
  assertEquals(truncated, { prompt: 1, completion: 1 });
  assertEquals(dropped, {});

  const { examples: [least] } = tokenizePairs([pair("why", "yes", "no")], withBos, { maxLength: 2 });
  assertEquals([least?.prompt, least?.chosen, least?.rejected], [textIds("y"), textIds("y"), textIds("n")]);

  function textIds(text: string): Int32Array {
    return ids(...idsOf(text));
  }
});

Deno.test("tokenizePairs drops and counts pairs that are equal once cut", () => {
  const records = [pair("why", "yes, I do", "yes, I don't", 4), pair("why", "yes", "no", 5)];
  const { examples, dropped, truncated } = tokenizePairs(records, withBos, { maxLength: 6 });
  assertEquals(examples.map(({ line }) => line), [5]);
  assertEquals(dropped, { "chosen equals rejected once cut": { count: 1, lines: [4] } });
  assertEquals(truncated, { prompt: 1, completion: 1 });
});

Deno.test("tokenizePairs drops and counts completions without a token before them or in them", () => {
  const records = [
    pair("", "yes", "no", 1),
    pair("p", "é", "no", 2),
    pair("a", "b", "c", 3),
    pair("p", "y", "n", 4),
  ];
  const plain = tokenizePairs(records, characterTokenizer());
  assertEquals(plain.examples.map(({ line }) => line), [4]);
  assertEquals(plain.dropped, {
    "no token before the completion": { count: 2, lines: [1, 3] },
    "no token in the completion": { count: 1, lines: [2] },
  });
  // BOS is a token that a completion can follow.
  const { examples } = tokenizePairs(records, withBos);
  assertEquals(examples.map(({ line }) => line), [1, 3, 4]);
  assertEquals(examples[0]?.prompt, ids(BOS));
});

Deno.test("tokenizePairs drops completions that hold BOS, unless BOS is EOS", () => {
  const records = [pair("p", "<s>yes", "no", 3), pair("p", "yes", "no", 4)];
  const { examples, dropped } = tokenizePairs(records, withBos);
  assertEquals(examples.map(({ line }) => line), [4]);
  assertEquals(dropped, { "BOS inside the completion": { count: 1, lines: [3] } });
  const sameToken = characterTokenizer({ bos_token: "</s>" });
  assertEquals(tokenizePairs([pair("p", "yes", "no")], sameToken).examples.length, 1);
});

Deno.test("tokenizePairs takes ids as they are and checks them", () => {
  const record = {
    kind: "paired",
    form: "ids",
    line: 9,
    prompt: ids(7),
    chosen: ids(8),
    rejected: ids(9),
  } as const;
  assertEquals(tokenizePairs([record], withBos).examples, [{
    line: 9,
    prompt: ids(7),
    chosen: ids(8),
    rejected: ids(9),
  }]);
  assertThrows(
    () => tokenizePairs([{ ...record, chosen: ids(999) }], withBos, { file: "pairs.jsonl" }),
    Error,
    "pairs.jsonl:9: token id 999 is not in the vocabulary of ",
  );
});

Deno.test("tokenizePairs names file and line when a record can't be rendered", () => {
  const chosen = [{ role: "assistant", content: "c" }];
  const record = { kind: "paired", form: "messages", line: 9, prompt: [], chosen, rejected: chosen } as const;
  assertThrows(
    () => tokenizePairs([record], withBos, { file: "pairs.jsonl" }),
    Error,
    "pairs.jsonl:9: the record holds messages but the model has no chat template",
  );
});

Deno.test("tokenizeCompletions keeps labels, and adds none to demonstrations", () => {
  const records = [labelled("p", "y", true), labelled("p", "n", false), demonstration("p", "y")];
  const { examples } = tokenizeCompletions(records, withBos);
  assertEquals(examples.map((example) => "label" in example ? example.label : "none"), [true, false, "none"]);
  assertEquals(examples[2], {
    line: 1,
    prompt: ids(BOS, ...idsOf("p")),
    completion: ids(...idsOf("y"), EOS),
  });
});

Deno.test("tokenizeCompletions cuts at both limits", () => {
  const { examples, truncated } = tokenizeCompletions([labelled("prompt", "y", true)], withBos, {
    maxPromptLength: 3,
  });
  assertEquals(examples, [{
    line: 1,
    prompt: ids(BOS, ...idsOf("pt")),
    completion: ids(...idsOf("y"), EOS),
    label: true,
    cut: { prompt: 4, completion: 0 },
  }]);
  assertEquals(truncated, { prompt: 1, completion: 0 });
});

Deno.test("tokenizeCompletions lets the first token of a text stand before the rest where there is no BOS", () => {
  const text = demonstration("", "why");
  const { examples } = tokenizeCompletions([text], characterTokenizer());
  assertEquals(examples, [{ line: 1, prompt: ids(...idsOf("w")), completion: ids(...idsOf("hy"), EOS) }]);
  assertEquals(tokenizeCompletions([text], withBos).examples[0]?.prompt, ids(BOS));
  const dropped = { "no token before the completion": { count: 1, lines: [1] } };
  assertEquals(tokenizeCompletions([labelled("", "why", true)], characterTokenizer()).dropped, dropped);
});

Deno.test("tokenizeCompletions trains on the last turn of a conversation only", () => {
  const messages = ["hi", "yo", "so?"].map((content, index) => ({
    role: index % 2 ? "assistant" : "user",
    content,
  }));
  const completion = [{ role: "assistant", content: "no" }];
  const record = { kind: "sft", form: "messages", line: 1, prompt: messages, completion } as const;
  const tokenizer = characterTokenizer({ chat_template: CHATML });
  const { examples } = tokenizeCompletions([record], tokenizer);
  assertEquals(tokenizer.decode(examples[0]!.completion), "no<|im_end|>");
});

const hh = besideCheckout("data/hh-rlhf/helpful-base.test.jsonl.gz");
const stories = besideCheckout("models/stories260K");
Deno.test({
  name: "tokenizePairs frames every HH pair for stories260K within 512 tokens",
  ignore: hh.isAbsent || stories.isAbsent,
  async fn(): Promise<void> {
    const tokenizer = await readTokenizer(stories.path);
    const { records } = await readRecords(hh.path, { kind: "paired", invalid: "skip" });
    const some = records.slice(0, 200);
    const whole = tokenizePairs(some, tokenizer);
    assertEquals(whole.examples.length, some.length);
    whole.examples.forEach(({ prompt, chosen, rejected }, index) => {
      const record = some[index]!;
      for (const [completion, text] of [[chosen, record.chosen], [rejected, record.rejected]] as const) {
        const tokens = [...prompt, ...completion];
        assertEquals(tokens.filter((id) => id === tokenizer.bosId), [1]);
        assertEquals(tokens.filter((id) => id === tokenizer.eosId), [2]);
        assertEquals([tokens[0], tokens.at(-1)], [1, 2]);
        assertEquals(tokenizer.decode(tokens, { skipSpecialTokens: true }), `${record.prompt}${text}`);
      }
    });

    const cut = tokenizePairs(some, tokenizer, { maxLength: 512 });
    assert(cut.truncated.prompt > 0 && cut.truncated.completion > 0);
    for (const { prompt, chosen, rejected } of cut.examples) {
      assertEquals(prompt[0], 1);
      for (const completion of [chosen, rejected]) {
        assert(completion.length > 0 && prompt.length + completion.length <= 512);
      }
    }
  },
});
