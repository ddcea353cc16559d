"""`Mask`: parameter name -> kept entries, dense or sparse behind one interface."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Entries:
    """The kept entries of one weight array: a boolean array, or sorted flat indices (C order).

    Give exactly one of `bits` (bool, any shape) and `flat` (int64, strictly increasing).
    """

    shape: tuple[int, ...]
    bits: NDArray[np.bool_] | None = None
    flat: Indices | None = None

    def __post_init__(self) -> None:
        if (self.bits is None) == (self.flat is None):
            raise InputError("Entries needs exactly one of bits and flat")
        if self.bits is not None and (self.bits.dtype != np.bool_ or self.bits.shape != self.shape):
            raise InputError(
                f"kept bits must be bool of shape {self.shape}, got {self.bits.dtype} of shape "
                f"{self.bits.shape}"
            )
        if self.flat is not None:
            flat = self.flat
            if flat.dtype != np.int64 or flat.ndim != 1:
                raise InputError(
                    f"kept indices must be a flat int64 array, got {flat.dtype} of shape "
                    f"{flat.shape}"
                )
            if flat.size and (flat[0] < 0 or flat[-1] >= self.total or (np.diff(flat) <= 0).any()):
                raise InputError(
                    f"kept indices must increase strictly within 0 .. {self.total - 1}"
                )

    @property
    def total(self) -> int:
        """The number of entries, kept or not."""
        return math.prod(self.shape)

    @property
    def kept(self) -> int:
        """The number of kept entries."""
        return int(self.bits.sum()) if self.bits is not None else self._flat.size

    @property
    def density(self) -> float:
        """The kept fraction."""
        return self.kept / self.total if self.total else 0.0

    @property
    def _flat(self) -> Indices:
        assert self.flat is not None
        return self.flat

    def indices(self) -> Indices:
        """The kept flat indices, int64, strictly increasing."""
        return np.flatnonzero(self.bits) if self.bits is not None else self._flat

    def dense(self) -> NDArray[np.bool_]:
        """The kept entries as a boolean array of the parameter's shape."""
        if self.bits is not None:
            return self.bits
        bits = np.zeros(self.total, np.bool_)
        bits[self._flat] = True
        return bits.reshape(self.shape)

    def __eq__(self, other: object) -> bool:
        """Equal shapes and equal kept entries, however they are stored."""
        if not isinstance(other, Entries):
            return NotImplemented
        return self.shape == other.shape and np.array_equal(self.indices(), other.indices())

    def __hash__(self) -> int:
        return hash((self.shape, self.kept))


def _own(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only copy: a mask does not change when its maker's array does."""
    copy = np.array(array)
    copy.setflags(write=False)
    return copy


class Mask(Mapping[str, Entries]):
    """Which weights stay, a read-only mapping from parameter names to `Entries`."""

    def __init__(self, entries: Mapping[str, Entries]) -> None:
        self._entries = dict(entries)

    @classmethod
    def dense(cls, bits: Mapping[str, NDArray[np.bool_]]) -> Mask:
        """A mask from boolean arrays, True where a weight stays."""
        return cls({name: Entries(np.shape(b), bits=_own(b)) for name, b in bits.items()})

    @classmethod
    def sparse(cls, kept: Mapping[str, tuple[tuple[int, ...], Indices]]) -> Mask:
        """A mask from (shape, kept flat indices) pairs."""
        return cls({name: Entries(tuple(s), flat=_own(i)) for name, (s, i) in kept.items()})

    def __getitem__(self, name: str) -> Entries:
        """The kept entries of a parameter."""
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        """The parameter names."""
        return iter(self._entries)

    def __len__(self) -> int:
        """The number of masked parameters."""
        return len(self._entries)

    @property
    def kept(self) -> int:
        """The number of kept weights of all masked parameters."""
        return sum(e.kept for e in self.values())

    @property
    def total(self) -> int:
        """The number of weights of all masked parameters."""
        return sum(e.total for e in self.values())

    @property
    def density(self) -> float:
        """The kept fraction of all masked parameters."""
        return self.kept / self.total if self.total else 0.0

    @property
    def sparsity(self) -> float:
        """1 - density."""
        return 1.0 - self.density

    def __repr__(self) -> str:
        return f"Mask({len(self)} parameters, keeps {self.kept:,} of {self.total:,})"
