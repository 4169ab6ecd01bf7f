import { compileChatTemplate, findChatTemplate, renderExchange } from "@tr/align/data";
import { assertEquals, assertThrows } from "@std/assert";
import { CHATML, LLAMA3 } from "./support.ts";

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });
const exchange = {
  prompt: [{ role: "system", content: "Be brief." }, user("Hi")],
  completion: [assistant("Hello")],
};

Deno.test("renderExchange splits ChatML after the generation prompt", () => {
  assertEquals(renderExchange(compileChatTemplate(CHATML), exchange), {
    prompt:
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    completion: "Hello<|im_end|>\n",
  });
});

Deno.test("renderExchange gives the Llama 3 template its BOS", () => {
  const template = compileChatTemplate(LLAMA3, { bosToken: "<|begin_of_text|>" });
  assertEquals(renderExchange(template, exchange), {
    prompt: "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>" +
      "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    completion: "Hello<|eot_id|>",
  });
});

Deno.test("renderExchange gives the template its EOS and keeps earlier turns in the prompt", () => {
  const source = "{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}" +
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}";
  const prompt = [user("a"), assistant("b"), user("c")];
  assertEquals(
    renderExchange(compileChatTemplate(source, { eosToken: "</s>" }), {
      prompt,
      completion: [assistant("d")],
    }),
    {
      prompt: "[INST] a [/INST] b</s>[INST] c [/INST]",
      completion: " d</s>",
    },
  );
});

Deno.test("renderExchange shows where a template renders the prompt differently", () => {
  // Writes how many messages there are, which differs between the prompt and the whole.
  const template = compileChatTemplate(
    "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}",
  );
  assertThrows(
    () => renderExchange(template, exchange),
    Error,
    'renders the conversation differently from its prompt: "3Be brief.HiHello" against "2Be brief.Hi"',
  );
});

Deno.test("compileChatTemplate passes no tools, and variables of one's own", () => {
  const template = compileChatTemplate("{% if tools is none %}{{ date_string }}{% endif %}", {
    variables: { date_string: "26 Jul 2024" },
  });
  assertEquals(template([], { addGenerationPrompt: false }), "26 Jul 2024");
});

Deno.test("compileChatTemplate reports what the template refuses", () => {
  const template = compileChatTemplate("{{ raise_exception('roles must alternate') }}");
  assertThrows(
    () => template([], { addGenerationPrompt: false }),
    Error,
    "the chat template refuses the messages: roles must alternate",
  );
  assertThrows(() => compileChatTemplate("{% for %}"), Error, "the chat template cannot be parsed");
});

Deno.test("findChatTemplate takes a text or one of several named ones", () => {
  const named = [{ name: "default", template: "A" }, { name: "tool_use", template: "B" }];
  assertEquals(findChatTemplate("T"), "T");
  assertEquals(findChatTemplate(named), "A");
  assertEquals(findChatTemplate(named, { name: "tool_use" }), "B");
  assertEquals(findChatTemplate(undefined), null);
  assertThrows(
    () => findChatTemplate(named, { name: "rag" }),
    Error,
    'no template "rag"; it names "default", "tool_use"',
  );
  assertThrows(() => findChatTemplate(3), Error, "chat_template is a number");
});
