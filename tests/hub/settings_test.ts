import { assertEquals, assertRejects } from "@std/assert";
import { hubSettings } from "../../hub/mod.ts";

Deno.test("hubSettings follows the variables of Hugging Face's software", async () => {
  const home = await Deno.makeTempDir();
  try {
    const none = await hubSettings({ HOME: home });
    assertEquals(none.endpoint, "https://huggingface.co");
    assertEquals([none.cache, none.token, none.offline], [`${home}/.cache/huggingface/hub`, null, false]);
    assertEquals(none.stallMilliseconds, 10_000);

    const caches: [Record<string, string>, string][] = [
      [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub"],
      [{ HF_HOME: "~/hf", XDG_CACHE_HOME: "/x" }, `${home}/hf/hub`],
      [{ HF_HOME: "/hf", HF_HUB_CACHE: "${HOME}/c", HUGGINGFACE_HUB_CACHE: "/old" }, `${home}/c`],
      [{ HUGGINGFACE_HUB_CACHE: "/old" }, "/old"],
    ];
    for (const [variables, cache] of caches) {
      assertEquals((await hubSettings({ HOME: home, ...variables })).cache, cache);
    }

    await Deno.mkdir(`${home}/.cache/huggingface`, { recursive: true });
    await Deno.writeTextFile(`${home}/.cache/huggingface/token`, "hf_file\n");
    await Deno.writeTextFile(`${home}/other`, "hf_other");
    const tokens: [Record<string, string>, string][] = [
      [{}, "hf_file"],
      [{ HF_TOKEN: "" }, "hf_file"],
      [{ HF_TOKEN: " hf_variable\n" }, "hf_variable"],
      [{ HF_TOKEN_PATH: "~/other" }, "hf_other"],
    ];
    for (const [variables, token] of tokens) {
      assertEquals((await hubSettings({ HOME: home, ...variables })).token, token);
    }

    const more = await hubSettings({
      HOME: home,
      HF_ENDPOINT: "https://mirror.example/",
      HF_HUB_OFFLINE: "yes",
      HF_HUB_DOWNLOAD_TIMEOUT: "30",
    });
    assertEquals([more.endpoint, more.offline, more.stallMilliseconds], [
      "https://mirror.example",
      true,
      30_000,
    ]);
    assertEquals((await hubSettings({ HOME: home, HF_HUB_OFFLINE: "0" })).offline, false);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("hubSettings refuses an endpoint that is no address", async () => {
  await assertRejects(() => hubSettings({ HF_ENDPOINT: "mirror" }), Error, "HF_ENDPOINT is mirror; wanted");
});
