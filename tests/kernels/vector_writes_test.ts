/** What WGSL leaves undefined and lavapipe does as hoped: threads that write components of one vector. */
import { assert, assertEquals } from "@std/assert";
import { collectKernels } from "../browser/collect_kernels.ts";

/** Writes to a component of an element of `name`; what is between brackets may hold brackets of its own. */
const componentWrite = (name: string) =>
  new RegExp(`\\b${name}\\[(?:[^\\[\\]=;]|\\[[^\\]]*\\])*\\](?:\\[[^\\]]*\\]|\\.[xyzw]) [-+*/]?= `);

Deno.test("no kernel writes a component of a vector in workgroup memory", async () => {
  // The form that must be found, as a kernel once had it.
  assert(componentWrite("tile").test("tile[(at + 1u) * 4u + line / 4u][line % 4u] = value;"));
  assert(!componentWrite("tile").test("tile[at] = vec4f(); other[at][1] = 2.0;"));
  for (const software of [false, true]) {
    const { kernels } = await collectKernels({ software });
    const guilty = [...kernels.values()].filter(({ code }) =>
      [...code.matchAll(/var<workgroup> (\w+): (?:array<)?vec/g)].some(([, name]) =>
        componentWrite(name!).test(code)
      )
    );
    assertEquals([...new Set(guilty.map(({ label }) => label))], []);
  }
});
