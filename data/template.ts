/**
 * Chat templates: conversations to the text that a model was trained on.
 *
 * @module
 */
import { Template } from "@huggingface/jinja";
import type { Message, TemplateVariables } from "./records.ts";

/**
 * Renders a conversation, with the opening of the assistant's next turn if `addGenerationPrompt`;
 * `variables` are the record's own and win over the template's.
 */
export type ChatTemplate = (
  messages: readonly Message[],
  options: { addGenerationPrompt: boolean; variables?: TemplateVariables },
) => string;

/** What a chat template can read beside the messages. */
export interface ChatTemplateOptions {
  /** The text of the BOS token, `bos_token` in the template. */
  bosToken?: string | null;
  /** The text of the EOS token, `eos_token` in the template. */
  eosToken?: string | null;
  /**
   * Further variables, by their names in the template, such as `enable_thinking`. Set `date_string` for
   * templates that would otherwise write today's date (Llama 3), or prompts differ from one day to the next.
   */
  variables?: { readonly [name: string]: unknown };
}

/**
 * Compiles a chat template in Jinja, as models of the Hugging Face hub carry it.
 *
 * A turn without content that the template can't take is given to it as an empty text. `tools` and
 * `documents` are none unless a record has them, as `apply_chat_template` of `transformers` sets them by
 * default.
 *
 * @param source the template's text
 * @throws {Error} if the template can't be parsed; when rendering, if it refuses the messages
 *
 * @example
 * ```ts
 * import { compileChatTemplate } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const render = compileChatTemplate("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}");
 * assertEquals(render([{ role: "user", content: "Hi" }], { addGenerationPrompt: false }), "user: Hi\n");
 * ```
 */
export function compileChatTemplate(source: string, options: ChatTemplateOptions = {}): ChatTemplate {
  const { bosToken, eosToken, variables = {} } = options;
  const template = attempt("cannot be parsed", () => new Template(source));
  const render: ChatTemplate = (messages, { addGenerationPrompt, variables: ofRecord = {} }) =>
    attempt("refuses the messages", () =>
      template.render({
        tools: null,
        documents: null,
        bos_token: bosToken ?? "",
        eos_token: eosToken ?? "",
        ...variables,
        ...ofRecord,
        messages,
        add_generation_prompt: addGenerationPrompt,
      }));
  return (messages, options) => {
    if (messages.every(({ content }) => content !== null)) return render(messages, options);
    try {
      return render(messages, options);
    } catch {
      // Some templates ask whether a turn has no content, others take for granted that it is text.
      return render(messages.map((message) => ({ ...message, content: message.content ?? "" })), options);
    }
  };
}

/**
 * Finds the chat template in the value of `tokenizer_config.json`'s `chat_template`: a text, or a list of
 * named ones of which `name` is taken.
 *
 * @returns the template's text, or null if the model has none
 * @throws {Error} if there are named templates but none of that name, or the value has another form
 */
export function findChatTemplate(
  value: unknown,
  { name = "default" }: { name?: string } = {},
): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) {
    throw new Error(`chat_template is a ${typeof value}; wanted a text or a list of {name, template}`);
  }
  const named = value as { name?: unknown; template?: unknown }[];
  const found = named.find((entry) => entry?.name === name)?.template;
  if (typeof found === "string") return found;
  const names = named.map((entry) => `"${entry?.name}"`).join(", ");
  throw new Error(`chat_template has no template "${name}"; it names ${names || "none"}`);
}

/**
 * Renders a prompt and the completion that follows it, as text.
 *
 * The prompt ends with the generation prompt, that is where the model starts to speak; the completion is what
 * the whole conversation has beyond it, the end-of-turn marks that the template writes included.
 *
 * @throws {Error} if the rendered conversation doesn't start with the rendered prompt
 */
export function renderExchange(
  template: ChatTemplate,
  { prompt, completion, variables = {} }: {
    prompt: readonly Message[];
    completion: readonly Message[];
    variables?: TemplateVariables;
  },
): { prompt: string; completion: string } {
  const opening = template(prompt, { addGenerationPrompt: true, variables });
  const whole = template([...prompt, ...completion], { addGenerationPrompt: false, variables });
  if (whole.startsWith(opening)) return { prompt: opening, completion: whole.slice(opening.length) };

  let common = 0;
  while (common < whole.length && whole[common] === opening[common]) common++;
  const excerpt = (text: string): string => JSON.stringify(text.slice(Math.max(common - 20, 0), common + 40));
  throw new Error(
    `the chat template renders the conversation differently from its prompt: ${excerpt(whole)} against ` +
      `${excerpt(opening)} from character ${
        Math.max(common - 20, 0)
      } on; wanted the prompt as a prefix, so change ` +
      `the template or give {prompt, completion} as text`,
  );
}

function attempt<T>(problem: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the chat template ${problem}: ${reason}`, { cause });
  }
}
