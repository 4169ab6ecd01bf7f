/**
 * `deno task score [score.yaml] [--key value …]`: log-probabilities of records under a model, as JSON lines.
 *
 * @module
 */
import { loadModel, loadRecords } from "../training/load.ts";
import { scoreRecords } from "../training/scorer.ts";
import { configHelp, loadConfig } from "./config.ts";
import { openDevice } from "./device.ts";
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
  const model = await loadModel(config.model.path, { template: data.template });
  try {
    const { examples, dropped } = await loadRecords(data.records, {
      wanted: "any",
      tokenizer: model.tokenizer,
      data,
    });
    if (dropped !== "") console.error(dropped);
    const lines = await createLinesFile(config.output.file);
    const progress = createProgress();
    const device = await openDevice();
    let step = 0;
    try {
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
      device.destroy();
    }
  } finally {
    model.directory.close();
  }
}

if (import.meta.main) await runCommand(() => score(Deno.args));
