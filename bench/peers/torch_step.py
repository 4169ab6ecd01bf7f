"""DPO steps in eager PyTorch, float32, driven by lines on standard input.

    python3 torch_step.py DIRECTORY completion|all cpu|cuda

DIRECTORY is what case_files.ts wrote. "completion" takes logits of the positions that predict a completion token only,
"all" of every position, as most trainers do. Each input line is a number of steps; each answer is one line of JSON with
the milliseconds a step, the losses, and on CUDA the peak of allocated memory in bytes.
"""

import json
import math
import sys
import time

import torch
import torch.nn.functional as F

directory, positions, device = sys.argv[1:]
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False

with open(f"{directory}/case.json") as file:
    case = json.load(file)
model, optimizer, tensors = case["model"], case["optimizer"], case["tensors"]
pairs, length, prompt = case["pairs"], case["length"], case["prompt"]
heads, kv_heads, head_size = model["heads"], model["keyValueHeads"], model["headSize"]


def load(name):
    data = torch.frombuffer(bytearray(open(f"{directory}/{name}.bin", "rb").read()), dtype=torch.float32)
    sizes = [math.prod(tensor["shape"]) for tensor in tensors]
    parts = data.split(sizes)
    return {tensor["name"]: part.clone().view(tensor["shape"]).to(device) for tensor, part in zip(tensors, parts)}


# All chosen sequences, then all rejected ones.
tokens = torch.tensor(case["tokens"], device=device).view(2 * pairs, length)
positions_of = torch.arange(length, dtype=torch.float64)
frequencies = model["ropeTheta"] ** (-torch.arange(0, head_size, 2, dtype=torch.float64) / head_size)
angles = positions_of[:, None] * frequencies
cosines, sines = angles.cos().float().to(device), angles.sin().float().to(device)
future = torch.ones(length, length, dtype=torch.bool, device=device).triu(1)


def norm(x, weight):
    return weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + model["normEpsilon"])


def rotate(x):  # [sequences, heads, length, head size]
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cosines - b * sines, b * cosines + a * sines), dim=-1)


def split(x, count):
    return x.view(len(tokens), length, count, head_size).transpose(1, 2)


def sequence_log_probs(weights):
    x = F.embedding(tokens, weights["model.embed_tokens.weight"])
    for n in range(model["layers"]):
        layer = lambda name: weights[f"model.layers.{n}.{name}.weight"]
        linear = lambda x, name: F.linear(x, layer(name), weights.get(f"model.layers.{n}.{name}.bias"))
        normed = norm(x, layer("input_layernorm"))
        q = rotate(split(linear(normed, "self_attn.q_proj"), heads))
        k = rotate(split(linear(normed, "self_attn.k_proj"), kv_heads))
        v = split(linear(normed, "self_attn.v_proj"), kv_heads)
        if kv_heads < heads:
            k, v = (t.repeat_interleave(heads // kv_heads, dim=1) for t in (k, v))
        scores = (q @ k.transpose(-1, -2) / math.sqrt(head_size)).masked_fill(future, -math.inf)
        attended = (scores.softmax(-1) @ v).transpose(1, 2).reshape(len(tokens), length, -1)
        x = x + linear(attended, "self_attn.o_proj")
        normed = norm(x, layer("post_attention_layernorm"))
        fed = F.silu(linear(normed, "mlp.gate_proj")) * linear(normed, "mlp.up_proj")
        x = x + linear(fed, "mlp.down_proj")
    predicting = slice(prompt - 1, length - 1)
    if positions == "completion":
        x = x[:, predicting]
    log_probs = F.linear(norm(x, weights["model.norm.weight"]), weights["model.embed_tokens.weight"]).log_softmax(-1)
    if positions == "all":
        log_probs = log_probs[:, predicting]
    return log_probs.gather(-1, tokens[:, prompt:, None]).squeeze(-1).sum(-1)


policy, reference = load("policy"), load("reference")
for parameter in policy.values():
    parameter.requires_grad_(True)
groups = [
    {"params": [p for p in policy.values() if p.dim() > 1], "weight_decay": optimizer["weightDecay"]},
    {"params": [p for p in policy.values() if p.dim() == 1], "weight_decay": 0.0},
]
adamw = torch.optim.AdamW(
    groups, lr=optimizer["learningRate"], betas=optimizer["betas"], eps=optimizer["epsilon"]
)


def step():
    with torch.no_grad():
        against = sequence_log_probs(reference)
    log_ratios = sequence_log_probs(policy) - against
    margins = log_ratios[:pairs] - log_ratios[pairs:]
    loss = -F.logsigmoid(case["beta"] * margins).mean()
    adamw.zero_grad(set_to_none=True)
    loss.backward()
    adamw.step()
    return loss.item()


def answer(**values):
    print(json.dumps(values), flush=True)


def matmul_gflops(size=1024, repeats=5):
    a = torch.rand(size, size, device=device)
    (a @ a)[0, 0].item()
    start = time.perf_counter()
    for _ in range(repeats):
        product = a @ a
    product[0, 0].item()  # waits for the device
    return 2 * size**3 * repeats / (time.perf_counter() - start) / 1e9


# A PyTorch without a good BLAS is several times slower; the reader should see which one this is.
answer(name=f"PyTorch {torch.__version__}", remark=f"its product of 1024³ runs at {matmul_gflops():.0f} GFLOP/s")
for line in sys.stdin:
    count = int(line)
    start = time.perf_counter()
    losses = [step() for _ in range(count)]
    milliseconds = (time.perf_counter() - start) / count * 1000
    memory = torch.cuda.max_memory_allocated() if device == "cuda" else None
    answer(milliseconds=milliseconds, values=losses, memory=memory)
