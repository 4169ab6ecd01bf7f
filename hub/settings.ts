/**
 * Where the hub is, who asks, and where files are kept: from the same variables as Hugging Face's own software.
 *
 * @module
 */

/** How the hub is reached. */
export interface HubSettings {
  /** Address of the hub, without a slash at its end. */
  readonly endpoint: string;
  /** The cache directory, which Hugging Face's Python library shares. */
  readonly cache: string;
  /** Access token, or null. */
  readonly token: string | null;
  /** Whether to use the cache alone. */
  readonly offline: boolean;
  /** Milliseconds without a byte after which a request has failed. */
  readonly stallMilliseconds: number;
  /** How often a request that failed in passing is sent again. */
  readonly retries: number;
  /** Milliseconds before the first repetition; each further one waits twice as long. */
  readonly backOffMilliseconds: number;
}

const DEFAULT_TIMEOUT_SECONDS = 10;

/**
 * Reads the settings from the environment.
 *
 * - `HF_ENDPOINT`: the hub's address, `https://huggingface.co` by default
 * - `HF_TOKEN`, else the file `HF_TOKEN_PATH`, else `token` in `HF_HOME`: the access token
 * - `HF_HUB_CACHE`, else `hub` in `HF_HOME`: the cache; `HF_HOME` is `~/.cache/huggingface` by default
 * - `HF_HUB_OFFLINE=1`: use the cache alone
 * - `HF_HUB_DOWNLOAD_TIMEOUT`: seconds without a byte before a request is sent again, 10 by default
 *
 * @param environment variables to read instead of the process's own
 * @throws {Error} if `HF_ENDPOINT` is no address
 *
 * @example
 * ```ts
 * import { hubSettings } from "@tr/align/hub";
 * import { assertEquals } from "@std/assert";
 *
 * const { cache, endpoint } = await hubSettings({ HF_HOME: "/data/hf", HF_ENDPOINT: "https://hf.example" });
 * assertEquals([cache, endpoint], ["/data/hf/hub", "https://hf.example"]);
 * ```
 */
export async function hubSettings(
  environment: Readonly<Record<string, string>> = Deno.env.toObject(),
): Promise<HubSettings> {
  const path = (name: string) => {
    const value = environment[name];
    return value ? expandPath(value, environment) : undefined;
  };
  const cacheHome = path("XDG_CACHE_HOME") ?? expandPath("~/.cache", environment);
  const home = path("HF_HOME") ?? `${cacheHome}/huggingface`;
  const timeout = Number(environment.HF_HUB_DOWNLOAD_TIMEOUT);
  return {
    endpoint: checkEndpoint(environment.HF_ENDPOINT || "https://huggingface.co"),
    cache: path("HF_HUB_CACHE") ?? path("HUGGINGFACE_HUB_CACHE") ?? `${home}/hub`,
    token: clean(environment.HF_TOKEN) ?? clean(environment.HUGGING_FACE_HUB_TOKEN) ??
      clean(await readIfPresent(path("HF_TOKEN_PATH") ?? `${home}/token`)),
    offline: isTrue(environment.HF_HUB_OFFLINE || environment.TRANSFORMERS_OFFLINE),
    stallMilliseconds: 1000 * (timeout > 0 ? timeout : DEFAULT_TIMEOUT_SECONDS),
    retries: 5,
    backOffMilliseconds: 1000,
  };
}

function checkEndpoint(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new Error(`HF_ENDPOINT is ${text}; wanted an address such as https://huggingface.co`);
  }
  return text.replace(/\/+$/, "");
}

function expandPath(path: string, environment: Readonly<Record<string, string>>): string {
  const home = environment.HOME ?? environment.USERPROFILE ?? "";
  return path
    .replace(/^~(?=[/\\]|$)/, home)
    .replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, plain) => environment[braced ?? plain] ?? whole);
}

function isTrue(value: string | undefined): boolean {
  return ["1", "ON", "YES", "TRUE"].includes(value?.toUpperCase() ?? "");
}

// Tokens are pasted with line breaks around them.
function clean(token: string | undefined): string | null {
  return token?.replace(/[\r\n]/g, "").trim() || null;
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return undefined; // a token that can't be read is no token; the hub says so where one is needed
  }
}
