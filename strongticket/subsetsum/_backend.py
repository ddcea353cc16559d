"""Which code does the work: numba where it can be imported, the same algorithms in NumPy else."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.subsetsum._keys import Keys
from strongticket.subsetsum._limits import MOST_NETWORK, NARROW
from strongticket.subsetsum.shared_numpy import worth

BackendName = Literal["numba", "numpy", "torch"]
Integers = NDArray[np.int64]
NETWORK_BYTES = 1 << 23
"""Room for the network at any n: its lists, 64 int64 keys a row, are half of that at n = 24."""


def split(n: int) -> int:
    """p: candidates in each of the two sorted halves; the other n - 2p (1 or 2) are looped over."""
    return (n - 1) // 2


@dataclass(frozen=True)
class Backend:
    """The compiled or plain functions of one backend, and what they share.

    Attributes:
        name: "numba" or "numpy".
        solve: the merging network.
        first_hit: enumeration in mask order.
        least_size: enumeration by size, then in mask order.
        units_of: floats to integers, each row on its greatest grid.
        ranges_of: least and greatest sums.
        aims_of: targets to integers and fractions.
        intervals_of: tolerances to intervals of sums.
        subsets_of: mask numbers to masks and their sums, for the recomputation.
        errors_of: distances, rounded up.
    """

    name: BackendName
    solve: Callable[..., None]
    first_hit: Callable[..., None]
    least_size: Callable[..., None]
    units_of: Callable[..., None]
    ranges_of: Callable[..., int]
    aims_of: Callable[..., None]
    intervals_of: Callable[..., None]
    subsets_of: Callable[..., None]
    errors_of: Callable[..., None]

    def module(self, kernel: str) -> Any:
        """The module of one more kernel, say "stream": it is imported where it is needed."""
        return importlib.import_module(f"strongticket.subsetsum.{kernel}_{self.name}")

    def nearest(self, keys: Keys, rows: Integers) -> Integers:
        """The number of the nearest subset's mask for every one of `rows`; n at most 50.

        Which kernel does it is a matter of time alone: all decide ties alike.
        """
        numbers = np.zeros(len(keys.whole), np.int64)
        n = keys.candidates.shape[1]
        if n:
            aim, tag = keys.tagged
            for zero, part in _widths(keys, rows):
                if n > MOST_NETWORK or self._alone(n, part.size, zero):
                    stream = self.module("stream").nearest
                    stream(keys.candidates, keys.step, aim, tag, part, numbers)
                    continue
                if keys.step == 0 and worth(n, part.size):
                    shared = self.module("shared").solve_shared
                    shared(keys.candidates, aim, tag, part, split(n), zero, numbers)
                    part = part[numbers[part] < 0]  # more masks of that sum than it looks at
                if part.size:
                    self.solve(keys.candidates, keys.step, aim, tag, part, split(n), zero, numbers)
        return numbers[rows]

    def _alone(self, n: int, rows: int, zero: NDArray[Any]) -> bool:
        """Whether one row at a time is faster than the network's 64, as measured with numba."""
        if self.name != "numba":
            return False
        return rows <= 1 << n // 4 or (zero.dtype == np.int64 and n >= 21)

    def hits(
        self, keys: Keys, low: Integers, high: Integers, rows: Integers, bits: int
    ) -> Integers:
        """The least mask number below 2^bits within [low, high], -1 where there is none."""
        numbers = np.zeros(len(keys.whole), np.int64)
        for zero, part in _widths(keys, rows):
            self.first_hit(keys.candidates, keys.step, low, high, part, bits, zero, numbers)
        return numbers[rows]

    def smallest(
        self, keys: Keys, low: Integers, high: Integers, rows: Integers, most_size: int
    ) -> Integers:
        """The least mask number of the least size within [low, high], -1 where there is none."""
        numbers = np.zeros(len(keys.whole), np.int64)
        for zero, part in _widths(keys, rows):
            self.least_size(keys.candidates, keys.step, low, high, part, most_size, zero, numbers)
        return numbers[rows]


def _widths(keys: Keys, rows: Integers) -> list[tuple[NDArray[Any], Integers]]:
    """The rows that int32 keys hold exactly, at twice the speed, and the others for int64."""
    narrow = keys.reach[rows] <= NARROW
    if narrow.all():
        return [(np.empty(0, np.int32), rows)]
    parts: list[tuple[NDArray[Any], Integers]] = [
        (np.empty(0, np.int32), rows[narrow]),
        (np.empty(0, np.int64), rows[~narrow]),
    ]
    return [(zero, part) for zero, part in parts if part.size]


@cache
def _load(name: BackendName) -> Backend:
    network = importlib.import_module(f"strongticket.subsetsum.network_{name}")
    enumerate_ = importlib.import_module(f"strongticket.subsetsum.enumerate_{name}")
    rows = importlib.import_module(f"strongticket.subsetsum.rows_{name}")
    return Backend(
        name,
        network.solve,
        enumerate_.first_hit,
        enumerate_.least_size,
        rows.units_of,
        rows.ranges_of,
        rows.aims_of,
        rows.intervals_of,
        rows.subsets_of,
        rows.errors_of,
    )


def backend_of(name: BackendName | Backend | None) -> Backend:
    """The backend asked for; None is numba, or NumPy where numba cannot be imported."""
    if isinstance(name, Backend):
        return name
    if name is None:
        try:
            return _load("numba")
        except ImportError:
            return _load("numpy")
    if name == "torch":
        raise InputError("backend 'torch' has no such search: use 'numba', 'numpy' or None")
    if name not in ("numba", "numpy"):
        raise InputError(
            f"backend must be 'numba', 'numpy' or None (either of them), or 'torch', got {name!r}"
        )
    try:
        return _load(name)
    except ImportError as error:
        raise InputError(f"backend 'numba' cannot be imported ({error}); use 'numpy'") from None
