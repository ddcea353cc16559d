r"""Exact selection in many tensors at once, each with a count of its own, for a device.

What `strongticket.search.selection` does tensor by tensor is some forty kernels each, and a network
with twenty small layers would spend its time launching them. Here the tensors of a batch lie
behind one another, a row each of two-dimensional histograms: forty kernels a batch. The masks are
the same; nothing is read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

Keys = Callable[[Tensor], Tensor]

LARGEST = 1 << 24  # entries of a batch, unless one tensor has more: some 40 bytes of scratch each
MOST = 1 << 8  # tensors of a batch: half a megabyte of histograms each

_HALF = 1 << 16


def masks(scores: Sequence[Tensor], keep: Sequence[int], keys: Keys) -> list[Tensor]:
    """The masks of the keep[i] largest scores of tensor i: finite float32 tensors of one device.

    `keys` gives integers, int32, in the order in which scores are ranked.
    """
    found: list[Tensor] = []
    for first, last in _batches([score.numel() for score in scores]):
        found += _batch(scores[first:last], keep[first:last], keys)
    return found


def _batches(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Slices of at most `MOST` neighbours, `LARGEST` entries together, or of one tensor alone."""
    first, total = 0, 0
    for i, size in enumerate(sizes):
        if i > first and (total + size > LARGEST or i - first == MOST):
            yield first, i
            first, total = i, 0
        total += size
    yield first, len(sizes)


def _batch(scores: Sequence[Tensor], keep: Sequence[int], keys: Keys) -> list[Tensor]:
    device, rows = scores[0].device, len(scores)
    sizes = [score.numel() for score in scores]
    key = keys(torch.cat([score.detach().reshape(-1) for score in scores]))
    # 32 bits wherever they suffice: what a large tensor costs is bytes moved.
    row = torch.repeat_interleave(
        torch.arange(rows, dtype=torch.int32, device=device),
        torch.tensor(sizes, device=device),
        output_size=sum(sizes),
    )
    base, high = row * _HALF, key >> 16
    ones = torch.ones((), dtype=torch.int64, device=device).expand(key.shape)
    upper = _histograms(rows, base + (high + _HALF // 2), ones)
    top, rest, _ = _last_kept(upper, torch.tensor(keep, device=device))
    top = top - _HALF // 2
    lower = _histograms(rows, base + (key & (_HALF - 1)), (high == top.int()[row]).long())
    bottom, ties, equals = _last_kept(lower, rest)
    cut = ((top << 16) | bottom).int()[row]
    equal = key == cut
    # How many equals of its own row come up to here: those of earlier rows are allowed for.
    allowed = (equals.cumsum(0) - equals + ties).int()
    nth = equal.cumsum(0, dtype=torch.int32)
    chosen = (key > cut) | (equal & (nth <= allowed[row]))
    parts = torch.split(chosen, sizes)
    return [part.reshape(score.shape) for part, score in zip(parts, scores, strict=True)]


def _histograms(rows: int, bins: Tensor, weights: Tensor) -> Tensor:
    counts = torch.zeros(rows * _HALF, dtype=torch.int64, device=bins.device)
    return counts.scatter_add_(0, bins.long(), weights).reshape(rows, _HALF)


def _last_kept(histograms: Tensor, keep: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each row: the bin of the last kept entry, how many of it are kept, how many it has."""
    reached = histograms.flip(1).cumsum(1).flip(1)  # entries in this bin or a higher one
    at = (reached >= keep[:, None]).sum(1) - 1
    inside = histograms.gather(1, at[:, None]).squeeze(1)
    above = reached.gather(1, at[:, None]).squeeze(1) - inside
    return at, keep - above, inside
