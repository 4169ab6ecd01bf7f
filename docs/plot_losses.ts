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
import { lineChart } from "../evaluation/report/line_chart.ts";
import { escapeHtml } from "../evaluation/report/html.ts";

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
const COLOURS = ["c0", "c1", "c2", "c3"];

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

function drawPanel({ title, axis, at, losses }: Panel, place: { x: number; y: number }): string {
  const xs = Array.from({ length: 40 * REACH + 1 }, (_, i) => i / 20 - REACH);
  const lines = (component: 0 | 1, limit: number) =>
    Object.values(losses).map((loss, i) => ({
      className: COLOURS[i]!,
      points: xs.map((x) => [x, evaluate(loss, at, x)[component]] as const).filter(([, y]) =>
        Math.abs(y) <= limit
      ),
    }));
  const chart = (component: 0 | 1, values: readonly number[]) =>
    lineChart(lines(component, Math.max(...values.map(Math.abs))), {
      label: `${component === 0 ? "loss" : "slope"} over ${axis}: ${Object.keys(losses).join("; ")}`,
      steps: [-REACH, REACH],
      values,
      rules: [0],
    });
  let left = 56;
  const legend = Object.keys(losses).map((name, i) => {
    const x = left;
    left += 34 + 6.6 * name.length; // about as wide as the text
    return `<path class="${COLOURS[i]}" d="M${x},40h14"/><text x="${x + 18}" y="44">${
      escapeHtml(name)
    }</text>`;
  }).join("");
  const inset = (svg: string, y: number) =>
    svg.replace("<svg ", `<svg x="0" y="${y}" width="460" height="240" `);
  return `<g transform="translate(${place.x},${place.y})"><text class="title" x="16" y="22">${
    escapeHtml(title)
  }</text>${legend}${inset(chart(0, [-0.5, HIGHEST]), 52)}${inset(chart(1, [-STEEPEST, STEEPEST]), 302)}` +
    `<text class="side" x="436" y="78">loss</text><text class="side" x="436" y="328">slope</text>` +
    `<text class="axis" x="246" y="${302 + 246}">${escapeHtml(axis)}</text></g>`;
}

const STYLE = `
svg { --page: #ffffff; --ink: #1c1e21; --soft: #5d636b; --grid: #ececee;
  --c0: #1766c8; --c1: #c8540a; --c2: #0b7f6b; --c3: #8a3fc0; }
@media (prefers-color-scheme: dark) { svg { --page: #1b1e21; --ink: #e8e9eb; --soft: #9ba1a9; --grid: #31363b;
  --c0: #62a8ff; --c1: #ff9950; --c2: #3fc6ab; --c3: #c08bf0; } }
.page { fill: var(--page); }
text { fill: var(--soft); font: 12px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
text.title { fill: var(--ink); font-size: 15px; font-weight: 600; }
text.x, text.axis { text-anchor: middle; }
text.side { text-anchor: end; }
text.y { text-anchor: end; dominant-baseline: central; }
path { fill: none; stroke: var(--tone); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.grid { --tone: var(--grid); stroke-width: 1; }
.zero { --tone: var(--soft); stroke-width: 1; }
.rule { --tone: var(--soft); stroke-width: 1; stroke-dasharray: 2 4; opacity: 0.6; }
${COLOURS.map((name) => `.${name} { --tone: var(--${name}); }`).join("\n")}
`;

/** The whole drawing. */
export function lossesSvg(): string {
  const [columns, width, height] = [2, 470, 566];
  const rows = Math.ceil(panels.length / columns);
  const drawn = panels.map((panel, i) =>
    drawPanel(panel, { x: (i % columns) * width, y: Math.floor(i / columns) * height })
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${columns * width} ${rows * height}">` +
    `<style>${STYLE}</style><rect class="page" width="100%" height="100%"/>\n${drawn.join("\n")}\n</svg>\n`;
}

if (import.meta.main) {
  await Deno.writeTextFile(new URL("../losses/losses.svg", import.meta.url), lossesSvg());
}
