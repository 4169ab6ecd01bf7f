/**
 * `deno task tune [--model.path ./model --rows 2048]`: measures which kernels are the fastest on this adapter.
 *
 * @module
 */
import type { Device } from "../kernels/device.ts";
import { productKey, ruleOfThumb } from "../kernels/matmul_choice.ts";
import { fastest, timeVariants } from "../kernels/matmul_timing.ts";
import { variantName } from "../kernels/matmul_variants.ts";
import { openModelDirectory } from "../models/files/directory.ts";
import { parseModelConfig } from "../models/families/mod.ts";
import { findModel } from "../training/sources.ts";
import { configHelp, loadConfig, type TuneConfig } from "./config.ts";
import { openDevice } from "./device.ts";
import { withDownloads } from "./download_progress.ts";
import { runCommand } from "./errors.ts";
import { parseFlags } from "./flags.ts";
import { commonProducts, modelProducts, type NamedProduct } from "./tune_products.ts";
import { saveTuning } from "./tuning_file.ts";

const HELP = `deno task tune [tune.yaml] [--key value …]

Measures every kernel for the matrix products of a model, or of a table of common sizes, and keeps the fastest for this
adapter in the user's cache, where all commands look. Sizes count as equal within a quarter of an octave. Kernels agree
within the rounding of float32, not in every bit: tune before a run, not between its parts.
`;

/** Runs the command. */
export async function tune(args: readonly string[]): Promise<void> {
  const { file, overrides, switches } = parseFlags(args, { command: "tune", switches: [] });
  if (switches.help) {
    console.log(`${HELP}\n${configHelp("tune")}`);
    return;
  }
  const config = await loadConfig("tune", { file, overrides });
  const products = await productsOf(config);
  const device = await openDevice();
  try {
    console.log(line("product", "m×n×k", "rule", "best", "GFLOP/s", "gain"));
    for (const product of products) console.log(await tuneProduct(device, product));
    console.log(`\n${await saveTuning(device)}: ${device.tuning.size} products`);
  } finally {
    device.destroy();
  }
}

/** Rows of a batch of which nothing is known. */
const COMMON_ROWS = 1024;

async function productsOf(config: TuneConfig): Promise<readonly NamedProduct[]> {
  const { model: { path }, completionTokens, dtype } = config;
  if (path === null) return commonProducts;
  const rows = config.rows ?? COMMON_ROWS;
  const found = await withDownloads((onEvent) => findModel(path, { onEvent }));
  using directory = await openModelDirectory(found.path);
  const modelConfig = parseModelConfig(directory.config, { name: `${path}/config.json` });
  return modelProducts(modelConfig, { rows, slots: completionTokens ?? rows, packed: dtype === "bfloat16" });
}

async function tuneProduct(device: Device, product: NamedProduct): Promise<string> {
  const { name, m, n, k } = product;
  const rule = ruleOfThumb(device, product);
  const times = await timeVariants(device, product);
  const { best, gain } = fastest(times, { otherwise: rule });
  device.tuning.set(productKey(product), best);
  const speed = 2 * m * n * k / times[0]!.milliseconds / 1e6;
  const gained = gain === Infinity ? `over ${HOPELESS_GAIN}` : gain.toFixed(2);
  return line(name, `${m}×${n}×${k}`, variantName(rule), variantName(best), speed.toPrecision(3), gained);
}

/** What is known of the gain where the rule's kernel was too slow to be timed to the end. */
const HOPELESS_GAIN = 2;

const WIDTHS = [20, 16, 18, 18, 8];

function line(...cells: string[]): string {
  return cells.map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0)).join(" ").trimEnd();
}

if (import.meta.main) await runCommand(() => tune(Deno.args));
