/**
 * Models and data sets of the Hugging Face hub, fetched into the cache that Hugging Face's own software uses.
 *
 * @module
 */
export { chooseDataFiles, type DataChoice, type DataPurpose } from "./data_files.ts";
export { type HubAnswer, HubError, type HubErrorKind } from "./errors.ts";
export { formatId, type HubId, isCommit, parseDatasetId, parseModelId, type RepositoryType } from "./id.ts";
export type { HubEvent } from "./request.ts";
export {
  resolveData,
  type ResolveDataOptions,
  type ResolvedData,
  type ResolvedModel,
  resolveModel,
  type ResolveModelOptions,
  type ResolveOptions,
} from "./resolve.ts";
export { type HubSettings, hubSettings } from "./settings.ts";
