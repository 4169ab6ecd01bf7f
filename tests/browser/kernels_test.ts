/**
 * Every kernel in the reference implementation of WGSL, which rejects what naga lets pass (barriers that threads may not
 * reach together, and more), on request:
 *
 *     TR_ALIGN_CHROMIUM=1 deno task test tests/browser
 */
import { assert, assertEquals } from "@std/assert";
import { runInChromium, wantsChromium } from "./chromium.ts";
import { collectKernels } from "./collect_kernels.ts";
import type { Complaint } from "./compile_page.ts";
import type { CollectingOptions } from "../kernels/collecting_device.ts";

const subgroupPreamble = "enable subgroups;\n";

/** Kinds of adapters that choose different kernels. */
const adapters: Record<string, CollectingOptions> = {
  "a GPU": { software: false, limits: { maxComputeWorkgroupStorageSize: 32768 } },
  "a GPU with WebGPU's least workgroup memory": { software: false },
  "a GPU with subgroups of 32 lanes": {
    software: false,
    subgroupSize: 32,
    subgroupPreamble,
    limits: { maxComputeWorkgroupStorageSize: 32768 },
  },
  "a software adapter": { software: true, subgroupSize: 4, subgroupPreamble },
  "a software adapter without subgroups": { software: true },
};

for (const [name, options] of Object.entries(adapters)) {
  Deno.test({
    name: `Chromium compiles every kernel for ${name}`,
    ignore: !wantsChromium(),
    async fn() {
      const { kernels } = await collectKernels(options);
      assert(kernels.size > 200, `only ${kernels.size} kernels`);
      const page = new URL("compile_page.ts", import.meta.url);
      assertEquals(await runInChromium<Complaint[]>(page, [...kernels.values()]), []);
    },
  });
}
