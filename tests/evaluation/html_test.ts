import { assertEquals } from "@std/assert";
import { escapeHtml, formatNumber } from "../../evaluation/html.ts";

Deno.test("escapeHtml escapes what has a meaning in HTML and nothing else", () => {
  assertEquals(escapeHtml(`<a b="c" d='e'>&amp; ▁é`), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp; ▁é");
});

Deno.test("formatNumber writes three significant digits", () => {
  const cases: [number, string][] = [
    ...[[0, "0"], [-0, "0"], [0.69314, "0.693"], [-1.5, "−1.5"], [12.345, "12.3"]] as [number, string][],
    ...[[999.4, "999"], [999.9, "1,000"], [1234.5, "1,235"], [22063, "22,063"], [1234567, "1,234,567"]] as [
      number,
      string,
    ][],
    ...[[5e-7, "5e-7"], [-1.2345e-5, "−1.23e-5"], [2.5e12, "2.5e12"], [0.001, "0.001"]] as [number, string][],
  ];
  for (const [value, text] of cases) assertEquals(formatNumber(value), text);
});
