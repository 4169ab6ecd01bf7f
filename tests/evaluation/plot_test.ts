import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { type PlotOptions, renderPanels, renderPlot } from "../../evaluation/mod.ts";

const plot = (parts: Partial<PlotOptions> = {}): PlotOptions => ({
  title: "A plot",
  x: { label: "" },
  y: { label: "" },
  series: [{ name: "one", points: [{ x: 0, y: 0 }, { x: 10, y: 5 }] }],
  ...parts,
});
const group = (svg: string, name: string) =>
  new RegExp(`<g [^>]*class="${name}"[^>]*>(.*?)</g>`, "s").exec(svg)?.[1];
const count = (text: string, part: string) => text.split(part).length - 1;

/** Places of a chart's axes by its tick labels: units along the axis and values, which must be on a line. */
function ticks(svg: string, axis: "x" | "y"): [at: number, value: number][] {
  const inner = new RegExp(`aria-label="${axis}-axis tick label">(.*?)</g>`, "s").exec(svg)![1]!;
  return [...inner.matchAll(/translate\(([\d.]+),([\d.]+)\)"[^>]*>([^<]*)</g)]
    .map(([, x, y, text]) => [Number(axis === "x" ? x : y), Number(text!.replace("−", "-"))]);
}

Deno.test("renderPlot draws points where the axes say they are", () => {
  const svg = renderPlot(
    plot({ series: [{ name: "one", points: [{ x: 2, y: 1 }, { x: 8, y: 4 }, { x: 10, y: 0 }] }] }),
  );
  const at = (axis: "x" | "y", value: number) => {
    const [[p, a], [q, b]] = ticks(svg, axis) as [[number, number], [number, number]];
    return p! + (value - a!) * (q! - p!) / (b! - a!);
  };
  const [, ...numbers] = /d="M([\d.]+),([\d.]+)L([\d.]+),([\d.]+)L([\d.]+),([\d.]+)"/.exec(
    group(svg, "line")!,
  )!;
  const wanted = [at("x", 2), at("y", 1), at("x", 8), at("y", 4), at("x", 10), at("y", 0)];
  // Coordinates are rounded to a tenth of a unit, as are the ticks from which the places are reckoned here.
  numbers.forEach((number, index) =>
    assert(Math.abs(Number(number) - wanted[index]!) < 0.6, `${numbers} ${wanted}`)
  );
});

Deno.test("renderPlot gives the same bytes whatever was drawn before", () => {
  const first = renderPlot(plot());
  renderPanels([plot({ title: "Another" }), plot()], { columns: 2, title: "Two" });
  assertEquals(renderPlot(plot()), first);
});

Deno.test("renderPlot makes a file that needs nothing but itself, in both themes", () => {
  const svg = renderPlot(plot({ reading: "How to read it." }));
  assertMatch(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+"/);
  for (const part of ["href=", "@import", "url(", "<script", "<foreignObject", "NaN", "undefined"]) {
    assertEquals(svg.includes(part), false, part);
  }
  assertStringIncludes(svg, "prefers-color-scheme: dark");
  assertStringIncludes(svg, ">How to read it.</text>");
  // Every colour that is used is declared for a light page and for a dark one.
  for (const [, name] of svg.matchAll(/="var\((--[\w-]+)\)"/g)) {
    assertEquals(count(svg, `${name}:`), 2, name);
  }
});

Deno.test("renderPlot escapes every text", () => {
  const evil = `<b a="1">&'`;
  const svg = renderPlot(plot({
    title: evil,
    reading: evil,
    x: { label: evil },
    y: { label: evil },
    series: [{ name: evil, note: evil, points: [{ x: 1, y: 1 }] }],
    rules: [{ x: 1, label: evil }],
    levels: [{ y: 1, label: evil }],
  }));
  assertEquals(svg.includes("<b"), false);
  assert(!/&(?!amp;|lt;|gt;|quot;|#39;|apos;)/.test(svg), "an ampersand that starts no entity");
});

Deno.test("renderPlot draws intervals as a band along a line and as whiskers at dots", () => {
  const points = [0, 1, 2].map((x) => ({ x, y: x, low: x - 1, high: x + 1 }));
  const line = renderPlot(plot({ series: [{ name: "one", points }] }));
  assert(group(line, "band")?.includes("<path"));
  assertEquals(line.includes(`class="whisker"`), false);
  const dots = renderPlot(plot({ series: [{ name: "one", points, marks: "dots" }] }));
  assertEquals(count(group(dots, "whisker")!, "<line"), 3);
  assertEquals(count(group(dots, "dot")!, "<circle"), 3);
  assertEquals(dots.includes(`class="line"`), false);
  const hollow = renderPlot(plot({ series: [{ name: "one", points, marks: "dots", dashed: true }] }));
  assertEquals(count(hollow, `stroke="var(--chosen)" stroke-width="1.5"/>`), 1, "the legend's dot");
  assertMatch(hollow, /<g [^>]*stroke="var\(--chosen\)"[^>]* fill="var\(--card\)"[^>]*class="dot"/);
  // A curve that goes back along the axis has no area above a place.
  const back = renderPlot(plot({ series: [{ name: "one", points: [...points].reverse() }] }));
  assertEquals(back.includes(`class="band"`), false);
  // The axis reaches the ends of the intervals.
  assertEquals(ticks(line, "y").at(0)![1], -1);
  assertEquals(ticks(line, "y").at(-1)![1], 3);
});

Deno.test("renderPlot breaks a curve where a number isn't finite", () => {
  const points = [1, 2, NaN, 4, 5].map((y, x) => ({ x, y }));
  const svg = renderPlot(plot({ series: [{ name: "one", points }] }));
  assertMatch(group(svg, "line")!, /d="M[\d.,]+L[\d.,]+M[\d.,]+L[\d.,]+"/);
});

Deno.test("renderPlot leaves out of a logarithmic axis what it can't show", () => {
  const points = [0, 0.01, 1, 100].map((y, x) => ({ x, y, low: -1, high: y * 2 }));
  const svg = renderPlot(plot({ y: { label: "", log: true }, series: [{ name: "one", points }] }));
  assertEquals(/NaN|Infinity/.test(svg), false);
  const labels = ticks(svg, "y").map(([, value]) => value).filter((value) => value > 0);
  assertEquals(labels, [0.01, 0.1, 1, 10, 100]);
});

Deno.test("renderPlot names every series once, but not faint ones and those without points", () => {
  const points = [{ x: 0, y: 0 }, { x: 1, y: 1 }];
  const svg = renderPlot(plot({
    series: [
      { name: "mean", faint: true, points },
      { name: "mean", points, note: "0.5" },
      { name: "nothing", points: [{ x: 0, y: NaN }] },
    ],
    levels: [{ y: 0.5, label: "bound" }, { y: 0.2 }],
  }));
  const legend = [...svg.matchAll(/<text x="34"[^>]*>(.*?)<\/text>/g)].map(([, text]) => text);
  assertEquals(legend, ["mean 0.5", "bound"]);
  assertEquals(count(group(svg, "level")!, "<line"), 2);
});

Deno.test("renderPlot gives series tones of their own, the same to those of one name", () => {
  const points = [{ x: 0, y: 0 }, { x: 1, y: 1 }];
  const svg = renderPlot(plot({
    series: [
      { name: "a", points },
      { name: "b", tone: "chosen", points },
      { name: "a", points, dashed: true },
      { name: "c", points },
    ],
  }));
  const strokes = [...svg.matchAll(/<g [^>]*class="line"[^>]*>/g)].map(([tag]) =>
    /stroke="var\(--(\w+)\)"/.exec(tag)![1]
  );
  assertEquals(strokes, ["rejected", "chosen", "rejected", "moving"]);
});

Deno.test("renderPanels shares scales and one legend where asked", () => {
  const plots = [1, 10].map((top) =>
    plot({ title: `to ${top}`, series: [{ name: "one", points: [{ x: 0, y: 0 }, { x: 10, y: top }] }] })
  );
  const axes = (svg: string) =>
    svg.split(`class="chart"`).slice(1).map((chart) => ticks(chart, "y").at(-1)![1]);
  assertEquals(axes(renderPanels(plots, { columns: 2, title: "Two" })), [1, 10]);
  const shared = renderPanels(plots, { columns: 2, title: "Two", shared: "y" });
  assertEquals(axes(shared), [10, 10]);
  assertEquals(count(shared, `class="legend"`), 1);
  assertEquals(count(renderPanels(plots, { columns: 2, title: "Two", legend: "each" }), `class="legend"`), 2);
  for (const title of ["Two", "to 1", "to 10"]) assertStringIncludes(shared, `>${title}</text>`);
});

Deno.test("renderPanels puts panels into columns from left to right", () => {
  const svg = renderPanels([1, 2, 3].map(() => plot({ width: 300, height: 200 })), {
    columns: 2,
    title: "Three",
  });
  const places = [...svg.matchAll(/<svg [^>]*class="chart"[^>]*>/g)].map(([tag]) =>
    ["x", "y"].map((name) => Number(new RegExp(` ${name}="([\\d.]+)"`).exec(tag)![1]))
  );
  const [first, second, third] = places as [number[], number[], number[]];
  assertEquals([second[0]! - first[0]!, second[1]! - first[1]!], [300, 0]);
  assertEquals(third[0], first[0]);
  assert(third[1]! > first[1]! + 200);
});

Deno.test("renderPlot and renderPanels refuse what can't be drawn", () => {
  const empty = plot({ title: "Empty", series: [{ name: "one", points: [{ x: 1, y: NaN }] }] });
  assertThrows(() => renderPlot(empty), RangeError, `renderPlot: "Empty" has no finite point`);
  assertThrows(() => renderPlot(plot({ width: -3 })), RangeError, "width is -3");
  assertThrows(() => renderPanels([], { columns: 1, title: "" }), RangeError, "no plots");
  assertThrows(() => renderPanels([plot()], { columns: 0.5, title: "" }), RangeError, "columns is 0.5");
  assertThrows(
    () =>
      renderPanels([plot({ x: { label: "", log: true } }), plot()], { columns: 1, title: "", shared: "x" }),
    RangeError,
    "the x axes are logarithmic in some panels only",
  );
});
