/**
 * `deno task score [score.yaml] [--key value …]`: log-probabilities of records under a model, as JSON lines.
 *
 * @module
 */
import type { Device } from "../kernels/device.ts";
import { resolveData } from "../hub/resolve.ts";
import { loadModel, loadRecords } from "../training/load.ts";
import { longestSequence } from "../training/plan.ts";
import type { TrainingExample } from "../training/records.ts";
import { scoreRecords } from "../training/scorer.ts";
import { findModel, RECORD_EXTENSIONS } from "../training/sources.ts";
import { configHelp, loadConfig } from "./config.ts";
import { openDevice } from "./device.ts";
import { withDownloads } from "./download_progress.ts";
import { runCommand } from "./errors.ts";
import { parseFlags } from "./flags.ts";
import { createLinesFile } from "./lines_file.ts";
import { createProgress } from "./progress.ts";

const HELP = `deno task score [score.yaml] [--key value …]

Writes one JSON object a record: { "chosen": { "logp": …, "token_logps": […] }, "rejected": { … } } for a pair,
{ "completion": { … } } for any other record. Log-probs are natural logarithms, summed over the completion's tokens.
`;

/** Runs the command. */
export async function score(args: readonly string[]): Promise<void> {
  const { file, overrides, switches } = parseFlags(args, { command: "score", switches: [] });
  if (switches.help) {
    console.log(`${HELP}\n${configHelp("score")}`);
    return;
  }
  const config = await loadConfig("score", { file, overrides });
  const { data, batchSize, memoryLimit } = config;
  const files = await withDownloads(async (onEvent) => {
    const found = await findModel(config.model.path, { onEvent });
    const records = [];
    for (const name of data.records) {
      records.push(...(await resolveData(name, { onEvent, extensions: RECORD_EXTENSIONS })).paths);
    }
    return { model: found.path, records };
  });
  const model = await loadModel(files.model, { template: data.template });
  try {
    const { examples, dropped } = await loadRecords(files.records, {
      wanted: "any",
      tokenizer: model.tokenizer,
      data,
    });
    if (dropped !== "") console.error(dropped);
    checkLengths(examples, { path: config.model.path, maxPositions: model.config.maxPositions });
    const lines = await createLinesFile(config.output.file);
    const progress = createProgress();
    let device: Device | null = null;
    let step = 0;
    try {
      device = await openDevice();
      const limit = memoryLimit === null ? {} : { memoryLimit };
      for await (const scores of scoreRecords(device, model, { groups: examples, batchSize, ...limit })) {
        const names = scores.length === 2 ? ["chosen", "rejected"] : ["completion"];
        const entries = scores.map((
          { logp, tokenLogps },
          i,
        ) => [names[i]!, { logp, token_logps: tokenLogps }]);
        lines.write(Object.fromEntries(entries));
        progress.update({ step: ++step, total: examples.length });
      }
      await lines.finish();
    } finally {
      progress.finish();
      await lines.abandon();
      device?.destroy();
    }
  } finally {
    model.directory.close();
  }
}

// Unlike training, scoring takes any max_length, as long as the records themselves fit.
function checkLengths(
  examples: readonly TrainingExample[],
  { path, maxPositions }: { path: string; maxPositions: number },
): void {
  const tooLong = examples.find((example) => longestSequence([example]) > maxPositions);
  if (tooLong === undefined) return;
  throw new Error(
    `the record on line ${tooLong.line} has ${
      longestSequence([tooLong])
    } tokens, but ${path} reads at most ` +
      `${maxPositions} (max_position_embeddings); set data.max_length to cut it`,
  );
}

if (import.meta.main) await runCommand(() => score(Deno.args));
