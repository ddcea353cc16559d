"""`best`, `within`, `sparsest` and `fixed_size` on tensors: the masks of `_verbs`, on any device.

Every verb's docstring is that of its namesake there. Tensors that require gradients are detached:
a subset has none. Options are the same; threads are torch's own business.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias, Unpack

import numpy as np
import torch
from torch import Tensor

from strongticket.errors import InputError
from strongticket.subsetsum import regimes
from strongticket.subsetsum._limits import MOST, MOST_STREAM, REACH
from strongticket.subsetsum._subsets import Subsets
from strongticket.subsetsum._work import Options
from strongticket.subsetsum.regimes import BySize, Regime
from strongticket.subsetsum.torch_inputs import given_of, tolerance
from strongticket.subsetsum.torch_keys import Keys
from strongticket.subsetsum.torch_rows import subsets_of
from strongticket.subsetsum.torch_run import Interval, answer
from strongticket.subsetsum.torch_search import Search, nearest, sized_on_host, smallest

Plan: TypeAlias = tuple[Regime, ...]
Chosen: TypeAlias = tuple[Tensor, Tensor]
_TRIED = 4
_MOST_SIZES = 40


def best(
    candidates: Any,
    targets: Any,
    *,
    regime: Regime | Plan | None = None,
    **options: Unpack[Options],
) -> Subsets:
    """The subset whose sum is nearest to the target, for every row: the exact optimum."""
    given = given_of(candidates, targets, MOST_STREAM if regime is None else MOST)
    asked = regimes.checked(regime, given.n)

    def choose(keys: Keys, interval: Interval, block: slice, memory: int) -> Chosen:
        always = torch.ones_like(keys.whole, dtype=torch.bool)
        if asked is None:
            return nearest(keys, memory), always
        nothing = torch.ones_like(keys.whole)
        search = Search(keys, nothing, nothing - 1, memory)
        search.proved = ~always
        search.run(asked)
        search.close()
        return search.numbers, search.proved

    return answer(("best", asked), given, None, choose, options)


def within(
    candidates: Any,
    targets: Any,
    epsilon: Any,
    *,
    regime: Regime | Plan | None = None,
    **options: Unpack[Options],
) -> Subsets:
    """Any subset within epsilon of the target, row by row: the first that hits."""
    given = given_of(candidates, targets, MOST)
    asked = regimes.checked(regime, given.n)

    def choose(keys: Keys, interval: Interval, block: slice, memory: int) -> Chosen:
        search = Search(keys, *interval, memory)
        if asked is not None:
            search.run(asked)
        else:
            for plan, rows in _by_plan(keys, interval):
                search.rows = rows
                search.run(plan)
                search.close()
        search.close()
        return search.numbers, search.proved

    wide = tolerance(given, epsilon)
    return answer(("within", asked), given, wide, choose, options, hit_proves=True)


def sparsest(
    candidates: Any,
    targets: Any,
    epsilon: Any,
    *,
    regime: BySize | None = None,
    **options: Unpack[Options],
) -> Subsets:
    """The smallest subset within epsilon of the target, for every row."""
    given = given_of(candidates, targets, _MOST_SIZES if regime is None else MOST)
    asked = regimes.checked(regime, given.n)

    def choose(keys: Keys, interval: Interval, block: slice, memory: int) -> Chosen:
        if asked is None:
            always = torch.ones_like(keys.whole, dtype=torch.bool)
            return _smallest(keys, interval, memory), always
        search = Search(keys, *interval, memory)
        search.run(asked)
        tried = search.numbers >= 0
        search.close()
        # The extreme sum may be within epsilon as well: a subset, but perhaps not the smallest.
        _, sums = subsets_of(search.numbers, keys.items())
        within = (interval[0] <= sums) & (sums <= interval[1])
        return search.numbers, torch.where(within, tried, search.proved)

    wide = tolerance(given, epsilon)
    return answer(("sparsest", asked), given, wide, choose, options, hit_proves=asked is None)


def fixed_size(candidates: Any, targets: Any, size: Any, **options: Unpack[Options]) -> Subsets:
    """The nearest subset of exactly `size` candidates, for every row."""
    given = given_of(candidates, targets, MOST_STREAM)
    rows, device = len(given.targets), given.targets.device
    sizes = torch.as_tensor(np.asarray(size) if given.numpy else size)
    if sizes.is_floating_point() or sizes.is_complex() or sizes.dtype == torch.bool:
        raise InputError(f"size must be an integer or integers, got {sizes.dtype}")
    if tuple(sizes.shape) not in ((), given.shape):
        raise InputError(
            f"size must be an integer or have the targets' shape {given.shape}, "
            f"got {tuple(sizes.shape)}"
        )
    if sizes.numel() and not 0 <= int(sizes.min()) <= int(sizes.max()) <= given.n:
        raise InputError(
            f"size must be from 0 to n = {given.n}, the number of candidates, got "
            f"{int(sizes.min())} to {int(sizes.max())}"
        )
    wanted = sizes.to(device, torch.int64).reshape(-1).expand(rows)

    def choose(keys: Keys, interval: Interval, block: slice, memory: int) -> Chosen:
        return _of_size(keys, wanted[block], memory), torch.ones_like(keys.whole, dtype=torch.bool)

    call = ("fixed_size", tuple(wanted.tolist()))
    return answer(call, given, None, choose, options, empty_first=False)


def _smallest(keys: Keys, interval: Interval, memory: int) -> Tensor:
    low, high = interval
    numbers = smallest(keys, low, high, min(keys.n, _TRIED), memory)
    missed = (numbers < 0).nonzero()[:, 0]
    if len(missed) == 0:
        return numbers
    some, low, high = keys.some(missed), low[missed], high[missed]
    got = nearest(some, memory)
    sums = subsets_of(got, some.items())[1]
    left = ((low <= sums) & (sums <= high)).nonzero()[:, 0]
    for size in range(_TRIED + 1, keys.n + 1):
        if len(left) == 0:
            break
        part = some.some(left)
        chosen = _of_size(part, torch.full_like(left, size), memory)
        # A sum of 0 would have been met at size 0, so no mask is cleared here.
        sums = subsets_of(chosen, part.items())[1]
        good = (low[left] <= sums) & (sums <= high[left])
        got[left] = torch.where(good, chosen, got[left])
        left = left[~good]
    numbers[missed] = got
    return numbers


def _of_size(keys: Keys, sizes: Tensor, memory: int) -> Tensor:
    """The number of the nearest mask of exactly sizes[i] candidates, for every row."""
    numbers = torch.zeros_like(sizes)
    if keys.n == 0:
        return numbers
    fits = keys.reach <= REACH // (2 * keys.n + 1) - 8
    count = int(fits.sum())
    if count == len(fits):
        return _by_raising(keys, sizes, memory)
    for raised, rows in ((True, fits.nonzero()[:, 0]), (False, (~fits).nonzero()[:, 0])):
        if len(rows):
            some = keys.some(rows)
            numbers[rows] = (
                _by_raising(some, sizes[rows], memory)
                if raised
                else sized_on_host(some, sizes[rows])
            )
    return numbers


def _by_raising(keys: Keys, sizes: Tensor, memory: int) -> Tensor:
    """The same by `best`: candidates raised by B and the target by size * B.

    With B beyond twice what any sum can miss the target by, every subset of another size is farther
    away than every one of this size.
    """
    shift = 2 * keys.reach + 8
    units = keys.items() + shift[:, None]
    whole, fraction = keys.near
    raised = replace(
        keys,
        units=units,
        of=None,
        lowest=torch.zeros_like(whole),
        highest=units.sum(dim=1),
        whole=whole + sizes * shift,
        fraction=fraction,
        narrow=False,
    )
    return nearest(raised, memory)


def _by_plan(keys: Keys, interval: Interval) -> list[tuple[Plan, Tensor | None]]:
    """The plans that the rows call for, each with its rows (None: all), as `_verbs` has them."""
    low, high = interval
    width = (high - low).clamp(min=0) + 1
    spans = torch.div(keys.reach, width, rounding_mode="floor").to(torch.float64)
    bits = torch.frexp(spans)[1].to(torch.int64)
    plans: dict[Plan, list[int]] = {}
    for count, rows in enumerate(torch.bincount(bits, minlength=64).tolist()):
        if rows:
            plans.setdefault(regimes.plan("within", keys.n, count), []).append(count)
    if len(plans) == 1:
        return [(plan, None) for plan in plans]
    chosen: list[tuple[Plan, Tensor | None]] = []
    for plan, counts in plans.items():
        wanted = torch.zeros(64, dtype=torch.bool)
        wanted[counts] = True
        chosen.append((plan, wanted.to(bits.device)[bits].nonzero()[:, 0]))
    return chosen
