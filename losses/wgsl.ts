import type { RecordField } from "./definition.ts";
import { type LossPlan, MAXIMUM_BATCH_VALUES, recordFields } from "./plan.ts";
import type { Tape } from "./tape.ts";
import { emitWgsl } from "./wgsl_emitter.ts";
import { helperText, type WgslHelper } from "./wgsl_helpers.ts";

const structs = `// One record: x belongs to the chosen completion (or the only one), y to the rejected one.
struct LossRecord {
  policy: vec2f,       // summed log-probs under the policy
  reference: vec2f,    // under the reference
  length: vec2f,       // completion tokens
  label: f32,          // unpaired: 1 desirable, 0 undesirable
  margin: f32,         // from the data
  log_weight: vec2f,   // mean of log p - log sum p^2 over the completion's tokens
  record_share: f32,   // 1 / records in the whole step
  token_share: f32,    // 1 / chosen tokens in the whole step
}

struct LossValue {
  loss: f32,                  // this record's share of the whole loss
  gradient: vec2f,            // its derivative by policy
  rewards: vec2f,             // implicit rewards
  curvature: f32,             // sigma(z) sigma(-z) of the margin z, 0 for a loss without one
  statistic_gradient: vec4f,  // derivative of loss by each statistic, 0 where detached
  matched_gradient: vec4f,    // derivative of loss by what the record got from others by rank
}`;

const recordText: Readonly<Record<RecordField, string>> = {
  policyChosen: "record.policy.x",
  policyRejected: "record.policy.y",
  referenceChosen: "record.reference.x",
  referenceRejected: "record.reference.y",
  lengthChosen: "record.length.x",
  lengthRejected: "record.length.y",
  label: "record.label",
  margin: "record.margin",
  logWeightChosen: "record.log_weight.x",
  logWeightRejected: "record.log_weight.y",
};

/** Writes a loss's plan as WGSL functions over `LossRecord` and `LossValue`. */
export function lossWgsl(plan: LossPlan): string {
  const helpers = new Set<WgslHelper>();
  const emit = (tape: Tape, inputs: readonly string[], prefix = "v") => {
    const code = emitWgsl(tape, inputs, { prefix });
    code.helpers.forEach((helper) => helpers.add(helper));
    return code;
  };

  const record = recordFields.map((field) => recordText[field]);
  const termFunction = (name: string, tape: Tape): string => {
    const { statements, outputs } = emit(tape, record);
    return functionText(`${name}(record: LossRecord) -> vec4f`, statements, vec4(outputs));
  };
  const statisticFunction = (name: string, tapes: readonly Tape[]): string => {
    const codes = tapes.map((tape, index) => emit(tape, [`mean.${"xyzw"[index]}`], `v${index}_`));
    const statements = codes.flatMap((code) => code.statements);
    return functionText(
      `${name}(mean: vec4f) -> vec4f`,
      statements,
      vec4(codes.flatMap((code) => code.outputs)),
    );
  };

  const shares = ["record.record_share", "record.token_share"];
  const statisticNames = plan.statistics.map((_, index) => `statistics.${"xyzw"[index]}`);
  const matchings = plan.loss.matchings.length;
  const matchedNames = Array.from({ length: matchings }, (_, index) => `matched.${"xyzw"[index]}`);
  const value = emit(plan.value, [...record, ...shares, ...statisticNames, ...matchedNames]);
  const [loss, byChosen, byRejected, chosen, rejected, curvature, ...byBatch] = value.outputs;
  const result =
    `LossValue(${loss}, vec2f(${byChosen}, ${byRejected}), vec2f(${chosen}, ${rejected}), ${curvature}, ` +
    `${vec4(byBatch.slice(0, statisticNames.length))}, ${vec4(byBatch.slice(statisticNames.length))})`;

  const functions = [
    termFunction("loss_statistic_terms", plan.terms.value),
    termFunction("loss_statistic_terms_chosen_gradient", plan.terms.byChosen),
    termFunction("loss_statistic_terms_rejected_gradient", plan.terms.byRejected),
    statisticFunction("loss_statistics", plan.statistics.map(({ value }) => value)),
    statisticFunction("loss_statistics_gradient", plan.statistics.map(({ slope }) => slope)),
    ...(matchings === 0 ? [] : [
      termFunction("loss_ranked", plan.matchings.of),
      termFunction("loss_ranked_with", plan.matchings.with),
      termFunction("loss_ranked_with_chosen_gradient", plan.matchings.byChosen),
      termFunction("loss_ranked_with_rejected_gradient", plan.matchings.byRejected),
    ]),
    functionText(
      "loss_value(record: LossRecord, statistics: vec4f, matched: vec4f) -> LossValue",
      value.statements,
      result,
    ),
  ];
  return [structs, helperText(helpers), ...functions].filter((part) => part !== "").join("\n\n") + "\n";
}

function functionText(signature: string, statements: readonly string[], result: string): string {
  return [`fn ${signature} {`, ...statements.map((line) => `  ${line}`), `  return ${result};`, "}"].join(
    "\n",
  );
}

function vec4(values: readonly string[]): string {
  const unused = Array.from({ length: MAXIMUM_BATCH_VALUES - values.length }, () => "0f");
  return `vec4f(${[...values, ...unused].join(", ")})`;
}
