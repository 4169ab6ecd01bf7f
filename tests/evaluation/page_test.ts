import { assertEquals, assertStringIncludes } from "@std/assert";
import { renderPage } from "../../evaluation/mod.ts";

const figure = (y: number) => ({
  title: "A figure",
  x: { label: "" },
  y: { label: "" },
  series: [{ name: "one", points: [{ x: 0, y }, { x: 1, y }] }],
});

Deno.test("renderPage shows a section's parts in order", () => {
  const html = renderPage({
    title: "A page",
    note: "A note.",
    sections: [{
      heading: "All",
      text: ["First.", "Second."],
      figures: [figure(1)],
      tables: [{ title: "A table", columns: ["name", "value"], rows: [["a", "1"]], reading: "So." }],
      samples: [{ prompt: "Ben says:", before: "No.", after: "Yes." }],
      code: "a: 1\n",
    }],
  });
  const parts = [
    ...[
      "<h1>A page</h1>",
      "A note.",
      "<h2>All</h2>",
      "First.",
      "Second.",
      "<h3>A figure</h3>",
      "<h3>A table</h3>",
    ],
    ...[
      "<th>name</th><th>value</th>",
      "<td>a</td><td>1</td>",
      "So.",
      "Ben says:",
      "No.",
      "Yes.",
      "<pre>a: 1</pre>",
    ],
  ];
  const places = parts.map((part) => html.indexOf(part));
  assertEquals(places.includes(-1), false, `${parts[places.indexOf(-1)]}`);
  assertEquals(places, places.toSorted((a, b) => a - b));
});

Deno.test("renderPage leaves out sections in which nothing is to be shown", () => {
  const html = renderPage({
    title: "",
    sections: [
      {
        heading: "Nothing",
        text: "",
        figures: [figure(NaN)],
        tables: [{ columns: ["a"], rows: [] }],
        samples: [],
      },
      { heading: "Something", text: "x" },
    ],
  });
  assertEquals(html.includes("Nothing"), false);
  assertStringIncludes(html, "<h2>Something</h2>");
});

Deno.test("renderPage escapes every text", () => {
  const evil = `<script>"&'`;
  const html = renderPage({
    title: evil,
    summary: [[evil, evil]],
    note: evil,
    sections: [{
      heading: evil,
      text: evil,
      figures: [{ ...figure(1), title: evil, reading: evil, x: { label: evil }, y: { label: evil } }],
      tables: [{ title: evil, reading: evil, columns: [evil], rows: [[evil]] }],
      samples: [{ prompt: evil, before: evil, after: evil }],
      code: evil,
    }],
  });
  assertEquals(html.includes("<script"), false);
});
