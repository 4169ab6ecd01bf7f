import { assertEquals, assertRejects } from "@std/assert";
import { openReplies } from "../../../evaluation/judge/reply_file.ts";

async function temporaryFile() {
  const directory = await Deno.makeTempDir();
  return {
    path: `${directory}/replies.jsonl`,
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

Deno.test("openReplies finds what was kept by what was asked", async () => {
  await using file = await temporaryFile();
  const first = await openReplies(file.path);
  await first.add({ model: "a", text: "?" }, "yes\nno");
  assertEquals(await first.find({ model: "a", text: "?" }), "yes\nno");
  first.close();
  const second = await openReplies(file.path);
  assertEquals(second.size, 1);
  assertEquals(await second.find({ model: "a", text: "?" }), "yes\nno");
  assertEquals(await second.find({ model: "b", text: "?" }), undefined);
  second.close();
});

Deno.test("openReplies passes over a line that was left half written, and goes on after it", async () => {
  await using file = await temporaryFile();
  const first = await openReplies(file.path);
  await first.add(1, "one");
  await first.add(2, "two");
  first.close();
  const text = await Deno.readTextFile(file.path);
  await Deno.writeTextFile(file.path, text.slice(0, -10));
  const second = await openReplies(file.path);
  assertEquals([await second.find(1), await second.find(2)], ["one", undefined]);
  await second.add(3, "three");
  second.close();
  const third = await openReplies(file.path);
  assertEquals([await third.find(1), await third.find(3)], ["one", "three"]);
  third.close();
});

Deno.test("openReplies leaves other files alone", async () => {
  await using file = await temporaryFile();
  await Deno.writeTextFile(file.path, '{"prompt": "a"}\n{"prompt": "b"}\n');
  await assertRejects(() => openReplies(file.path), Error, "line 1 is no reply of a judge");
  assertEquals(await Deno.readTextFile(file.path), '{"prompt": "a"}\n{"prompt": "b"}\n');
  await assertRejects(() => openReplies(`${file.path}/x`), Error, "cannot");
});
