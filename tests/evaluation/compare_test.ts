import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type ComparedRun, compareRuns } from "../../evaluation/mod.ts";

/** A run whose held-out accuracy and KL grow with α, and whose loss depends on its seed. */
function runOf(
  { alpha, seed, steps = 10, more = {} }: { alpha: number; seed: number; steps?: number; more?: object },
): ComparedRun {
  return {
    name: `runs/${alpha}-${seed}`,
    config: {
      reference: { update: "soft", alpha },
      training: { seed },
      output: { directory: `runs/${alpha}-${seed}` },
    },
    metrics: Array.from({ length: steps }, (_, index) => ({
      step: index + 1,
      loss: 0.7 - seed / 10,
      "kl/initial": alpha * index,
      learning_rate: 1e-5,
      ...(index % 5 === 4
        ? { "eval_rewards_initial/accuracies": 0.5 + alpha / 10, "eval_kl/initial": alpha * index }
        : {}),
    })),
    ...more,
  };
}

const compare = (runs: ComparedRun[]) => compareRuns(runs, { title: "Runs" });
const titles = (html: string) => [...html.matchAll(/<h3>(.*?)<\/h3>/g)].map((match) => match[1]);

Deno.test("compareRuns makes one group of seeds, with mean and interval in the table", () => {
  const { groups, table, html } = compare(
    [0.4, 0.6].flatMap((alpha) => [0, 1, 2].map((seed) => runOf({ alpha, seed }))),
  );
  assertEquals(groups.map(({ name, runs }) => [name, runs.length]), [["alpha 0.4", 3], ["alpha 0.6", 3]]);
  const column = (name: string) => table.rows.map((row) => row[table.columns.indexOf(name)]);
  // By hand: losses 0.7, 0.6, 0.5. Of three values, resampled, 1 in 27 means is the lowest, which is more than 2.5 %.
  assertEquals(column("loss"), ["0.6 [0.5, 0.7]", "0.6 [0.5, 0.7]"]);
  assertEquals(column("held-out accuracy"), ["0.54", "0.56"]);
  assertStringIncludes(html, `class="band"`);
});

Deno.test("compareRuns draws quality against KL, and each metric once with all groups", () => {
  const { html } = compare([runOf({ alpha: 0.4, seed: 0 }), runOf({ alpha: 0.6, seed: 0 })]);
  const drawn = titles(html);
  assertEquals(drawn.slice(0, 3), ["At the end", "What differs", "Held-out reward accuracy over KL"]);
  assert(drawn.includes("KL divergence from the references: initial"));
  assertEquals(drawn.includes("Learning rate"), false, "the same in all runs");
  assertEquals(html.includes(`class="band"`), false, "an interval of one run");
  assertEquals(/NaN|undefined/.test(html), false);
});

Deno.test("compareRuns draws evaluations over the KL that they measured, seeds as one point", () => {
  const evaluated = (alpha: number, seed: number, score: number) =>
    runOf({
      alpha,
      seed,
      more: {
        evaluation: {
          "samples/kl/initial": { mean: alpha * 10, low: 1, high: 9 },
          "gold/score": { mean: score, low: score - 0.1, high: score + 0.1 },
        },
      },
    });
  const { html } = compare([evaluated(0.4, 0, 0.6), evaluated(0.6, 0, 0.7), evaluated(0.6, 1, 0.9)]);
  assert(titles(html).includes("Gold score over KL"));
  assertEquals(titles(html).some((title) => title!.includes("judge")), false);
  // A run's own interval, and that of two seeds, of which a quarter of the means is the lower and a quarter the higher one.
  assertStringIncludes(html, "<td>gold/score</td><td>0.6 [0.5, 0.7]</td><td>0.8 [0.7, 0.9]</td>");
  assertStringIncludes(html, "<td>samples/kl/initial</td><td>4 [1, 9]</td><td>6</td>");
});

Deno.test("compareRuns gives the same bytes for the same runs", () => {
  const runs = () => [0, 1].map((seed) => runOf({ alpha: 0.4, seed, steps: 300 }));
  assertEquals(compare(runs()).html, compare(runs()).html);
});

Deno.test("compareRuns refuses nothing, runs without metrics, and runs that share none", () => {
  assertThrows(() => compare([]), RangeError, "there are no runs to compare");
  assertThrows(
    () => compare([runOf({ alpha: 1, seed: 0, steps: 0 })]),
    RangeError,
    "runs/1-0: has no metrics yet",
  );
  const other = { name: "runs/other", config: { a: 1 }, metrics: [{ step: 1, grad_norm: 1 }] };
  assertThrows(
    () => compare([runOf({ alpha: 1, seed: 0 }), other]),
    RangeError,
    "runs/1-0, runs/other: have no metric in common",
  );
});
