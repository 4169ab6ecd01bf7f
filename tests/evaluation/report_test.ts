import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type MetricRow, renderReport, type Report } from "../../evaluation/mod.ts";

const NAMES = [
  ...["loss", "grad_norm", "learning_rate", "curvature", "tokens_per_second"],
  ...["rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies"],
  ...[
    "rewards_initial/chosen",
    "rewards_initial/rejected",
    "rewards_initial/margins",
    "rewards_initial/accuracies",
  ],
  ...["logps/chosen", "logps/rejected", "reference/updates", "kl/reference", "kl/initial"],
  ...["length/chosen", "length/rejected"],
];

/** A run with every metric in every row, each wobbling in its own way. */
function fullRun(steps: number): MetricRow[] {
  return Array.from({ length: steps }, (_, index) => ({
    step: index + 1,
    ...Object.fromEntries(NAMES.map((name, which) => [name, Math.sin(index * (which + 1)) * (which + 1)])),
    ...(index % 50 === 0 ? { eval_loss: 0.5, "eval_rewards/accuracies": 0.7 } : {}),
  }));
}

const report = (parts: Partial<Report>): string =>
  renderReport({ title: "A run", config: "", metrics: [], ...parts });
const titles = (html: string) => [...html.matchAll(/<h3>(.*?)<\/h3>/g)].map((match) => match[1]);
/** The labels of a figure's vertical axis, from the bottom. */
const tickLabels = (figure: string) => {
  const axis = /aria-label="y-axis tick label">(.*?)<\/g>/s.exec(figure)?.[1] ?? "";
  return [...axis.matchAll(/<text[^>]*>(.*?)<\/text>/g)].map((match) => match[1]);
};
const ruleLines = (html: string) =>
  [...html.matchAll(/<g [^>]*class="rule"[^>]*>(.*?)<\/g>/gs)].reduce(
    (sum, [, group]) => sum + count(group!, "<line"),
    0,
  );
const count = (html: string, part: string) => html.split(part).length - 1;

Deno.test("renderReport gives the same bytes for the same run", () => {
  const parts = { metrics: fullRun(120), referenceUpdates: [40, 80] };
  assertEquals(report(parts), report(structuredClone(parts)));
});

Deno.test("renderReport needs nothing but itself", () => {
  const html = report({ metrics: fullRun(120), samples: [{ prompt: "a", before: "b", after: "c" }] });
  for (const part of ["http:", "https:", "src=", "href=", "@import", "url(", "<script"]) {
    assertEquals(html.includes(part), false, part);
  }
});

Deno.test("renderReport stays below a megabyte for 500 steps, and for 50,000", () => {
  for (const steps of [500, 50_000]) {
    const html = report({ metrics: fullRun(steps), referenceUpdates: [100, 200, 300, 400] });
    assert(html.length < 1_000_000, `${html.length} characters for ${steps} steps`);
  }
});

Deno.test("renderReport draws every plot of a full run, the two references side by side", () => {
  const drawn = titles(report({ metrics: fullRun(10) }));
  assertEquals(drawn.length, 14);
  const moving = drawn.indexOf("Margin over the moving reference");
  assertEquals(drawn[moving + 1], "Margin over the initial reference");
  assertEquals(drawn[moving + 2], "Rewards over the moving reference");
  assertEquals(drawn[moving + 3], "Rewards over the initial reference");
});

Deno.test("renderReport leaves out what wasn't measured", () => {
  assertEquals(titles(report({ metrics: [{ step: 1, loss: 0.7 }, { step: 2, loss: 0.6 }] })), ["Loss"]);
  assertEquals(titles(report({ metrics: [{ step: 1, loss: null }] })), []);
  assertEquals(titles(report({})), []);
  assertEquals(count(report({}), "<h2>"), 1, "only the configuration's heading");
});

Deno.test("renderReport draws held-out rows wherever they are given", () => {
  const metrics = [{ step: 1, loss: 0.7 }, { step: 2, loss: 0.6, eval_loss: 0.65 }];
  assertMatch(report({ metrics }), /held out <b>0\.65<\/b>/);
  assertMatch(report({ metrics, evaluations: [{ step: 3, eval_loss: 0.62 }] }), /held out <b>0\.62<\/b>/);
});

