/** Which layers get adapters, and of what rank: the choices of PEFT's `LoraConfig`. */

/** Settings of LoRA, named as in PEFT where a name is the same. */
export interface LoraSettings {
  /** r, the rank of B A. */
  readonly rank: number;
  /** α: the product counts α / r times, or α / √r with `rsLora`. */
  readonly alpha: number;
  /**
   * The linear layers that get adapters: names, of which each stands for all layers whose name is it or ends with a dot and
   * it; or one regular expression that must match a whole name; `all-linear` is every linear layer except the head.
   */
  readonly targets: readonly string[] | string;
  /** Names of layers, as in `targets`, that get none all the same. */
  readonly exclude?: readonly string[] | string;
  /** Only the layers of these blocks; all by default. */
  readonly layers?: readonly number[];
  /** Rank-stabilized scaling, Kalajdzievski, arXiv 2312.03732; default false. */
  readonly rsLora?: boolean;
  /** Other ranks for some layers: a name or regular expression for the end of a layer's name, and its rank. */
  readonly rankPattern?: Readonly<Record<string, number>>;
  /** Other α for some layers, likewise. */
  readonly alphaPattern?: Readonly<Record<string, number>>;
}

/** A layer's rank and the factor on its product. */
export interface LoraScale {
  /** r. */
  readonly rank: number;
  /** α / r, or α / √r. */
  readonly scale: number;
}

/** Every linear layer except the head. */
export const ALL_LINEAR = "all-linear";

/** Names of the head, which `all-linear` leaves out. */
const HEADS = ["lm_head", "embed_out"];

/** Whether a layer gets an adapter; `name` as in the model's file, without `.weight`. */
export function isTarget(name: string, { targets, exclude, layers }: LoraSettings): boolean {
  if (exclude !== undefined && matches(name, exclude)) return false;
  if (layers !== undefined && !layers.includes(blockOf(name) ?? -1)) return false;
  return targets === ALL_LINEAR ? !HEADS.includes(name) : matches(name, targets);
}

/** A layer's rank and scale. */
export function scaleOf(name: string, settings: LoraSettings): LoraScale {
  const { rsLora = false, rankPattern = {}, alphaPattern = {} } = settings;
  const rank = patternValue(name, rankPattern) ?? settings.rank;
  const alpha = patternValue(name, alphaPattern) ?? settings.alpha;
  return { rank, scale: alpha / (rsLora ? Math.sqrt(rank) : rank) };
}

/** Throws unless ranks and α make sense. */
export function checkLoraSettings(settings: LoraSettings): void {
  const { rank, alpha, rankPattern = {}, alphaPattern = {} } = settings;
  for (const [name, value] of [["rank", rank], ...entries("rank_pattern", rankPattern)] as const) {
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`LoRA: ${name} must be a whole number of at least 1, got ${value}`);
    }
  }
  for (const [name, value] of [["alpha", alpha], ...entries("alpha_pattern", alphaPattern)] as const) {
    if (!(Number.isFinite(value) && value > 0)) {
      throw new RangeError(`LoRA: ${name} must be a finite number above 0, got ${value}`);
    }
  }
}

function entries(name: string, pattern: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(pattern).map(([key, value]) => [`${name} of ${key}`, value]);
}

function matches(name: string, wanted: readonly string[] | string): boolean {
  if (typeof wanted === "string") return regularExpression(`^(?:${wanted})$`, wanted).test(name);
  return wanted.some((target) => name === target || name.endsWith(`.${target}`));
}

/** The value of the first pattern that matches the end of the name, after a dot or from the start. */
function patternValue(name: string, pattern: Readonly<Record<string, number>>): number | undefined {
  return Object.entries(pattern)
    .find(([key]) => regularExpression(`^(?:.*\\.)?(?:${key})$`, key).test(name))?.[1];
}

function regularExpression(text: string, given: string): RegExp {
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new Error(`LoRA: ${given} is not a regular expression: ${(cause as Error).message}`, { cause });
  }
}

/** The number of the block that a layer is in: the first number in its name. */
function blockOf(name: string): number | undefined {
  const found = name.match(/\.(\d+)\./)?.[1];
  return found === undefined ? undefined : Number(found);
}
