"""Products in PyTorch, driven by lines on standard input as torch_step.py is.

    python3 torch_product.py cpu|cuda M N K
"""

import json
import sys
import time

import torch

device, *size = sys.argv[1:]
m, n, k = map(int, size)
torch.backends.cuda.matmul.allow_tf32 = False


def operand(*shape):
    # As product.ts fills it.
    count = shape[0] * shape[1]
    return ((torch.arange(count) * 7919 % 1000).double() / 1000 - 0.5).float().view(shape).to(device)


def synchronize():
    if device == "cuda":
        torch.cuda.synchronize()


def answer(**values):
    print(json.dumps(values), flush=True)


a, b = operand(m, k), operand(k, n)
product = (a @ b).flatten()
sample = [product[i].item() for i in (0, product.numel() // 2 + 7, product.numel() - 1)]
answer(name=f"PyTorch {torch.__version__}")
for line in sys.stdin:
    count = int(line)
    start = time.perf_counter()
    for _ in range(count):
        a @ b
    synchronize()
    answer(milliseconds=(time.perf_counter() - start) / count * 1000, values=sample)