Deno.test("renderReport escapes every text that it is given", () => {
  const evil = `<script>alert("1")</script> & 'x'`;
  const html = renderReport({
    title: evil,
    config: evil,
    metrics: [],
    summary: [[evil, evil]],
    samples: [{ prompt: evil, before: evil, after: evil }],
  });
  assertEquals(html.includes("<script"), false);
  // The title twice, the configuration, two of the summary, three of the sample.
  assertEquals(count(html, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39;"), 8);
});

Deno.test("renderReport marks the reference's updates, but not so many that they hide the curves", () => {
  const metrics = fullRun(200);
  const few = report({ metrics, referenceUpdates: [50, 100, 150] });
  // A line an update in each of the 14 figures.
  assertEquals(ruleLines(few), 3 * 14);
  assertStringIncludes(few, "The reference moved 3 times");
  const many = report({ metrics, referenceUpdates: metrics.map(({ step }) => step) });
  assertEquals(ruleLines(many), 0);
  assertStringIncludes(many, "The reference moved 200 times, too often to mark each time.");
  assertStringIncludes(report({ metrics }), "The reference never moved.");
  assertStringIncludes(report({ metrics, referenceUpdates: [7] }), "The reference moved once");
});

Deno.test("renderReport draws the bound of an adaptive reference in the figure that it belongs to, in reach", () => {
  const metrics = [1, 2, 3].map((step) => ({ step, loss: 0.6, "kl/reference": step / 10, curvature: 0.2 }));
  const html = report({ metrics, bounds: { "kl/reference": 3 } });
  const figures = html.split("<figure>").filter((figure) => figure.includes(`class="level"`));
  assertEquals(figures.length, 1);
  assertStringIncludes(figures[0]!, "KL divergence");
  assertStringIncludes(figures[0]!, "update beyond 3");
  // The axis reaches from 0, at the bottom, to the bound, which is its highest label and at the top.
  assertEquals(tickLabels(figures[0]!).at(-1), "3.0");
  const level = /class="level".*?<line[^>]* y1="([\d.]+)"/s.exec(figures[0]!);
  assertEquals(level?.[1], "14");
  assertEquals(count(report({ metrics }), `class="level"`), 0);
});

Deno.test("renderReport says when a loss was not finite", () => {
  const metrics = [{ step: 1, loss: 0.7 }, { step: 2, loss: null }, { step: 3, loss: NaN }, {
    step: 4,
    loss: 0.6,
  }];
  const html = report({ metrics });
  assertStringIncludes(html, "training <b>0.6 (not finite in 2 of the steps)</b>");
  assertEquals(/NaN|undefined|Infinity/.test(html), false);
});

Deno.test("renderReport puts both margins on one scale unless one would be flat", () => {
  const margins = (initial: number) =>
    report({
      metrics: [
        { step: 1, "rewards/margins": 0, "rewards_initial/margins": 0 },
        { step: 2, "rewards/margins": 1, "rewards_initial/margins": initial },
      ],
    });
  const labels = (html: string) => html.split("<figure>").slice(1).map(tickLabels);
  const [moving, initial] = labels(margins(4));
  assertEquals(moving, ["0", "1", "2", "3", "4"]);
  assertEquals(initial, moving);
  assertStringIncludes(margins(4), "Drawn on the scale of the plot before.");
  const [small, large] = labels(margins(400));
  assertEquals([small!.at(-1), large!.at(-1)], ["1.0", "400"]);
  assertStringIncludes(margins(400), "Mind the scale");
});

Deno.test("renderReport shows samples, facts and the configuration as given", () => {
  const html = report({
    config: "loss:\n  beta: 0.05\n",
    summary: [["Steps", "500"]],
    samples: [{ prompt: "Ben says:", before: " No.", after: "" }],
  });
  assertStringIncludes(html, "<pre>loss:\n  beta: 0.05</pre>");
  assertStringIncludes(html, "<dt>Steps</dt><dd>500</dd>");
  assertStringIncludes(html, "<p>Ben says:</p>");
  assertStringIncludes(html, `<div class="before"><h4>before</h4><p>No.</p></div>`);
  assertStringIncludes(html, `<div class="after"><h4>after</h4><p>(nothing)</p></div>`);
});
