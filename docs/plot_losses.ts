/**
 * Draws `losses/losses.svg`: what each loss and its slope are over a pair's margin, from the library's own losses.
 *
 *     deno run -A docs/plot_losses.ts
 */
import { apoDown } from "../losses/apo_down.ts";
import { apoZero } from "../losses/apo_zero.ts";
import { bcoPair } from "../losses/bco_pair.ts";
import { calDpo } from "../losses/cal_dpo.ts";
import type { Loss } from "../losses/definition.ts";
import { discopop } from "../losses/discopop.ts";
import { dpo } from "../losses/dpo.ts";
import { dpop } from "../losses/dpop.ts";
import { evaluatePaired } from "../losses/evaluate.ts";
import { exoPair } from "../losses/exo_pair.ts";
import { hinge } from "../losses/hinge.ts";
import { ipo } from "../losses/ipo.ts";
import { ncaPair } from "../losses/nca_pair.ts";
import { robust } from "../losses/robust.ts";
import { sppoHard } from "../losses/sppo_hard.ts";
import { type PlotOptions, renderPanels } from "../evaluation/mod.ts";

/** Losses that are drawn over the same numbers. */
interface Panel {
  title: string;
  /** What the horizontal axis is. */
  axis: string;
  /** Log-ratios of the chosen and the rejected completion at x. */
  at: (x: number) => [chosen: number, rejected: number];
  losses: Record<string, Loss>;
}

const beta = 1;
const smoothed = { beta, labelSmoothing: 0.1 };
const byMargin = {
  axis: "β (u_w − u_l)",
  at: (x: number): [number, number] => [x / 2, -x / 2],
};

const byChosen = {
  axis: "β u_w, with u_l = 0",
  at: (x: number): [number, number] => [x, 0],
};

const panels: Panel[] = [
  {
    ...byMargin,
    title: "Who believes labels, and who doesn't",
    losses: {
      "dpo": dpo({ beta }),
      "dpo, ε = 0.1": dpo(smoothed),
      "robust, ε = 0.1": robust(smoothed),
      "exo_pair, ε = 0.1": exoPair(smoothed),
    },
  },
  {
    ...byMargin,
    title: "How much margin is enough",
    losses: {
      "dpo": dpo({ beta }),
      "hinge": hinge({ beta }),
      "ipo": ipo({ beta, average: "sum" }),
      "discopop": discopop({ beta }),
    },
  },
  {
    ...byMargin,
    title: "What holds dpo to the reference",
    losses: {
      "reverse_kl": dpo({ beta }),
      "forward_kl": dpo({ beta, divergence: "forward_kl" }),
      "jensen_shannon": dpo({ beta, divergence: "jensen_shannon" }),
      "alpha 0.5": dpo({ beta, divergence: { alpha: 0.5 } }),
    },
  },
  {
    ...byChosen,
    title: "What the chosen completion is worth by itself",
    losses: {
      "dpo": dpo({ beta }),
      "nca_pair": ncaPair({ beta }),
      "apo_zero": apoZero({ beta }),
      "apo_down": apoDown({ beta }),
    },
  },
  {
    ...byChosen,
    title: "What keeps the chosen completion likely",
    losses: {
      "bco_pair": bcoPair({ beta }),
      "dpop, λ = 2": dpop({ beta, lambda: 2 }),
      "sppo_hard": sppoHard({ beta }),
      "cal_dpo": calDpo({ beta }),
    },
  },
  {
    axis: "β u_l, with u_w = 0",
    at: (x) => [0, x],
    title: "What the rejected completion is worth by itself",
    losses: {
      "dpo": dpo({ beta }),
      "nca_pair": ncaPair({ beta }),
      "bco_pair": bcoPair({ beta }),
      "apo_zero": apoZero({ beta }),
    },
  },
];

const REACH = 5;
const HIGHEST = 4;
const STEEPEST = 2;

/** The loss, and its derivative along the panel's axis, at x. */
function evaluate(loss: Loss, at: Panel["at"], x: number): [value: number, slope: number] {
  const value = (x: number) => {
    const [chosen, rejected] = at(x);
    return evaluatePaired({
      policy: { chosen: [chosen], rejected: [rejected] },
      reference: { chosen: [0], rejected: [0] },
    }, loss);
  };
  const { loss: height, gradients } = value(x);
  const [chosen, rejected] = at(1); // the axes are linear
  return [height, chosen * gradients.chosen[0]! + rejected * gradients.rejected[0]!];
}

/** A panel's losses, and their slopes beside them. */
function plotsOf({ title, axis, at, losses }: Panel): PlotOptions[] {
  const xs = Array.from({ length: 40 * REACH + 1 }, (_, i) => i / 20 - REACH);
  const plot = (component: 0 | 1, { limit, reach }: { limit: number; reach: number[] }): PlotOptions => ({
    title: component === 0 ? title : "… and its slope",
    x: { label: axis, reach: [-REACH, REACH] },
    y: { label: component === 0 ? "loss" : "slope", reach },
    series: Object.entries(losses).map(([name, loss]) => ({
      name,
      points: xs.map((x) => ({ x, y: evaluate(loss, at, x)[component] })).filter(({ y }) =>
        Math.abs(y) <= limit
      ),
    })),
    rules: [{ x: 0 }],
  });
  return [
    plot(0, { limit: HIGHEST, reach: [-0.5, HIGHEST] }),
    plot(1, { limit: STEEPEST, reach: [-STEEPEST, STEEPEST] }),
  ];
}

/** The whole drawing. */
export function lossesSvg(): string {
  return renderPanels(panels.flatMap(plotsOf), {
    title: "Losses and their slopes over a pair's log-ratios",
    columns: 2,
    legend: "each",
  });
}

if (import.meta.main) {
  await Deno.writeTextFile(new URL("../losses/losses.svg", import.meta.url), lossesSvg());
}
