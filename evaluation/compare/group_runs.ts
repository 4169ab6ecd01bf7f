import type { ComparedRun, RunGroup } from "./types.ts";

/** Stands for a setting that a configuration doesn't have. */
const ABSENT = "–";
const SEED = "training.seed";
/** A name of more characters fills a legend, and says less than the table of what differs. */
const LONGEST_NAME = 60;
/** Keys that say nothing of what a run is. */
const IGNORED: ReadonlySet<string> = new Set(["output.directory"]);

/** The settings of a configuration by dotted key, each written as JSON. */
export function settingsOf(config: unknown, prefix = ""): Map<string, string> {
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    return new Map([[prefix, JSON.stringify(config) ?? "null"]]);
  }
  return new Map(
    Object.entries(config).flatMap((
      [key, value],
    ) => [...settingsOf(value, prefix === "" ? key : `${prefix}.${key}`)]),
  );
}

/**
 * Puts runs together whose configurations are equal but for `training.seed` and `output.directory`, in the order of their
 * first runs. The same setting and seed again makes another group.
 *
 * Groups are named by the settings that differ, or by their first run where those don't tell them apart or are too many for
 * a name.
 */
export function groupRuns(runs: readonly ComparedRun[]): RunGroup[] {
  const grouped = new Map<string, ComparedRun[]>();
  const seen = new Map<string, number>();
  for (const run of runs) {
    const settings = settingsOf(run.config);
    const setting = [...settings].filter(([key]) => key !== SEED && !IGNORED.has(key)).sort().join("\n");
    const whole = `${setting}\n${settings.get(SEED)}`;
    const times = seen.get(whole) ?? 0;
    seen.set(whole, times + 1);
    const key = `${times}\n${setting}`;
    grouped.set(key, [...grouped.get(key) ?? [], run]);
  }
  const members = [...grouped.values()];
  const described = namesOf(differences(members.map((runs) => ({ name: "", runs }))));
  const names = described.some(({ length }) => length > LONGEST_NAME) ? described.map(() => "") : described;
  return members.map((runs, index) => {
    const isUnique = names[index] !== "" && names.indexOf(names[index]!) === names.lastIndexOf(names[index]!);
    return { name: isUnique ? names[index]! : runs[0]!.name, runs };
  });
}

/** Names by values, without settings that tell no groups apart beyond some having them and others not. */
function namesOf({ keys, rows }: { keys: string[]; rows: string[][] }): string[] {
  const telling = keys.filter((_, index) =>
    new Set(rows.map((values) => values[index]).filter(isGiven)).size > 1
  );
  return rows.map((values) =>
    telling.map((key) => ({ key, value: values[keys.indexOf(key)]! })).filter(({ value }) => isGiven(value))
      .map(({ key, value }) => `${shortName(key, telling)} ${value}`).join(", ")
  );
}

function isGiven(value: string | undefined): boolean {
  return value !== ABSENT;
}

/** The settings in which groups differ, and the values of each group; an absent setting is `–`. */
export function differences(groups: readonly RunGroup[]): { keys: string[]; rows: string[][] } {
  const settings = groups.map(({ runs }) => settingsOf(runs[0]!.config));
  const keys = [...new Set(settings.flatMap((each) => [...each.keys()]))]
    .filter((key) => key !== SEED && !IGNORED.has(key))
    .filter((key) => settings.some((each) => each.get(key) !== settings[0]!.get(key)));
  return { keys, rows: settings.map((each) => keys.map((key) => readable(each.get(key)))) };
}

function readable(json: string | undefined): string {
  if (json === undefined) return ABSENT;
  const value: unknown = JSON.parse(json);
  return typeof value === "string" ? value : json;
}

/** The last part of a dotted key, unless another key ends in it too. */
function shortName(key: string, keys: readonly string[]): string {
  const last = key.split(".").at(-1)!;
  return keys.filter((other) => other.split(".").at(-1) === last).length > 1 ? key : last;
}
