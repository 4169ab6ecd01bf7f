import { assertEquals } from "@std/assert";
import { createDownloadProgress } from "../../cli/download_progress.ts";

Deno.test("createDownloadProgress shows bytes and messages, and times each repository by itself", () => {
  let written = "";
  let clock = 0;
  const write = (text: string) => void (written += text);
  const progress = createDownloadProgress({ write, isTerminal: false, now: () => clock });
  progress.onEvent({ type: "progress", received: 0, total: 2048 });
  clock = 60_000;
  progress.onEvent({ type: "message", text: "trying again in 1 s" });
  clock = 62_000;
  progress.onEvent({ type: "progress", received: 2048, total: 2048 });
  progress.onEvent({ type: "progress", received: 512, total: 1024 });
  clock = 63_000;
  progress.onEvent({ type: "progress", received: 1024, total: 1024 });
  progress.finish();
  assertEquals(written.split("\n"), [
    "downloaded 0 B/2.0 KiB    0%",
    "trying again in 1 s",
    "downloaded 2.0 KiB/2.0 KiB  100%  33 B/s  0s left",
    "downloaded 512 B/1.0 KiB   50%",
    "downloaded 1.0 KiB/1.0 KiB  100%  512 B/s  0s left",
    "",
  ]);
});
