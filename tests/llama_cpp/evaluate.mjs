// Runs llama.cpp on one file: the request is JSON on standard input, the answer JSON on standard output. Logits go to
// a file of their own, float32, [sequence][position][token].
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";

// Installed beside a copy of this script only, so a literal specifier would be missed by whoever checks this one.
const { getLlama, LlamaLogLevel } = await import(["node", "llama", "cpp"].join("-"));

const { model: modelPath, sequences, texts, logitsFile } = JSON.parse(readFileSync(0, "utf8"));
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 2 });
const model = await llama.loadModel({ modelPath, useMmap: false });
const tokens = texts.map((text) => model.tokenize(text, true));

const rows = [];
if (sequences.length > 0) {
  const context = await model.createContext({
    contextSize: Math.max(...sequences.map((ids) => ids.length)) + 1,
    flashAttention: false,
    experimentalKvCacheKeyType: "F32",
    experimentalKvCacheValueType: "F32",
  });
  const sequence = context.getSequence();
  for (const ids of sequences) {
    await sequence.clearHistory();
    const outputs = await sequence.controlledEvaluate(
      ids.map((id) => [id, { generateNext: { logits: true } }]),
    );
    for (const { next } of outputs) {
      const row = new Float32Array(next.logits.size);
      for (const [token, logit] of next.logits) row[token] = logit;
      rows.push(row);
    }
  }
  writeFileSync(logitsFile, Buffer.concat(rows.map((row) => Buffer.from(row.buffer))));
}
const { bos, eos, shouldPrependBosToken } = model.tokens;
process.stdout.write(JSON.stringify({
  tokens,
  vocabularySize: rows[0]?.length ?? 0,
  metadata: {
    name: model.fileInfo.metadata.general.name,
    bos,
    eos,
    addsBos: shouldPrependBosToken,
    contextLength: model.trainContextSize,
  },
}));
process.exit(0);
