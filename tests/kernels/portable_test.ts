/** What other adapters than the one at hand would refuse or do differently, found without them. */
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

Deno.test("kernels keep to what every device binds: eight storage buffers, at multiples of 256 bytes", async () => {
  for (const software of [false, true]) {
    const { kernels, bindings } = await collectKernels({ software });
    const count = (code: string) => code.match(/var<storage/g)?.length ?? 0;
    const most = Math.max(...[...kernels.values()].map(({ code }) => count(code)));
    assert(most <= 8, `a kernel binds ${most} storage buffers`);
    const wrong = bindings.find(({ offset, size, buffer }) =>
      offset % 256 !== 0 || offset + size > buffer.size
    );
    assertEquals(wrong, undefined);
  }
});
