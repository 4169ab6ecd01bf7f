import { describeValue, isJsonObject, type RecordSource, refuseRecord } from "./fields.ts";
import { detectLlamaFactory, type LlamaFactoryLayout, parseLlamaFactory } from "./llama_factory.ts";
import { parseCompletion } from "./parse_completion.ts";
import { parsePaired } from "./parse_paired.ts";
import type { TrainingRecord } from "./records.ts";

const WANTED =
  "{prompt, chosen, rejected}, {chosen, rejected}, {prompt, completion, label}, {messages, label}, " +
  "{prompt_ids, chosen_ids, rejected_ids}, {prompt_ids, completion_ids, label}, {prompt, completion}, {messages}, " +
  "{text}, {instruction, …} or {conversations, …}";

/**
 * Checks one JSON value and turns it into a training record.
 *
 * | keys | record |
 * |---|---|
 * | `prompt`, `chosen`, `rejected` | a pair; each a string or a list of `{role, content}` |
 * | `chosen`, `rejected` | a pair whose common beginning is the prompt |
 * | `prompt_ids`, `chosen_ids`, `rejected_ids` | a pair that is already tokenized |
 * | `prompt`, `completion`, `label` | a labelled completion; `label` is a boolean or 0 / 1 |
 * | `messages`, `label` | a labelled completion: the last message, which is the assistant's |
 * | `prompt_ids`, `completion_ids`, `label` | a labelled completion that is already tokenized |
 * | the last three without `label`, or `text` | a demonstration |
 * | `instruction`, `input`, `output`, or `chosen` and `rejected`, … | LLaMA-Factory's alpaca layout |
 * | `conversations`, or `chosen` and `rejected` as single messages, `kto_tag`, … | LLaMA-Factory's sharegpt layout |
 *
 * `tools` and `chat_template_kwargs` beside messages go to the chat template. `data/README.md` has a line of
 * every form. Keys of a pair win over the others, and keys that aren't listed are ignored, because published
 * data sets carry scores and sources beside the texts. Where a prompt is a string and a completion is a
 * message list, the prompt is the user's turn; where it's the other way round, the completion is the
 * assistant's turn.
 * A pair may have a number under `margin`, which a loss with margins reads; without one it is left out.
 *
 * @param value a parsed JSON value
 * @param source the file and line that error messages name
 * @param options `layout`: how the record is laid out, where its keys don't say it
 * @throws {RecordError} `pairs.jsonl:17: …` if a key is missing, of the wrong type, or a completion is empty
 *
 * @example
 * ```ts
 * import { parseRecord } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const line = { prompt: "2 + 2 =", chosen: " 4", rejected: " 5" };
 * assertEquals(parseRecord(line, { file: "pairs.jsonl", line: 17 }), {
 *   kind: "paired",
 *   form: "text",
 *   line: 17,
 *   prompt: "2 + 2 =",
 *   chosen: " 4",
 *   rejected: " 5",
 * });
 * ```
 */
export function parseRecord(
  value: unknown,
  source: RecordSource,
  { layout }: { layout?: LlamaFactoryLayout | null } = {},
): TrainingRecord {
  if (!isJsonObject(value)) {
    return refuseRecord(source, `the record is ${describeValue(value)}; wanted an object, one of ${WANTED}`);
  }
  const given = layout ?? detectLlamaFactory(value);
  if (given) return parseLlamaFactory(value, given, source);
  const has = (...keys: string[]): boolean => keys.some((key) => key in value);
  if (has("chosen", "rejected", "chosen_ids", "rejected_ids")) return parsePaired(value, source);
  if (has("completion", "completion_ids", "messages")) return parseCompletion(value, source);
  if (has("text") && !has("label")) return parseCompletion(value, source);
  const keys = Object.keys(value).map((key) => `"${key}"`).join(", ");
  return refuseRecord(source, `the record has ${keys || "no keys"}; wanted one of ${WANTED}`);
}
