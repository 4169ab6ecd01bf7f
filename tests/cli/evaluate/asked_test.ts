import { assertEquals } from "@std/assert";
import { textOf } from "../../../cli/evaluate/asked.ts";

Deno.test("textOf shows a judge one question as it is, and a conversation by turns", () => {
  assertEquals(textOf("Hi"), "Hi");
  assertEquals(textOf([{ role: "user", content: "Hi" }]), "Hi");
  assertEquals(
    textOf([{ role: "user", content: "Hi" }, { role: "assistant", content: "Hello" }, {
      role: "user",
      content: "Why?",
    }]),
    "user: Hi\n\nassistant: Hello\n\nuser: Why?",
  );
});
