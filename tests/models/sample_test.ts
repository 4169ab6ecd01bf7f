import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { philoxUniform } from "../../models/philox.ts";
import { sampleToken, type SamplingOptions, tokenDistribution, tokenLogProb } from "../../models/sample.ts";

/** Logits of probabilities in sixteenths; token 2 is the likeliest, tokens 1 and 5 tie. */
const SIXTEENTHS = [1, 3, 6, 0, 2, 3, 1];
const LOGITS = SIXTEENTHS.map((share) => Math.log(share / 16) + 7);

/** Tokens and their probabilities in sixteenths, rounded beyond float64's own error. */
function sixteenths(options: SamplingOptions): [number, number][] {
  const { tokens, probabilities } = tokenDistribution(LOGITS, options);
  return Array.from(tokens, (token, i) => [token, Number((probabilities[i]! * 16).toFixed(9))]);
}

const kept = (options: Partial<SamplingOptions>) =>
  [...tokenDistribution(LOGITS, { temperature: 1, ...options }).tokens].toSorted((a, b) => a - b);

Deno.test("tokenDistribution without options is the softmax", () => {
  assertEquals(sixteenths({ temperature: 1 }), [[0, 1], [1, 3], [2, 6], [3, 0], [4, 2], [5, 3], [6, 1]]);
});

Deno.test("tokenDistribution at temperature 1/2 squares the probabilities", () => {
  // Squares of the shares: 1 9 36 0 4 9 1, 60 in all.
  const { probabilities } = tokenDistribution(LOGITS, { temperature: 0.5 });
  [1, 9, 36, 0, 4, 9, 1].forEach((share, i) => assertAlmostEquals(probabilities[i]!, share / 60, 1e-14));
});

Deno.test("tokenDistribution keeps the k likeliest, with ties for the last place", () => {
  assertEquals(kept({ topK: 1 }), [2]);
  assertEquals(kept({ topK: 2 }), [1, 2, 5]); // 1 and 5 are equally likely
  assertEquals(kept({ topK: 3 }), [1, 2, 5]);
  assertEquals(kept({ topK: 4 }), [1, 2, 4, 5]);
  assertEquals(kept({ topK: 5 }), [0, 1, 2, 4, 5, 6]);
  assertEquals(kept({ topK: 7 }), [0, 1, 2, 3, 4, 5, 6]);
  assertEquals(kept({ topK: 1000 }), [0, 1, 2, 3, 4, 5, 6]);
  // 6, 3 and 3 sixteenths remain, which are 12.
  assertEquals(sixteenths({ temperature: 1, topK: 3 }), [[1, 4], [2, 8], [5, 4]]);
});

Deno.test("tokenDistribution keeps the smallest set that reaches topP, at least one token", () => {
  assertEquals(kept({ topP: 1e-9 }), [2]);
  assertEquals(kept({ topP: 5.9 / 16 }), [2]);
  assertEquals(kept({ topP: 6.1 / 16 }), [1, 2]); // of equally likely tokens the first
  assertEquals(kept({ topP: 9.1 / 16 }), [1, 2, 5]);
  assertEquals(kept({ topP: 12.1 / 16 }), [1, 2, 4, 5]);
  assertEquals(kept({ topP: 14.1 / 16 }), [0, 1, 2, 4, 5]);
  assertEquals(kept({ topP: 15.1 / 16 }), [0, 1, 2, 4, 5, 6]);
  assertEquals(sixteenths({ temperature: 1, topP: 0.7 }).map(([token]) => token), [2, 1, 5]);
});

Deno.test("tokenDistribution applies the temperature first, then top-k, then top-p", () => {
  // At temperature 1/2 token 2 has 36 of 60: enough for 0.59 but not for 0.61.
  assertEquals(kept({ temperature: 0.5, topP: 0.59 }), [2]);
  assertEquals(kept({ temperature: 0.5, topP: 0.61 }), [1, 2]);
  // Of the three that top-k leaves, token 2 has 6 of 12, so top-p 0.45 needs no second one, as 6 of 16 would.
  assertEquals(kept({ topK: 3, topP: 0.45 }), [2]);
  assertEquals(kept({ topP: 0.45 }), [1, 2]);
});

Deno.test("tokenDistribution equals a sort of everything on 2,000 random logits", () => {
  const logits = Float32Array.from(
    { length: 2000 },
    (_, step) => 12 * philoxUniform({ seed: 1, stream: 0, step }),
  );
  const order = [...logits.keys()].toSorted((a, b) => logits[b]! - logits[a]! || a - b);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
  for (const topK of [1, 2, 10, 999, 1999]) {
    const expected = order.slice(0, topK).toSorted((a, b) => a - b);
    assertEquals([...tokenDistribution(logits, { temperature: 1, topK }).tokens], expected, `topK ${topK}`);
  }
  for (const topP of [0.01, 0.3, 0.9, 0.999]) {
    let sum = 0;
    const count = 1 + order.findIndex((token) => (sum += Math.exp(logits[token]!) / total) >= topP);
    const { tokens, probabilities } = tokenDistribution(logits, { temperature: 1, topP });
    assertEquals([...tokens], order.slice(0, count), `topP ${topP}`);
    tokens.forEach((token, i) =>
      assertAlmostEquals(probabilities[i]!, Math.exp(logits[token]!) / total / sum, 1e-12)
    );
  }
});

