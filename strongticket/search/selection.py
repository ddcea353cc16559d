r"""Exact selection of the largest scores, by histograms of the float bits.

A float32 score becomes a 32-bit integer key whose order is the score's order: the magnitude bits
for ``"abs"`` ranking, the signed magnitude for ``"raw"``. One histogram of the keys' high halves
finds the bin that holds the last kept entry, a second one, of the low halves inside that bin,
finds its key. Histograms add, so one exact selection over many tensors needs no concatenation.

Entries of equal score are ranked by index, the lower one first; over several tensors an earlier
tensor comes first. Minus zero equals zero. A score that is not finite has no rank and raises.

The torch code of this file runs on any device without reading a value back, the check for finite
scores excepted (once a call); `strongticket.search.compiled_selection` gives the same bits by
numba.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import torch
from torch import Tensor

from strongticket.errors import InputError, SearchError
from strongticket.search import compiled_selection, selection_batched

Ranking = Literal["abs", "raw"]

_HALF = 1 << 16
_MAGNITUDE = 0x7FFFFFFF


@dataclass(frozen=True)
class Cut:
    """Where a selection ends: keys above `key` are kept, and of those equal the first `ties`.

    Both are integer tensors of no dimension on the scores' device.
    """

    key: Tensor
    ties: Tensor


def keep_count(density: float | Fraction, total: int) -> int:
    r"""How many of `total` entries a density keeps: :math:`\max(1, \lfloor d n + 1/2 \rfloor)`.

    Round half up in exact arithmetic. A float is read as the shortest decimal that prints it, so
    0.15 of 10 entries are 1.5, hence 2. Needs 0 < density <= 1 and total >= 1.
    """
    exact = density if isinstance(density, Fraction) else _decimal(density)
    if not 0 < exact <= 1:
        raise InputError(f"density is the fraction kept, in (0, 1], got {density!r}")
    if total < 1:
        raise InputError(f"there must be an entry to keep, got total={total!r}")
    return max(1, math.floor(exact * total + Fraction(1, 2)))


def whole(says: str, value: Any, least: int) -> int:
    """An integer argument as a plain int; else InputError: `says`, the least one, what came."""
    try:
        found = operator.index(value)
    except TypeError:
        found = least - 1
    if isinstance(value, bool) or found < least:
        raise InputError(f"{says} >= {least}, got {value!r}")
    return found


def select(
    scores: Mapping[str, Tensor],
    keep: int | Mapping[str, int],
    ranking: Ranking = "abs",
    *,
    backend: Literal["torch"] | None = None,
) -> dict[str, Tensor]:
    """The masks of the largest scores: bool tensors in the scores' shapes, True where kept.

    `scores` are float32 tensors by parameter name. `keep` is one count for all of them together,
    or a count for each. `backend`: "torch" does without numba; None takes numba for large tensors
    of the host. The bits are the same. Raises SearchError, naming the parameter, if a score is not
    finite.
    """
    if ranking not in ("abs", "raw"):
        raise InputError(f"ranking is 'abs' or 'raw', got {ranking!r}")
    if backend not in (None, "torch"):
        raise InputError(f"backend is None or 'torch', got {backend!r}")
    if not scores:
        raise InputError("select needs the scores of one parameter or more, got none")
    if isinstance(keep, Mapping) and set(keep) != set(scores):
        raise InputError(f"keep must have a count for each of {sorted(scores)}, got {sorted(keep)}")
    check_finite(scores)
    if isinstance(keep, Mapping):
        devices = {tensor.device for tensor in scores.values()}
        if len(devices) == 1 and not on_host(next(iter(scores.values()))):
            for name, tensor in scores.items():
                _check_keep(keep[name], tensor.numel())
            counts = [keep[name] for name in scores]
            each = list(scores.values())
            batched = selection_batched.masks(each, counts, lambda flat: keys(flat, ranking))
            return dict(zip(scores, batched, strict=True))
    found: dict[str, Tensor] = {}
    for pool in [[name] for name in scores] if isinstance(keep, Mapping) else [list(scores)]:
        tensors = [scores[name] for name in pool]
        count = keep[pool[0]] if isinstance(keep, Mapping) else keep
        _check_keep(count, sum(tensor.numel() for tensor in tensors))
        ends = None
        if backend != "torch":
            ends = compiled_selection.cuts(tensors, count, ranking == "raw")
        if ends is None:
            found |= zip(pool, masks(tensors, count, ranking), strict=True)
            continue
        for name, end in zip(pool, ends, strict=True):
            score = scores[name]
            found[name] = kept(keys(score, ranking), *end).reshape(score.shape)
    return found


def check_finite(scores: Mapping[str, Tensor], what: str = "scores") -> None:
    """Raise SearchError naming the first parameter with a score that is NaN or infinite."""
    scores = {name: tensor for name, tensor in scores.items() if tensor.numel()}
    if not scores:
        return
    # aminmax hands NaN on, so two numbers a tensor say all; they are read back together.
    ends = [torch.stack(tensor.detach().aminmax()) for tensor in scores.values()]
    finite = torch.stack([pair.to(ends[0].device) for pair in ends]).isfinite().all(1)
    if bool(finite.all()):
        return
    at = int(finite.logical_not().nonzero()[0, 0])
    name, tensor = list(scores.items())[at]
    raise SearchError(
        f"the {what} of {name!r} must be finite to go on, got {int(tensor.isnan().sum())} NaN and "
        f"{int(tensor.isinf().sum())} infinite; in a search lower lr, or go back to a saved state; "
        "of a model's own weights look at them and at the loss"
    )


def masks(scores: Sequence[Tensor], keep: int, ranking: Ranking) -> list[Tensor]:
    """The masks of the `keep` largest scores of all tensors together; scores must be finite."""
    ranked = [keys(tensor, ranking) for tensor in scores]
    found = []
    for tensor, key, cut in zip(scores, ranked, cuts(ranked, keep), strict=True):
        found.append(mask(key, cut).reshape(tensor.shape))
    return found


def keys(scores: Tensor, ranking: Ranking) -> Tensor:
    """Integer keys in the order of the scores: (n,) int32 from float32 scores of any shape."""
    if scores.dtype != torch.float32:
        raise InputError(f"scores are ranked in float32, got {scores.dtype}")
    bits = scores.detach().contiguous().reshape(-1).view(torch.int32)
    magnitude = bits & _MAGNITUDE
    if ranking == "abs":
        return magnitude
    sign = bits >> 31  # 0, or -1 where the magnitude is to be negated; a `where` is slow
    return magnitude.bitwise_xor_(sign).sub_(sign)


def cuts(ranked: Sequence[Tensor], keep: int) -> list[Cut]:
    """The cut of each key tensor when the `keep` largest keys of all of them are kept."""
    _check_keep(keep, sum(key.numel() for key in ranked))
    rest = torch.tensor(keep, device=ranked[0].device)
    high = _merge([_histogram((key >> 16) + _HALF // 2, _HALF) for key in ranked])
    top, rest = _last_kept(high, rest)
    top = top - _HALF // 2
    low = _merge([_low_histogram(key, top) for key in ranked])
    bottom, ties = _last_kept(low, rest)
    key = (top << 16) | bottom
    found = []
    for tensor in ranked:  # the ties go to the earlier tensors first
        equal = (tensor == key.to(tensor.device)).sum().to(ties.device)
        taken = torch.minimum(ties, equal)
        ties = ties - taken
        found.append(Cut(key.to(tensor.device), taken.to(tensor.device)))
    return found


def mask(key: Tensor, cut: Cut) -> Tensor:
    """Which entries a cut keeps: (n,) bool from (n,) keys."""
    equal = key == cut.key
    if on_host(key) and bool(equal.sum() == cut.ties):
        return key >= cut.key  # reading a value back is free here, and the running sum is not
    return (key > cut.key) | (equal & (equal.cumsum(0) <= cut.ties))


def kept(key: Tensor, cut: int, ties: int) -> Tensor:
    """Which entries a cut of `strongticket.search.kernels.cut` keeps: (n,) bool from (n,) keys."""
    return key >= cut if ties < 0 else mask(key, Cut(torch.tensor(cut), torch.tensor(ties)))


def on_host(tensor: Tensor) -> bool:
    """Whether a value can be read back without making the host wait for a device."""
    return tensor.device.type == "cpu"


def _check_keep(keep: int, total: int) -> None:
    if isinstance(keep, (bool, float, str)) or not 1 <= keep <= total:
        raise InputError(f"keep must be in 1 .. {total}, the number of scores, got {keep!r}")


def _decimal(density: float) -> Fraction:
    try:
        if isinstance(density, (bool, str)):
            raise TypeError
        return Fraction(repr(float(density)))
    except (TypeError, ValueError):
        raise InputError(f"density is the fraction kept, in (0, 1], got {density!r}") from None


def _histogram(bins: Tensor, size: int) -> Tensor:
    """Entries a bin, (size,) int64. Integer sums: the same at every run, on every device."""
    if on_host(bins):
        return torch.bincount(bins, minlength=size)
    # bincount looks for the largest bin first, which makes the host wait for the device.
    counts = torch.zeros(size, dtype=torch.int64, device=bins.device)
    return counts.scatter_add_(0, bins.long(), torch.ones_like(bins, dtype=torch.int64))


def _low_histogram(key: Tensor, top: Tensor) -> Tensor:
    """The histogram of the low halves of the keys whose high half is `top`."""
    inside = (key >> 16) == top.to(key.device)
    if on_host(key):
        return torch.bincount(key[inside] & (_HALF - 1), minlength=_HALF)
    counts = torch.zeros(_HALF, dtype=torch.int64, device=key.device)
    return counts.scatter_add_(0, (key & (_HALF - 1)).long(), inside.long())


def _merge(histograms: Sequence[Tensor]) -> Tensor:
    total = histograms[0]
    for histogram in histograms[1:]:
        total = total + histogram.to(total.device)
    return total


def _last_kept(histogram: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """The bin that holds the `keep`-th largest entry, and how many of that bin are kept."""
    reached = histogram.flip(0).cumsum(0).flip(0)  # entries in this bin or a higher one
    at = (reached >= keep).sum() - 1
    inside = histogram.index_select(0, at.reshape(1)).squeeze(0)
    above = reached.index_select(0, at.reshape(1)).squeeze(0) - inside
    return at, keep - above
