import { assertEquals } from "@std/assert";
import { keyLines } from "../../../cli/config/key_lines.ts";

function lines(yaml: string): Record<string, number> {
  return Object.fromEntries(keyLines(yaml));
}

Deno.test("keyLines follows indentation", () => {
  const yaml = `# heading: no key
model:
  path: ./model   # path: no key

training:
    steps: 5
    "seed": 1
output: x
`;
  assertEquals(lines(yaml), {
    "model": 2,
    "model.path": 3,
    "training": 5,
    "training.steps": 6,
    "training.seed": 7,
    "output": 8,
  });
});

Deno.test("keyLines reads flow mappings over one line and over several", () => {
  const yaml = `model: { path: "a, b: {c}", dtype: 'it''s: x' }
training: { steps: 500, # steps: no key
            adam_betas: [0.9, 0.999],
            seed: 3 }
output: { directory: http://x }
`;
  assertEquals(lines(yaml), {
    "model": 1,
    "model.path": 1,
    "model.dtype": 1,
    "training": 2,
    "training.steps": 2,
    "training.adam_betas": 3,
    "training.seed": 4,
    "output": 5,
    "output.directory": 5,
  });
});

Deno.test("keyLines numbers the entries of lists", () => {
  const expected = {
    "loss": 1,
    "loss.0": 2,
    "loss.0.type": 2,
    "loss.0.beta": 3,
    "loss.1": 4,
    "loss.1.type": 4,
    "model": 5,
    "model.path": 6,
  };
  const indented = "loss:\n  - type: dpo\n    beta: 0.1\n  - { type: sft }\nmodel:\n  path: m\n";
  const flush = "loss:\n- type: dpo\n  beta: 0.1\n- { type: sft }\nmodel:\n  path: m\n";
  assertEquals(lines(indented), expected);
  assertEquals(lines(flush), expected);
  assertEquals(lines("loss: [{ type: dpo },\n  { type: sft }]\n"), {
    "loss": 1,
    "loss.0": 1,
    "loss.0.type": 1,
    "loss.1": 2,
    "loss.1.type": 2,
  });
});

Deno.test("keyLines takes Windows line ends and braces inside plain text", () => {
  assertEquals(lines("a: x{y\r\nb:\r\n  c: 1\r\n"), { a: 1, b: 2, "b.c": 3 });
});

Deno.test("keyLines survives text that is no YAML", () => {
  for (const text of ["", "}}}", "- - -", "{ a: [", ": : :", "]: {", '"open', "a:\n - b:\n- c"]) {
    keyLines(text);
  }
});
