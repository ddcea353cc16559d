"""Plans of regimes carried out on tensors: `_stages.Search` on any device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from strongticket.subsetsum import torch_enumerate, torch_network, torch_stream, triton_door
from strongticket.subsetsum._backend import backend_of
from strongticket.subsetsum._limits import MOST_NETWORK
from strongticket.subsetsum.regimes import BySize, Enumerate, Network, Regime, Stream, UntilHit
from strongticket.subsetsum.torch_keys import Keys, at
from strongticket.subsetsum.torch_rows import subsets_of

_NUMBERED = 15
"""So many candidates are enumerated before `UntilHit` goes on one by one."""


class Search:
    """Rows on their way through a plan.

    Attributes:
        numbers: int64 (m,), the mask number that each row holds, -1 before it has one.
        proved: bool (m,), whether every subset was searched or none can be within the interval.
        rows: int64, the rows that are still open; None is all of them.
    """

    def __init__(self, keys: Keys, low: Tensor, high: Tensor, memory: int) -> None:
        self.keys, self.low, self.high, self.memory = keys, low, high, memory
        self.numbers = torch.full_like(keys.whole, -1)
        self.proved = low > high
        self.rows: Tensor | None = None

    def run(self, stages: tuple[Regime, ...]) -> None:
        """Carry out the stages on the open rows, in order."""
        n = self.keys.n
        for stage in stages:
            if self.rows is not None and len(self.rows) == 0:
                return
            if isinstance(stage, Enumerate):
                self.take(hits(*self._open(), min(n, stage.bits), self.memory))
            elif isinstance(stage, BySize):
                self.take(smallest(*self._open(), min(n, stage.most), self.memory))
            elif isinstance(stage, Network | Stream):
                self.offer(min(stage.prefix or n, n))
            elif isinstance(stage, UntilHit):
                self.take(hits(*self._open(), min(n, _NUMBERED), self.memory))
                for count in range(min(n, _NUMBERED + 1), n + 1):
                    self.offer(count)
            else:
                self.take(_four_lists(*self._open(), min(stage.use, n), stage.windows))

    def close(self) -> None:
        """Rows that no stage settled hold the extreme sum if that is nearest, or what they met."""
        keys = self.keys.some(self.rows)
        far, numbers = _extremes(keys)
        self._write(torch.where(far, numbers, at(self.numbers, self.rows).clamp(min=0)))
        self._write(far | at(self.proved, self.rows), self.proved)
        self.rows = self.low.new_zeros(0)

    def take(self, got: Tensor) -> None:
        """Close the open rows that have a hit: those whose number is not -1."""
        hit = got >= 0
        self._write(torch.where(hit, got, at(self.numbers, self.rows)))
        self._leave(hit)

    def offer(self, count: int) -> None:
        """Solve the first `count` candidates of the open rows; keep what is nearer, close hits."""
        keys, low, high = self._open()
        if len(low) == 0:
            return
        every = count == keys.n
        part = keys if every else keys.prefix(count)
        got = nearest(part, self.memory)
        if every:
            self._write(got)
            self._write(torch.ones_like(low, dtype=torch.bool), self.proved)
            self.rows = low.new_zeros(0)
            return
        held, aim = at(self.numbers, self.rows), keys.aim
        sums, mine = (_sums(keys, numbers) for numbers in (got, held.clamp(min=0)))
        worse = (held >= 0) & ((aim - 4 * mine).abs() <= (aim - 4 * sums).abs())
        self._write(torch.where(worse, held, got))
        self._leave((low <= sums) & (sums <= high))

    def _open(self) -> tuple[Keys, Tensor, Tensor]:
        return self.keys.some(self.rows), at(self.low, self.rows), at(self.high, self.rows)

    def _write(self, values: Tensor, into: Tensor | None = None) -> None:
        into = self.numbers if into is None else into
        if self.rows is None:
            into.copy_(values)
        else:
            into[self.rows] = values

    def _leave(self, hit: Tensor) -> None:
        left = hit.logical_not().nonzero()[:, 0]
        self.rows = left if self.rows is None else self.rows[left]


def nearest(keys: Keys, memory: int) -> Tensor:
    """The number of the nearest of all subsets for every row."""
    far, numbers = _extremes(keys)
    if keys.n == 0 or len(numbers) == 0:
        return numbers
    found = torch.empty_like(numbers)
    # A row that is far is solved for a target just outside, and then overruled: to leave it out
    # would cost a copy of the others and a wait for their count.
    if keys.n <= MOST_NETWORK:
        aims = keys.aim
        for dtype, rows in keys.widths():
            some = keys.some(rows)
            found_here = _network(some.units, some.of, at(aims, rows), dtype, memory)
            _put(found, rows, found_here)
        return torch.where(far, numbers, found)
    near = far.logical_not().nonzero()[:, 0]  # beyond, a row costs more than any wait
    some = keys.some(near)
    numbers[near] = torch_stream.solve(some.items(), some.aim, memory)
    return numbers


def hits(keys: Keys, low: Tensor, high: Tensor, bits: int, memory: int) -> Tensor:
    """The least mask number below 2^bits within [low, high], -1 where there is none."""
    found = torch.full_like(low, -1)
    kernels = triton_door.triton_kernels(low.device) if bits else None
    for dtype, rows in keys.widths():
        some, least, most = keys.some(rows), at(low, rows), at(high, rows)
        if kernels is not None:
            got = kernels.first_hit(some.units, some.of, least, most, bits, dtype)
        else:
            got = torch_enumerate.first_hit(some, least, most, bits, dtype, memory)
        _put(found, rows, got)
    return found


def smallest(keys: Keys, low: Tensor, high: Tensor, most_size: int, memory: int) -> Tensor:
    """The least mask number of the least size within [low, high], -1 where there is none."""
    found = torch.full_like(low, -1)
    for dtype, rows in keys.widths():
        goal = (keys.some(rows), at(low, rows), at(high, rows))
        _put(found, rows, torch_enumerate.least_size(*goal, most_size, dtype, memory))
    return found


def _network(
    units: Tensor, of: Tensor | None, aims: Tensor, dtype: torch.dtype, memory: int
) -> Tensor:
    kernels = triton_door.triton_kernels(units.device)
    if kernels is not None:
        return kernels.nearest(units, of, aims, dtype)
    return torch_network.solve(units, of, aims, dtype, memory)


def _put(into: Tensor, rows: Tensor | None, values: Tensor) -> None:
    if rows is None:
        into.copy_(values)
    else:
        into[rows] = values


def _sums(keys: Keys, numbers: Tensor) -> Tensor:
    return subsets_of(numbers, keys.items())[1]


def _extremes(keys: Keys) -> tuple[Tensor, Tensor]:
    """Which targets lie at or beyond the row's extreme sums, and the numbers of those subsets."""
    whole, fraction = keys.whole, keys.fraction
    above = (whole > keys.highest) | ((whole == keys.highest) & (fraction >= 0))
    below = (whole < keys.lowest) | ((whole == keys.lowest) & (fraction <= 0))
    bits = 1 << torch.arange(keys.n, dtype=torch.int64, device=whole.device)
    # A mask number for each row of candidates and side, by rows of candidates: they may be few.
    most, least = (
        torch.where(kept, bits, 0).sum(dim=1) for kept in (keys.units > 0, keys.units < 0)
    )
    if keys.of is not None:
        most, least = most[keys.of], least[keys.of]
    numbers = torch.where(above, most, torch.where(below, least, 0))
    return above | below, numbers


