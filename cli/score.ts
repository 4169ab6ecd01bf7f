/**
 * `deno task score [score.yaml] [--key value …]`: log-probabilities of records under a model, as JSON lines.
 *
 * @module
 */
import type { Device } from "../kernels/device.ts";
import { loadModel } from "../training/load.ts";
import { loadRecords } from "../training/load_records.ts";
import { scoreRecords } from "../training/scorer.ts";
import { findModel, locateRecords } from "../training/sources.ts";
import { checkLengths } from "./check_lengths.ts";
import { configHelp, loadConfig } from "./config.ts";
import { openDevice } from "./device.ts";
import { withDownloads } from "./download_progress.ts";
import { runCommand } from "./errors.ts";
import { parseFlags } from "./flags.ts";
import { createLinesFile } from "./lines_file.ts";
import { createProgress } from "./progress.ts";

const HELP = `deno task score [score.yaml] [--key value …]

Writes one JSON object a record: { "line": …, "chosen": { "logp": …, "token_logps": […] }, "rejected": { … } } for a
pair, { "line": …, "completion": { … } } for any other record. Log-probs are natural logarithms, summed over the
completion's tokens. "line" is the record's line (or row) in its file, so that records that were left out shift nothing;
where there are several files, "file" is before it.
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
    const located = new Map<string, readonly string[]>();
    const records = [];
    for (const entry of data.records) {
      records.push(await locateRecords(entry, { onEvent, datasetInfo: data.datasetInfo, located }));
    }
    return { model: found.path, records, located };
  });
  const model = await loadModel(files.model, { template: data.template });
  try {
    const { examples, dropped, notes } = await loadRecords(files.records, {
      wanted: "any",
      tokenizer: model.tokenizer,
      data,
      located: files.located,
    });
    for (const note of notes) console.error(`warning: ${note}`);
    if (dropped !== "") console.error(dropped);
    checkLengths(examples, { path: config.model.path, maxPositions: model.config.maxPositions });
    const lines = await createLinesFile(config.output.file);
    const progress = createProgress();
    let device: Device | null = null;
    let step = 0;
    try {
      device = await openDevice();
      const limit = memoryLimit === null ? {} : { memoryLimit };
      const { adapter } = config.model;
      const scored = scoreRecords(device, model, { groups: examples, batchSize, adapter, ...limit });
      for await (const scores of scored) {
        const names = scores.length === 2 ? ["chosen", "rejected"] : ["completion"];
        const entries = scores.map((
          { logp, tokenLogps },
          i,
        ) => [names[i]!, { logp, token_logps: tokenLogps }]);
        const { line, file } = examples.at(step)!;
        lines.write({ ...(file === undefined ? {} : { file }), line, ...Object.fromEntries(entries) });
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

if (import.meta.main) await runCommand(() => score(Deno.args));