Deno.test("sampleToken's frequencies are the probabilities", () => {
  const count = 20_000;
  for (
    const { options, shares } of [
      { options: { temperature: 1 }, shares: [1, 3, 6, 0, 2, 3, 1] },
      { options: { temperature: 0.5 }, shares: [1, 9, 36, 0, 4, 9, 1] },
      { options: { temperature: 1, topK: 4 }, shares: [0, 3, 6, 0, 2, 3, 0] },
      { options: { temperature: 1, topP: 0.7 }, shares: [0, 3, 6, 0, 0, 3, 0] },
      {
        options: { temperature: 2, topK: 3, topP: 0.999 },
        shares: [0, Math.sqrt(3), Math.sqrt(6), 0, 0, Math.sqrt(3), 0],
      },
    ]
  ) {
    const counts = Array(shares.length).fill(0);
    for (let step = 0; step < count; step++) {
      counts[
        sampleToken(LOGITS, {
          ...options,
          random: () => philoxUniform({ seed: 5, stream: 0, step }),
        })
      ]++;
    }
    const total = shares.reduce((a, b) => a + b);
    let chiSquare = 0;
    shares.forEach((share, token) => {
      if (share === 0) {
        assertEquals(counts[token], 0, `token ${token} is ruled out by ${JSON.stringify(options)}`);
      } else chiSquare += (counts[token] - count * share / total) ** 2 / (count * share / total);
    });
    // At most 5 degrees of freedom, where 20.5 is exceeded once in a thousand.
    assert(chiSquare < 20.5, `χ² is ${chiSquare} with ${JSON.stringify(options)}: ${counts}`);
  }
});

Deno.test("sampleToken covers the whole range of random numbers", () => {
  const draw = (random: number, options: Partial<SamplingOptions> = {}) =>
    sampleToken(LOGITS, { temperature: 1, ...options, random: () => random });
  assertEquals(draw(0), 0);
  assertEquals(draw(1 - 2 ** -53), 6);
  assertEquals(draw(1 - 2 ** -53, { topP: 0.7 }), 5);
});

Deno.test("sampleToken at temperature 0 takes the first of the likeliest and draws no number", () => {
  const random = () => {
    throw new Error("drawn");
  };
  assertEquals(sampleToken([1, 5, -Infinity, 5], { temperature: 0, random }), 1);
  assertEquals(sampleToken([-3], { temperature: 0, random }), 0);
});

Deno.test("sampleToken never chooses a token whose logit is −∞", () => {
  const logits = [-Infinity, 0, -Infinity, 0, -Infinity];
  for (const random of [0, 0.49, 0.51, 1 - 2 ** -53]) {
    for (const options of [{}, { topK: 4 }, { topP: 1 }]) {
      const token = sampleToken(logits, { temperature: 1, ...options, random: () => random });
      assertEquals(token, random < 0.5 ? 1 : 3);
    }
  }
  // Rounded probabilities may add up to less than the largest random number.
  for (let count = 1; count < 100; count++) {
    const random = () => 1 - 2 ** -53;
    const token = sampleToken([...Array(count).fill(0), -Infinity], { temperature: 1, random });
    assertEquals(token, count - 1);
  }
});

Deno.test("sampleToken refuses logits without a finite highest one", () => {
  const draw = (logits: number[]) => sampleToken(logits, { temperature: 1, random: () => 0.5 });
  assertThrows(
    () => draw([0, NaN, 1]),
    RangeError,
    "The logit of token 1 is NaN; are the model's weights finite?",
  );
  assertThrows(() => draw([0, Infinity]), RangeError, "The highest of 2 logits is Infinity");
  assertThrows(() => draw([-Infinity, -Infinity]), RangeError, "The highest of 2 logits is -Infinity");
});

Deno.test("sampleToken refuses options out of range and those without effect", () => {
  const refuse = (options: Partial<SamplingOptions>, message: string) =>
    assertThrows(
      () => sampleToken(LOGITS, { temperature: 1, random: () => 0, ...options }),
      RangeError,
      message,
    );
  refuse({ temperature: -1 }, "temperature is -1; wanted a number from 0");
  refuse({ temperature: NaN }, "temperature is NaN");
  refuse({ temperature: Infinity }, "temperature is Infinity");
  refuse({ topK: 0 }, "topK is 0; wanted a positive integer");
  refuse({ topK: 1.5 }, "topK is 1.5");
  refuse({ topP: 0 }, "topP is 0; wanted a number above 0 and up to 1");
  refuse({ topP: 1.1 }, "topP is 1.1");
  refuse({ temperature: 0, topK: 5 }, "temperature 0 takes the likeliest token and would ignore topK 5");
  refuse({ temperature: 0, topP: 0.5 }, "would ignore topP 0.5; leave one of them out");
});

Deno.test("tokenLogProb is the log-probability at temperature 1", () => {
  assertAlmostEquals(tokenLogProb(LOGITS, 2), Math.log(6 / 16), 1e-14);
  assertEquals(tokenLogProb(LOGITS, 3), -Infinity);
  // Far from 0, where a plain exp overflows.
  assertAlmostEquals(tokenLogProb([1000, 1000], 1), -Math.LN2, 1e-14);
});