def _four_lists(keys: Keys, low: Tensor, high: Tensor, use: int, windows: int) -> Tensor:
    """The four lists of the open rows, which are searched on the host."""
    units, least, most = (_host(part) for part in (keys.items(), low, high))
    numbers = np.full(len(least), -1, np.int64)
    kernel = backend_of(None).module("fourlists")
    step = 0 if len(units) == 1 else 1
    kernel.find(units, step, least, most, np.arange(len(least)), use, windows, numbers)
    return torch.from_numpy(numbers).to(low.device)


def sized_on_host(keys: Keys, sizes: Tensor) -> Tensor:
    """The nearest masks of the given sizes where raised candidates would not fit, on the host."""
    whole, fraction = (_host(part) for part in keys.near)
    below = fraction == -0.5
    tag = np.where(below | (fraction > 0), 1, -1)
    numbers = np.zeros(len(whole), np.int64)
    units = _host(keys.items())
    goal: tuple[Any, ...] = (whole - below, tag, _host(sizes), np.arange(len(whole)))
    backend_of(None).module("sizes").of_size(units, 0 if len(units) == 1 else 1, *goal, numbers)
    return torch.from_numpy(numbers).to(sizes.device)


def _host(values: Tensor) -> Any:
    return np.ascontiguousarray(values.cpu().numpy())
