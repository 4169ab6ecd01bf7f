/** What each family of models has of its own: how its config reads and what its tensors are called. */
import type { ModelConfig } from "../config.ts";
import type { Config } from "../files/config_values.ts";
import type { ModelParameter } from "../parameters.ts";

/** A family of models. */
export interface Family {
  /** The `architectures` entry of its models for text. */
  readonly architecture: string;
  /**
   * Reads its `config.json`; a missing key has the default of transformers.
   *
   * @throws If a value is out of range or a feature isn't supported; the message names the key and its value.
   */
  parse(config: Config, options: { name: string }): ModelConfig;
  /** The parameters of a model and the file tensors they are made of, in the model's order. */
  parameters(config: ModelConfig): ModelParameter[];
  /** Endings of tensors that files may hold though they follow from the config: masks and rotary frequencies. */
  readonly buffers: readonly string[];
  /** What stands before the tensors' names, unless a file was written from the inner model alone. */
  readonly prefix: string;
}
