/**
 * Conversation turns as data sets write them: `{role, content}` with whatever a chat template reads besides,
 * or ShareGPT's `{from, value}`.
 *
 * @module
 */
import {
  describeValue,
  isGiven,
  isJsonObject,
  type JsonObject,
  type RecordSource,
  refuseRecord,
  requireCompletion,
} from "./fields.ts";
import type { Message, TemplateVariables } from "./records.ts";

/** How a data set names the parts of a message and the speakers. */
export interface MessageTags {
  /** The key that says who speaks. */
  role: string;
  /** The key of what is said. */
  content: string;
  /** The chat template's role by the data set's name of the speaker; null takes names as they are. */
  roles: { readonly [name: string]: string } | null;
}

/**
 * The role of a turn whose text is a call of a tool in JSON: it becomes the assistant's, with `tool_calls`.
 */
export const FUNCTION_CALL = "function_call";

/** ShareGPT's names. */
export const SHAREGPT_TAGS: MessageTags = {
  role: "from",
  content: "value",
  roles: {
    human: "user",
    user: "user",
    gpt: "assistant",
    assistant: "assistant",
    system: "system",
    observation: "tool",
    tool: "tool",
    function_call: FUNCTION_CALL,
  },
};

const OPENAI_TAGS: MessageTags = { role: "role", content: "content", roles: null };

/** Reads a list of messages, which may be empty. */
export function readMessages(
  object: JsonObject,
  key: string,
  source: RecordSource,
  tags?: MessageTags,
): Message[] {
  const value = object[key];
  if (!Array.isArray(value)) {
    return refuseRecord(
      source,
      `"${key}" is ${describeValue(value)}; wanted a list of {role, content} messages`,
    );
  }
  return value.map((message: unknown, index) => readMessage(message, `"${key}"[${index}]`, source, tags));
}

/**
 * Reads one message.
 *
 * Keys beside role and content stay, for the chat template; those that are null go, because tables fill them
 * in where other rows have them. Content may be a list of text parts, and null where tools are called.
 *
 * @param at how error messages name the message
 * @param tags the names of its parts; by default `role` and `content`, or else ShareGPT's
 */
export function readMessage(value: unknown, at: string, source: RecordSource, tags?: MessageTags): Message {
  if (!isJsonObject(value)) {
    return refuseRecord(source, `${at} is ${describeValue(value)}; wanted a message {role, content}`);
  }
  const isShareGpt = !isGiven(value, "role") && isGiven(value, "from");
  const { role: roleKey, content: contentKey, roles } = tags ?? (isShareGpt ? SHAREGPT_TAGS : OPENAI_TAGS);
  const { [roleKey]: name, [contentKey]: content, ...others } = value;
  if (typeof name !== "string" || name === "") {
    return refuseRecord(source, `${at}.${roleKey} is ${describeValue(name)}; wanted a role such as "user"`);
  }
  if (roles !== null && !Object.hasOwn(roles, name)) {
    const wanted = Object.keys(roles).map((role) => `"${role}"`).join(", ");
    return refuseRecord(source, `${at}.${roleKey} is "${name}"; wanted one of ${wanted}`);
  }
  const role = roles?.[name] ?? name;
  const more = Object.fromEntries(Object.entries(others).filter(([, value]) => value !== null));
  const where = `${at}.${contentKey}`;
  if (role === FUNCTION_CALL) {
    return { ...more, role: "assistant", content: null, tool_calls: readCalls(content, where, source) };
  }
  if (content === null || content === undefined) {
    if (callsTools(more)) return { ...more, role, content: null };
    return refuseRecord(source, `${where} is ${describeValue(content)}; wanted a string`);
  }
  return { ...more, role, content: readContent(content, where, source) };
}

function readContent(content: unknown, where: string, source: RecordSource): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) {
    return refuseRecord(source, `${where} is ${describeValue(content)}; wanted a string`);
  }
  return content.map((part: unknown, index) => {
    if (isJsonObject(part) && part["type"] === "text" && typeof part["text"] === "string") {
      return part["text"];
    }
    const type = isJsonObject(part) ? `of type "${part["type"]}"` : describeValue(part);
    return refuseRecord(
      source,
      `${where}[${index}] is ${type}; wanted parts {type: "text", text}, because the models here read text only`,
    );
  }).join("");
}

function readCalls(content: unknown, where: string, source: RecordSource): unknown[] {
  const calls = typeof content === "string" ? parseJson(content) : content;
  const list = Array.isArray(calls) ? calls : [calls];
  if (list.length > 0 && list.every((call) => isJsonObject(call) && typeof call["name"] === "string")) {
    return list.map((call) => ({ type: "function", function: call }));
  }
  return refuseRecord(source, `${where} is not a call of a tool; wanted JSON {"name": …, "arguments": {…}}`);
}

/** Parses JSON; undefined for anything else. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function callsTools(message: JsonObject): boolean {
  return Array.isArray(message["tool_calls"]) && message["tool_calls"].length > 0;
}

/** Reads a string or a list of messages. */
export function readTextOrMessages(
  object: JsonObject,
  key: string,
  source: RecordSource,
): string | Message[] {
  const value = object[key];
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return readMessages(object, key, source);
  return refuseRecord(
    source,
    `"${key}" is ${describeValue(value)}; wanted a string or a list of {role, content} messages`,
  );
}

/** Requires a completion of assistant messages that say something or call tools. */
export function requireAssistant(
  messages: readonly Message[],
  key: string,
  source: RecordSource,
): readonly Message[] {
  requireCompletion(messages, key, source);
  for (const message of messages) {
    if (message.role !== "assistant") {
      refuseRecord(
        source,
        `"${key}" holds a message of role "${message.role}" in its completion; wanted only "assistant", ` +
          `because every token of a completion is trained on`,
      );
    }
    if (!callsTools(message)) requireCompletion(message.content ?? "", key, source);
  }
  return messages;
}

/** Whether two messages are the same in every key. */
export function isSameMessage(a: Message, b: Message): boolean {
  const sorted = (message: Message) =>
    JSON.stringify(Object.entries(message).sort(([x], [y]) => x < y ? -1 : 1));
  return a.role === b.role && a.content === b.content && sorted(a) === sorted(b);
}

/**
 * Reads what the chat template takes besides the messages: `tools`, a list of JSON schemas or such a list as
 * JSON text, and the entries of `chat_template_kwargs`.
 *
 * @returns an object to spread into a record: empty if there are none
 */
export function readVariables(
  object: JsonObject,
  source: RecordSource,
  toolsKey = "tools",
): { variables?: TemplateVariables } {
  const variables: { [name: string]: unknown } = {};
  if (isGiven(object, "chat_template_kwargs")) {
    const given = object["chat_template_kwargs"];
    if (!isJsonObject(given)) {
      return refuseRecord(source, `"chat_template_kwargs" is ${describeValue(given)}; wanted an object`);
    }
    for (const [name, value] of Object.entries(given)) if (value !== null) variables[name] = value;
  }
  if (isGiven(object, toolsKey)) {
    const given = object[toolsKey];
    const tools = typeof given === "string" ? parseJson(given) : given;
    if (!Array.isArray(tools)) {
      return refuseRecord(
        source,
        `"${toolsKey}" is ${
          describeValue(given)
        }; wanted a list of tools (JSON schemas), or one as JSON text`,
      );
    }
    if (tools.length > 0) variables["tools"] = tools;
  }
  return Object.keys(variables).length === 0 ? {} : { variables };
}
