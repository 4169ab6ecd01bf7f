import { assertEquals } from "@std/assert";
import { formatBytes, formatCount, formatDuration } from "../../cli/format.ts";

Deno.test("formatBytes writes binary units", () => {
  const expected: [number, string][] = [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [1536, "1.5 KiB"],
    [1024 ** 2 - 1, "1.0 MiB"],
    [85_000_000_000, "79.2 GiB"],
    [3 * 1024 ** 5, "3072.0 TiB"],
    [NaN, "?"],
  ];
  for (const [bytes, text] of expected) assertEquals(formatBytes(bytes), text);
});

Deno.test("formatCount writes thousands", () => {
  const expected: [number, string][] = [
    [0, "0"],
    [999.4, "999"],
    [999.6, "1.0k"],
    [1234, "1.2k"],
    [999_960, "1.0M"],
    [6_900_000_000, "6.9B"],
    [-1500, "-1.5k"],
    [Infinity, "?"],
  ];
  for (const [count, text] of expected) assertEquals(formatCount(count), text);
});

Deno.test("formatDuration writes two units", () => {
  const expected: [number, string][] = [
    [0, "0s"],
    [59.4, "59s"],
    [59.6, "1m 00s"],
    [187, "3m 07s"],
    [3599.7, "1h 00m"],
    [7500, "2h 05m"],
    [86_400 * 3 + 3600 * 4, "3d 04h"],
    [-5, "0s"],
    [Infinity, "?"],
  ];
  for (const [seconds, text] of expected) assertEquals(formatDuration(seconds), text);
});
