/** Which models an evaluation is about: those that its configuration names, and those that a run names for it. */
import { parse } from "@std/yaml";
import { resolveModel, type ResolveOptions } from "../../hub/resolve.ts";
import { listCheckpoints } from "../../training/checkpoint.ts";
import { findModel } from "../../training/sources.ts";
import type { EvaluateConfig } from "../config.ts";
import { UserError } from "../errors.ts";

/** A model's files. */
export interface ModelFiles {
  /** Its directory. */
  readonly path: string;
  /** Directory of an adapter that is merged into it. */
  readonly adapter: string | null;
  /** What stands before the tensors' names where the directory is a checkpoint. */
  readonly prefix?: string;
}

/** The models of an evaluation. */
export interface EvaluatedModels {
  /** The one that is evaluated. */
  readonly policy: ModelFiles;
  /** What it is compared with on the same tokens, by name: `initial` and `reference`, as far as there are such. */
  readonly others: ReadonlyMap<string, ModelFiles>;
  /** Whose answers its own are compared with. */
  readonly opponent: ModelFiles | null;
  /** Directory of the reward model. */
  readonly rewardModel: string | null;
  /** What a user should know, one line each. */
  readonly notes: readonly string[];
}

/** What of a run's own configuration matters here. */
interface RunSettings {
  model?: { path?: string; lora?: { path?: string | null } | null };
  reference?: { path?: string | null; update?: string };
}

/**
 * Finds the models that a configuration names, and fetches those of the hub.
 *
 * @throws {UserError} if one can't be had, or a key would have no effect
 */
export async function findModels(config: EvaluateConfig, options: ResolveOptions): Promise<EvaluatedModels> {
  const find = async (path: string, adapter: string | null = null): Promise<ModelFiles> => ({
    path: (await findModel(path, options)).path,
    adapter,
  });
  const { model, initial, reference, opponent, rewardModel } = config;
  const run = await readRun(model.path);
  if (run !== null && model.adapter !== null) {
    throw new UserError(
      "model.adapter: would be ignored, for model.path is a run, which has its own; leave it out",
    );
  }
  const notes: string[] = [];
  const others = new Map<string, ModelFiles>();
  if (initial != null) others.set("initial", await find(initial.path));
  else if (run !== null) {
    const began = await initialOfRun(run, find);
    if (typeof began === "string") notes.push(began);
    else others.set("initial", began);
  }
  if (reference != null) others.set("reference", await find(reference.path));
  else if (run !== null) {
    const moved = await movedReference(model.path, run);
    if (typeof moved === "string") notes.push(moved);
    else if (moved !== null) others.set("reference", moved);
  }
  return {
    policy: run === null ? await find(model.path, model.adapter) : await modelOfRun(model.path, run, find),
    others,
    opponent: opponent?.path == null ? null : await find(opponent.path, opponent.adapter),
    rewardModel: rewardModel == null ? null : (await resolveModel(rewardModel.path, options)).path,
    notes,
  };
}

/** The configuration that a training run left in its directory; null if it is no such directory. */
async function readRun(path: string): Promise<RunSettings | null> {
  if (await exists(`${path}/config.json`) || !await exists(`${path}/config.yaml`)) return null;
  const settings = parse(await Deno.readTextFile(`${path}/config.yaml`)) as RunSettings | null;
  if (typeof settings?.model?.path === "string") return settings;
  throw new UserError(`model.path: ${path}/config.yaml is no configuration of a training run`);
}

type Find = (path: string, adapter: string | null) => Promise<ModelFiles>;

/** The reference that a run began with; text if it can't be had any more. */
async function initialOfRun({ model, reference }: RunSettings, find: Find): Promise<ModelFiles | string> {
  const ofReference = reference?.path ?? null;
  const name = ofReference ?? model!.path!;
  const unavailable = (reason: string) =>
    `nothing is compared with the model that the run began from, ${name}: ${reason}; give initial.path`;
  try {
    const found = await find(name, ofReference === null ? model!.lora?.path ?? null : null);
    return await exists(`${found.path}/config.json`) ? found : unavailable("it isn't there any more");
  } catch (error) {
    return unavailable(error instanceof Error ? error.message : String(error));
  }
}

async function modelOfRun(path: string, run: RunSettings, find: Find): Promise<ModelFiles> {
  if (await exists(`${path}/model/config.json`)) return { path: `${path}/model`, adapter: null };
  // Without model.lora.merge a run leaves the adapter alone.
  if (await exists(`${path}/adapter/adapter_config.json`)) return find(run.model!.path!, `${path}/adapter`);
  throw new UserError(`model.path: the run in ${path} has left no model yet; let it end, or resume it`);
}

/** The reference at the end of a run, if it moved; text if it did and can't be had. */
async function movedReference(
  path: string,
  { model, reference }: RunSettings,
): Promise<ModelFiles | string | null> {
  if (reference === undefined || (reference.update ?? "frozen") === "frozen") return null;
  if (model?.lora != null) {
    return "nothing is compared with the run's moving reference, which is a sum of adapters; give reference.path";
  }
  const last = (await listCheckpoints(`${path}/checkpoints`)).at(-1);
  if (last === undefined) {
    return "nothing is compared with the run's moving reference: there is no checkpoint to take it from";
  }
  return { path: `${path}/checkpoints/${last}`, adapter: null, prefix: "reference/" };
}

function exists(path: string): Promise<boolean> {
  return Deno.stat(path).then(() => true, () => false);
}
