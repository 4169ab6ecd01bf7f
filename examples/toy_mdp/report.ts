/** Pictures, page, table and numbers of the experiment. */
import { type PageTable, type PlotOptions, renderPage, renderPanels } from "@tr/align/evaluation";
import { conclude, formatEstimate } from "./conclusion.ts";
import { losses, type Settings, strategies } from "./settings.ts";
import { type CellSummary, type MeasureName, measureNames } from "./summary.ts";

/** What every reader must know. */
export const NOTE =
  "A re-creation of the token tree of arXiv 2404.09656: the depth, network, preferences and rates of the " +
  "paper's figure are not known to us. Lines are means over seeds, bands their 95 % bootstrap intervals.";

const labels: Readonly<Record<MeasureName, string>> = {
  chosen: "probability of chosen",
  rejected: "probability of rejected",
  ood: "OOD mass",
  kl: "KL to the initial policy, nats",
  curvature: "curvature, mean σ(z)σ(−z)",
};

const readings: Readonly<Record<MeasureName, string>> = {
  chosen: "Preference alone does not hold it up: it may fall while the margin grows.",
  rejected: "Falls with every loss; where it goes is the question.",
  ood: "The probability of all trajectories that are in no pair.",
  kl: "How far the policy is from the initial one, over whole trajectories.",
  curvature: "At ¼ right after the reference has caught up; near 0 DPO's gradient has vanished.",
};

const tones = { frozen: "plain", soft: "moving", hard: "chosen", adaptive: "initial" } as const;

/** Settings of one problem, loss and β. */
type Group = Pick<CellSummary, "problem" | "loss" | "beta">;

const within = (summaries: readonly CellSummary[], { problem, loss, beta }: Group) =>
  summaries.filter((own) => own.problem === problem && own.loss === loss && own.beta === beta);

const toneOf = (reference: string) => tones[reference as keyof typeof tones];

/** A measure over training, a line for each reference. */
function overTraining(summaries: readonly CellSummary[], group: Group, name: MeasureName): PlotOptions {
  return {
    title: `${group.loss}, β = ${group.beta}: ${labels[name]}`,
    reading: readings[name],
    x: { label: "steps" },
    y: { label: "", reach: name === "kl" ? [0] : name === "curvature" ? [0, 0.25] : [0, 1] },
    series: within(summaries, group).map(({ reference, steps, over }) => ({
      name: reference,
      tone: toneOf(reference),
      points: steps.map((x, i) => ({
        x,
        y: over[name][i]!.mean,
        low: over[name][i]!.low,
        high: over[name][i]!.high,
      })),
    })),
  };
}

/** Probability of chosen against KL: what a nat of distance from the initial policy is spent on. */
function againstKl(summaries: readonly CellSummary[], group: Group): PlotOptions {
  return {
    title: `${group.loss}, β = ${group.beta}: probability of chosen over KL`,
    reading:
      "Mean over seeds at the same step; where lines coincide, references differ in how far they let training go.",
    x: { label: "KL to the initial policy, nats" },
    y: { label: "", reach: [0, 1] },
    series: within(summaries, group).map(({ reference, over }) => ({
      name: reference,
      tone: toneOf(reference),
      points: over.kl.map(({ mean: x }, i) => ({ x, y: over.chosen[i]!.mean })),
    })),
  };
}

/** The picture: all measures of one problem and β, a column for each loss. */
export function drawOverview(summaries: readonly CellSummary[], settings: Settings): string {
  const [problem, beta] = [settings.problems[0]!.name, settings.betas[0]!];
  const groups = Object.keys(losses).map((loss) => ({ problem, loss, beta }));
  const plots = [
    ...measureNames.flatMap((name) => groups.map((group) => overTraining(summaries, group, name))),
    ...groups.map((group) => againstKl(summaries, group)),
  ].map((plot) => ({ ...plot, width: 420, height: 190 }));
  return renderPanels(plots, { columns: groups.length, title: `The token tree, ${problem}`, reading: NOTE });
}

/** The numbers at the end, a row for each cell. */
export function tableOf(summaries: readonly CellSummary[]): PageTable {
  return {
    title: "At the end of training",
    reading:
      "Mean over seeds and 95 % interval. “Against frozen” is the difference in OOD mass, seed by seed: below 0 the moving " +
      "reference leaks less. “Recovered”: seeds whose chosen probability fell below its start and ended above it; “lost”: " +
      "ended below 0.01.",
    columns: [
      "setting",
      "updates",
      "chosen",
      "rejected",
      "OOD",
      "against frozen",
      "KL",
      "curvature",
      "recovered",
      "lost",
    ],
    rows: summaries.map((
      { loss, beta, reference, updates, end, oodAgainstFrozen, recovered, lost, curves },
    ) => [
      `${loss}, β ${beta}, ${reference}`,
      updates.toFixed(0),
      formatEstimate(end.chosen),
      formatEstimate(end.rejected),
      formatEstimate(end.ood),
      oodAgainstFrozen === null ? "–" : formatEstimate(oodAgainstFrozen),
      formatEstimate(end.kl, 1),
      end.curvature.mean.toFixed(3),
      `${recovered}/${curves.length}`,
      `${lost}/${curves.length}`,
    ]),
  };
}

/** The self-contained page. */
export function drawPage(summaries: readonly CellSummary[], settings: Settings): string {
  return renderPage({
    title: "The token tree: where the probability goes",
    summary: [
      ["leaves", String(3 ** settings.depth)],
      ["seeds", String(settings.seeds.length)],
      ["steps", String(settings.steps)],
      ["learning rate", String(settings.learningRate)],
      ["β", settings.betas.join(", ")],
    ],
    note: `${NOTE} ${conclude(summaries)}`,
    sections: [
      ...settings.problems.map(({ name: problem }) => ({
        heading: problem,
        figures: settings.betas.flatMap((beta, index) =>
          Object.keys(losses).flatMap((loss) => {
            const group = { problem, loss, beta };
            const names = index === 0 ? measureNames : ["chosen", "ood"] as const;
            return [
              ...names.map((name) => overTraining(summaries, group, name)),
              againstKl(summaries, group),
            ];
          })
        ),
        tables: [tableOf(summaries.filter((own) => own.problem === problem))],
      })),
      { heading: "Settings", code: JSON.stringify(describe(settings), null, 2) },
    ],
  });
}

/** All numbers: settings, and every seed's curves in columns. */
export function numbersOf(summaries: readonly CellSummary[], settings: Settings) {
  return {
    settings: describe(settings),
    conclusion: conclude(summaries),
    cells: summaries.map(({ over: _, curves, ...summary }) => ({
      ...summary,
      seeds: curves.map(({ seed, points }) => ({
        seed,
        ...Object.fromEntries(
          measureNames.map((name) => [name, points.map((point) => Number(point[name].toPrecision(6)))]),
        ),
      })),
    })),
  };
}

function describe(settings: Settings) {
  return {
    ...settings,
    references: Object.fromEntries(
      Object.entries(strategies).map(([name, { description }]) => [name, description]),
    ),
    optimizer: "AdamW, betas 0.9 and 0.999, no decay, constant rate, no clipping",
  };
}
