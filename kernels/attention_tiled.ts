/** WGSL of causal attention for GPUs, forward: see `attention_tile.ts` for how threads share a tile. */
import {
  dotProducts,
  entry,
  header,
  layoutOf,
  lines,
  ownedSums,
  range,
  scoreTile,
  staged,
  stageKey,
  stageQuery,
  stageValue,
  type TiledAttention,
  weightedSums,
  writeSums,
} from "./attention_tile.ts";

/** Attention forward. Bindings: qkv, spans, output, log-sum-exp. Workgroups: query tiles × heads. */
export function tiledForwardWgsl(shape: TiledAttention): string {
  const l = layoutOf(shape);
  const all = range(l.fragment);
  const reduceRow = (i: number, operation: (a: string, b: string) => string) =>
    range(8).map((k) => `reduce[(y + ${8 * i}u) * 8u + ${k}u]`).reduce(operation);
  return `${
    header([
      "var<storage, read> qkv: array<vec4f>",
      "var<storage, read> spans: array<vec4u>",
      "var<storage, read_write> result: array<vec4f>",
      "var<storage, read_write> log_sums: array<f32>",
    ])
  }
${staged(l, ["queries", "keys"])}
${scoreTile(l, "weights")}
var<workgroup> reduce: array<f32, ${l.tile * 8}>;
${entry}
  let head = group.y;
  let kv_head = head / ${shape.heads / shape.keyValueHeads}u;
  let q0 = group.x * ${l.tile}u;
${stageQuery(l)}
${
    lines(all.map((i) =>
      `  let span${i} = spans[min(q0 + y + ${
        8 * i
      }u, sizes.rows - 1u)]; var peak${i} = -1e30; var total${i} = 0.0;`
    ))
  }
${ownedSums(l, "out")}
  let first = spans[q0].x / ${l.tile}u * ${l.tile}u;
  let gap = gap_of(q0, ${l.tile}u);
  for (var k0 = first; k0 < min(sizes.rows, q0 + ${l.tile}u); k0 = next_block(k0 + ${l.tile}u, ${l.tile}u, gap)) {
  workgroupBarrier();
${stageKey(l, "keys")}
  workgroupBarrier();
${dotProducts(l, { name: "s", a: "queries", b: "keys" })}
${
    lines(all.map((i) => {
      const masked = all.map((j) =>
        `s${i}_${j} = select(-1e30, s${i}_${j} * sizes.scale, visible(q0 + y + ${8 * i}u, k0 + x + ${
          8 * j
        }u, span${i}));`
      );
      const highest = all.map((j) => `s${i}_${j}`).reduce((a, b) => `max(${a}, ${b})`);
      return `  ${masked.join(" ")} reduce[(y + ${8 * i}u) * 8u + x] = ${highest};`;
    }))
  }
  workgroupBarrier();
${stageValue(l, "keys")}
${
    lines(all.map((i) => {
      const weights = all.map((j) => {
        // A row that has seen nothing yet has peak = -1e30, where exp(s - peak) would be 1.
        const weight = `select(0.0, exp(s${i}_${j} - peak${i}), s${i}_${j} > -1e29)`;
        return `let w${j} = ${weight}; total${i} += w${j}; weights[(y + ${8 * i}u) * ${l.tile + 1}u + x + ${
          8 * j
        }u] = w${j};`;
      });
      const rescale = range(l.owned).map((c) => `out${i}_${c} *= shrink;`);
      return `  { let before = peak${i}; peak${i} = max(before, ${reduceRow(i, (a, b) => `max(${a}, ${b})`)});
    let shrink = exp(before - peak${i}); total${i} *= shrink; ${rescale.join(" ")} ${weights.join(" ")} }`;
    }))
  }
  workgroupBarrier();
${weightedSums(l, { name: "out", weights: "weights", tile: "keys", transposed: false })}
  }
  workgroupBarrier();
${lines(all.map((i) => `  reduce[(y + ${8 * i}u) * 8u + x] = total${i};`))}
  workgroupBarrier();
${lines(all.map((i) => `  total${i} = ${reduceRow(i, (a, b) => `${a} + ${b}`)};`))}
${
    writeSums(l, {
      name: "out",
      to: "result",
      firstRow: "q0",
      offset: `head * ${l.vectors}u`,
      width: l.outWidth,
      factor: " / total#",
    })
  }
${
    lines(all.map((i) =>
      `  { let r = q0 + y + ${
        8 * i
      }u; if (x == 0u && r < sizes.rows) { log_sums[r * ${shape.heads}u + head] = peak${i} + log(total${i}); } }`
    ))
  }
}`;
}
