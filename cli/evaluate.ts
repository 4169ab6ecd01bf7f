/**
 * `deno task evaluate [evaluate.yaml] [--key value …]`: what a policy is worth, with intervals.
 *
 * @module
 */
import { writeFileAtomic } from "../models/files/write_file.ts";
import { loadModel } from "../training/load.ts";
import { readAnswers } from "./evaluate/asked.ts";
import { prepareJudge } from "./evaluate/judge_answers.ts";
import { findInputs, readInputs } from "./evaluate/read_inputs.ts";
import { loadScoreFunction } from "./evaluate/score_answers.ts";
import { carryOutEvaluation } from "./evaluate/stages.ts";
import { checkModels } from "./evaluate/weights.ts";
import { renderMeasures } from "./evaluate/table.ts";
import { toSnakeKeys } from "./config/case.ts";
import { DEFAULT_GENERATION } from "./config/evaluate_keys.ts";
import { configHelp, loadConfig } from "./config.ts";
import { runCommand, UserError } from "./errors.ts";
import { parseFlags } from "./flags.ts";

const HELP = `deno task evaluate [evaluate.yaml] [--key value …]

Measures a model, or the model of a training run: reward accuracy and margins, KL and perplexity on held-out records; KL,
lengths, repetition and diversity of its answers to prompts; and against an opponent's answers win rates by a function of
yours, a reward model, or a judge. Prints a table and writes one JSON file, every number with a bootstrap interval; the same
settings give the same numbers. Replies of a judge are kept: after an interruption only what is missing is asked.
`;

/** Runs the command. */
export async function evaluate(args: readonly string[]): Promise<void> {
  const { file, overrides, switches } = parseFlags(args, { command: "evaluate", switches: [] });
  if (switches.help) {
    console.log(`${HELP}\n${configHelp("evaluate")}`);
    return;
  }
  const config = await loadConfig("evaluate", { file, overrides });
  const { output, gold, judge, opponent, bootstrap, data } = config;
  await refuseExisting(output.file, "output.file");
  if (output.answers !== null) await refuseExisting(output.answers, "output.answers");
  // What the later stages need is looked at before the first one begins.
  const score = gold == null ? null : await loadScoreFunction(gold);
  const preparedJudge = judge == null ? null : await prepareJudge({ judge, output });
  const found = await findInputs(config);
  if (config.beta !== 1 && (found.models.others.size === 0 || data.records === null)) {
    throw new UserError(
      "beta: would be ignored: rewards are measured on data.records, against an initial model or a reference",
    );
  }
  const model = await loadModel(found.models.policy.path, { template: data.template });
  try {
    await checkModels(found.models, { config: model.config, template: data.template });
    const { examples, asked, notes } = await readInputs(config, { model, found });
    const given = opponent?.answers == null ? null : await readAnswers(opponent.answers, asked!.prompts);
    const findings = await carryOutEvaluation({
      config,
      model,
      models: found.models,
      examples,
      asked,
      generation: config.generation ?? DEFAULT_GENERATION,
      given,
      score,
      judge: preparedJudge,
    });
    console.log(renderMeasures(findings.measures, bootstrap));
    const known = [...found.models.notes, ...notes, ...findings.notes];
    for (const note of known) console.error(`note: ${note}`);
    if (output.answers !== null) {
      const lines = findings.rows.map((row) => JSON.stringify(row) + "\n");
      await writeFileAtomic(output.answers, lines.join(""));
    }
    const results = { settings: toSnakeKeys(config), measures: toSnakeKeys(findings.measures), notes: known };
    await writeFileAtomic(output.file, JSON.stringify(results, null, 2) + "\n");
  } finally {
    model.directory.close();
  }
}

async function refuseExisting(path: string, key: string): Promise<void> {
  if (!await Deno.stat(path).then(() => true, () => false)) return;
  throw new UserError(`${path}: a file is there already; choose another name for ${key}`);
}

if (import.meta.main) await runCommand(() => evaluate(Deno.args));
