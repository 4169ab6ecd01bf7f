/** Weights of the evaluated models on the device. */
import { openRewardModel, readRewardTokenizer } from "../../evaluation/reward_model.ts";
import type { Device } from "../../kernels/device.ts";
import {
  createParameters,
  layoutParameters,
  maximumSegmentBytes,
  type ParameterSet,
} from "../../kernels/parameters.ts";
import type { ModelConfig } from "../../models/config.ts";
import { modelParameters } from "../../models/families/mod.ts";
import { type ModelDirectory, openModelDirectory } from "../../models/files/directory.ts";
import { modelTensors } from "../../models/tensors.ts";
import { uploadDirectory } from "../../models/weights.ts";
import { type LoadedModel, loadModel } from "../../training/load.ts";
import { loadMerged } from "../../training/lora.ts";
import { openReference } from "../../training/prepare.ts";
import { UserError } from "../errors.ts";
import type { EvaluatedModels, ModelFiles } from "./find_models.ts";

/** Uploads a model whose files are open. */
export async function uploadModel(
  device: Device,
  { config, directory }: Pick<LoadedModel, "config" | "directory">,
  { adapter }: { adapter: string | null },
): Promise<ParameterSet> {
  const set = await createSet(device, config);
  await loadMerged(device, set, { directory, adapter, parameters: modelParameters(config) });
  return set;
}

/**
 * Uploads a model that the policy is compared with.
 *
 * @param name What the configuration calls it.
 * @throws If it isn't of the policy's architecture.
 */
export async function uploadOther(
  device: Device,
  files: ModelFiles,
  options: { name: string; config: ModelConfig },
): Promise<ParameterSet> {
  const { config } = options;
  using directory = await openOther(files, options);
  if (files.prefix === undefined) return await uploadModel(device, { config, directory }, files);
  const set = await createSet(device, config);
  await uploadDirectory(device, set, {
    directory,
    parameters: modelParameters(config),
    prefix: files.prefix,
  });
  return set;
}

/** Opens a model that the policy is compared with, or a checkpoint that holds it. */
async function openOther(
  { path, prefix }: ModelFiles,
  { name, config }: { name: string; config: ModelConfig },
): Promise<ModelDirectory> {
  if (prefix === undefined) return await openReference(path, config, { key: `${name}.path` });
  const directory = await openModelDirectory(path);
  for (const { name, shape } of modelTensors(config)) {
    const found = directory.tensors.get(prefix + name)?.shape;
    if (found?.join() === shape.join()) continue;
    directory.close();
    throw new UserError(
      `${path}: ${prefix}${name} is ${found ? `[${found.join(", ")}]` : "missing"}, wanted [${
        shape.join(", ")
      }]; ` + "the checkpoint is of another model; give reference.path",
    );
  }
  return directory;
}

/**
 * Looks at all models beside the policy, so that a mistake in the last one doesn't come to light after hours.
 *
 * @param options.template A chat template's file that wins over the models' own.
 * @throws If one can't be used.
 */
export async function checkModels(
  { others, opponent, rewardModel }: EvaluatedModels,
  { config, template }: { config: ModelConfig; template: string | null },
): Promise<void> {
  for (const [name, files] of others) (await openOther(files, { name, config })).close();
  if (opponent !== null) (await loadModel(opponent.path, { template })).directory.close();
  if (rewardModel !== null) {
    (await openRewardModel(rewardModel)).directory.close();
    await readRewardTokenizer(rewardModel);
  }
}

function createSet(device: Device, config: ModelConfig): Promise<ParameterSet> {
  const layout = layoutParameters(modelParameters(config), { maximumBytes: maximumSegmentBytes(device) });
  return createParameters(device, { layout, label: "weights" });
}
