import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { distinctN, selfBleu } from "../../evaluation/diversity.ts";

const TEXTS = [
  "the cat sat on the mat",
  "the cat sat on a mat today",
  "a dog ran on the road and on the grass",
  "the cat sat on the mat and the dog sat on the mat",
  "the cat sat on it", // as near in length to the first text as the second one is
  "no",
  "we left",
  "dog and cat",
];

// nltk 3.8: sentence_bleu(others, text, weights=[1 / n] * n, smoothing_function=SmoothingFunction().method1), method2 and
// method0; the last gives the smallest float where a precision is 0.
const NLTK = {
  "chen-cherry": {
    2: [
      1,
      0.6546536707079771,
      0.3944053188733077,
      0.5883484054145521,
      0.6341861143397762,
      0,
      0,
      0.223606797749979,
    ],
    4: [
      1,
      0.45499414040480374,
      0.07259795291154773,
      0.44082318755867267,
      0.5475182535069453,
      0,
      0,
      0.14953487812212207,
    ],
  },
  "lin-och": {
    2: [
      1,
      0.6998542122237651,
      0.45825756949558394,
      0.6105579948610593,
      0.6549846024623855,
      0,
      0,
      0.5773502691896257,
    ],
    4: [
      1,
      0.5594500143662351,
      0.23239228146978586,
      0.48750320734776265,
      0.6157842804860023,
      0,
      0,
      0.537284965911771,
    ],
  },
  none: {
    2: [1, 0.6546536707079771, 0.3944053188733077, 0.5883484054145521, 0.6341861143397762, 0, 0, 0],
    4: [1, 0.45499414040480374, 0, 0.44082318755867267, 0.5475182535069453, 0, 0, 0],
  },
};

for (const smoothing of ["chen-cherry", "lin-och", "none"] as const) {
  for (const n of [2, 4] as const) {
    Deno.test(`selfBleu of ${n} words with ${smoothing} agrees with nltk`, () => {
      const scores = selfBleu(TEXTS, { n, smoothing });
      NLTK[smoothing][n].forEach((expected, i) => assertAlmostEquals(scores[i]!, expected, 1e-14));
    });
  }
}

Deno.test("selfBleu takes 4 words and Chen and Cherry's smoothing, and token ids as words", () => {
  const ids = new Map<string, number>();
  const tokens = TEXTS.map((text) =>
    text.split(" ").map((word) => {
      if (!ids.has(word)) ids.set(word, ids.size);
      return ids.get(word)!;
    })
  );
  assertEquals(selfBleu(tokens), selfBleu(TEXTS, { n: 4, smoothing: "chen-cherry" }));
});

Deno.test("selfBleu applies the brevity penalty", () => {
  // All words match; the nearest other text has 6 words to its 3: exp(1 - 6/3) times the precisions 3/3 and 2/2.
  assertAlmostEquals(selfBleu(["the cat sat", "the cat sat on the mat"], { n: 2 })[0]!, Math.exp(-1), 1e-15);
});

Deno.test("selfBleu counts a text without words as unlike all others", () => {
  assertEquals(selfBleu(["", "the cat"], { n: 2 }), [0, 0]);
});

Deno.test("selfBleu refuses a single text and n = 0", () => {
  assertThrows(() => selfBleu(["the cat"]), RangeError, "at least two");
  assertThrows(() => selfBleu(TEXTS, { n: 0 }), RangeError, "n is 0");
});

Deno.test("distinctN counts each n-gram of all texts once", () => {
  // By hand: "a b a b" and "b a" have the words a b a b b a, and the pairs ab ba ab | ba.
  assertEquals(distinctN(["a b a b", "b a"], { n: 1 }), 2 / 6);
  assertEquals(distinctN(["a b a b", "b a"], { n: 2 }), 2 / 4);
  assertEquals(distinctN([[7, 8, 7, 8], [8, 7]], { n: 2 }), 2 / 4);
  // Not "1 11" and "11 1" alike.
  assertEquals(distinctN([[1, 11], [11, 1]], { n: 2 }), 1);
});

Deno.test("distinctN refuses texts that are too short", () => {
  assertThrows(() => distinctN(["a", "b"], { n: 2 }), RangeError, "none of 2 texts has 2 words");
  assertThrows(() => distinctN(["a"], { n: 1.5 }), RangeError, "n is 1.5");
});
