import { assert } from "@std/assert";
import { lossesSvg } from "../../docs/plot_losses.ts";

Deno.test("losses/losses.svg is what docs/plot_losses.ts draws", async () => {
  const committed = await Deno.readTextFile(new URL("../../losses/losses.svg", import.meta.url));
  assert(committed === lossesSvg(), "draw it again: deno run -A docs/plot_losses.ts");
});
