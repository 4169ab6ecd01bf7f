import { assertEquals, assertThrows } from "@std/assert";
import { formatId, type HubId, parseDatasetId, parseModelId } from "../../hub/mod.ts";

const model = (name: string, revision: string | null = null): HubId => ({
  type: "model",
  name,
  revision,
  path: null,
});
const dataset = (name: string, revision: string | null, path: string | null): HubId => ({
  type: "dataset",
  name,
  revision,
  path,
});

Deno.test("parseModelId reads owner/name with or without a revision, and nothing else", () => {
  const ids: Record<string, HubId> = {
    "HuggingFaceTB/SmolLM2-135M": model("HuggingFaceTB/SmolLM2-135M"),
    "o/n_1.5@v1.0": model("o/n_1.5", "v1.0"),
    "hf://o/n@refs/pr/3": model("o/n", "refs/pr/3"),
  };
  for (const [text, id] of Object.entries(ids)) {
    assertEquals(parseModelId(text), id);
    assertEquals(parseModelId(formatId(id)), id);
  }
  const paths = ["name", "./o/n", "../n", "/o/n", "~/n", "o/n/x", "o//n", "o/n/", "o\\n", "o/.n", "C:/n", ""];
  for (const path of paths) assertEquals(parseModelId(path), null, path);
});

Deno.test("parseDatasetId reads data sets and files in them", () => {
  const ids: Record<string, HubId> = {
    "o/n": dataset("o/n", null, null),
    "o/n@v1": dataset("o/n", "v1", null),
    "hf://datasets/o/n/a/b.jsonl": dataset("o/n", null, "a/b.jsonl"),
    "hf://datasets/o/n@v1/b.jsonl": dataset("o/n", "v1", "b.jsonl"),
    "hf://datasets/o/n@refs/convert/parquet/a/b.jsonl": dataset("o/n", "refs/convert/parquet", "a/b.jsonl"),
    "hf://datasets/o/n@a%2Fb/c.jsonl": dataset("o/n", "a/b", "c.jsonl"),
  };
  for (const [text, id] of Object.entries(ids)) {
    assertEquals(parseDatasetId(text), id);
    assertEquals(parseDatasetId(formatId(id)), id);
  }
  for (const path of ["pairs.jsonl", "./o/n", "a/b/pairs.jsonl"]) {
    assertEquals(parseDatasetId(path), null, path);
  }
});

Deno.test("ids that would lead out of the cache, or name no revision, are refused", () => {
  for (const text of ["o/n@", "o/n@../../x", "o/n@a b", "o/n@/etc", "o/n@a?b"]) {
    assertThrows(() => parseModelId(text), Error, `${text}: wanted a branch, tag or commit after the @`);
  }
  for (const path of ["../x", "a/../../x", "a\\x", "C:/x", "a//x"]) {
    assertThrows(() => parseDatasetId(`hf://datasets/o/n/${path}`), Error, "is no path in a repository");
  }
  assertThrows(() => parseDatasetId("hf://datasets/o"), Error, "wanted hf://datasets/owner/name");
});
