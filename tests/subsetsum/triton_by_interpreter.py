"""Holds the Triton kernels to the torch ops, on a CPU by Triton's interpreter: a script.

``TRITON_INTERPRET=1 python triton_by_interpreter.py N`` for N candidates; it prints "same".
"""

from __future__ import annotations

import sys

import torch

from strongticket.subsetsum import torch_enumerate, torch_network, triton_door
from strongticket.subsetsum.torch_keys import Keys, spread
from strongticket.subsetsum.torch_rows import ranges_of


def main(n: int, rows: int = 6) -> None:
    kernels = triton_door.kernels_that_agree(torch.device("cpu"))
    assert kernels is not None
    generator = torch.Generator().manual_seed(n)
    of = torch.randint(0, rows, (rows,), generator=generator)
    for size, dtype in ((1, torch.int32), (1 << 20, torch.int32), (1 << 40, torch.int64)):
        some = torch.randint(-size, size + 1, (rows, n), generator=generator)
        goal = torch.randint(-3 * size, 3 * size + 1, (rows,), generator=generator)
        aims = 4 * goal + 2 * (goal & 1) - 1
        for units, index in ((some, None), (some[:1], None), (some, of)):
            wanted = torch_network.solve(units, index, aims, dtype, 1 << 22)
            assert torch.equal(kernels.nearest(units, index, aims, dtype), wanted)
            low, high = (spread(edge, index, rows) for edge in ranges_of(units)[:2])
            keys = Keys(units, index, goal, low, high, goal, goal * 0.0, False)
            wide = max(size >> (n // 2), 1)
            low, high = (goal - wide).clamp(low, high + 1), (goal + wide).clamp(low - 1, high)
            for bits in (1, n):
                wanted = torch_enumerate.first_hit(keys, low, high, bits, dtype, 1 << 22)
                got = kernels.first_hit(units, index, low, high, bits, dtype)
                assert torch.equal(got, wanted)


if __name__ == "__main__":
    main(int(sys.argv[1]))
    print("same")
