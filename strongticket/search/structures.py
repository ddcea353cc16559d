"""Structured masks: one score a group of weights, or n of every m weights.

A structure says how a parameter of given shape falls into groups. A group's gate is that of all
its weights, and its score's gradient the sum of theirs.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import Tensor

from strongticket.errors import InputError
from strongticket.search.selection import whole

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Structure(ABC):
    """How weights share a score; its members are `Rows`, `Columns`, `Heads`, `Blocks`, `NofM`."""

    @abstractmethod
    def split(self, shape: Shape) -> tuple[Shape, tuple[int, ...]]:
        """(view, axes): the parameter seen in `view`, groups run over `axes`; or InputError."""

    def shape(self, shape: Shape) -> Shape:
        """The shape of the scores of a parameter of `shape`."""
        view, axes = self.split(shape)
        return tuple(n for axis, n in enumerate(view) if axis not in axes)

    def expand(self, gates: Tensor, shape: Shape) -> Tensor:
        """Gates of groups as gates of weights, in the parameter's shape."""
        view, axes = self.split(shape)
        thin = tuple(1 if axis in axes else n for axis, n in enumerate(view))
        return gates.reshape(thin).expand(view).reshape(shape)

    def reduce(self, weights: Tensor, shape: Shape) -> Tensor:
        """The sums over groups, in the shape of the scores."""
        view, axes = self.split(shape)
        return weights.reshape(view).sum(axes) if axes else weights.reshape(view)

    @property
    def pattern(self) -> tuple[int, int] | None:
        """(n, m) where n of every m weights are kept, else None."""
        return None

    @property
    @abstractmethod
    def text(self) -> str:
        """What `structure` reads back."""


@dataclass(frozen=True)
class Rows(Structure):
    """Output units: all weights of one index of the first axis."""

    def split(self, shape: Shape) -> tuple[Shape, tuple[int, ...]]:
        """(d_0, all others)."""
        return (shape[0], math.prod(shape[1:])), (1,)

    @property
    def text(self) -> str:
        """The word rows."""
        return "rows"


@dataclass(frozen=True)
class Columns(Structure):
    """Input units or channels: all weights of one index of the second axis."""

    def split(self, shape: Shape) -> tuple[Shape, tuple[int, ...]]:
        """(d_0, d_1, all others)."""
        if len(shape) < 2:
            raise InputError(f"columns need two axes or more, got shape {shape}")
        return (shape[0], shape[1], math.prod(shape[2:])), (0, 2)

    @property
    def text(self) -> str:
        """The word columns."""
        return "columns"


@dataclass(frozen=True)
class Heads(Structure):
    """Attention heads: ``count`` equal runs of the first axis, or of the second (`axis` 1).

    Where `parts` projections are stacked along that axis (3 in a fused query, key, value weight),
    a head is its run in each of them, and goes as a whole.
    """

    count: int
    axis: int = 0
    parts: int = 1

    def __post_init__(self) -> None:
        whole("the number of heads is an integer", self.count, 1)
        whole("the number of stacked projections is an integer", self.parts, 1)
        if self.axis not in (0, 1):
            raise InputError(f"heads run along axis 0 or 1, got {self.axis!r}")

    def split(self, shape: Shape) -> tuple[Shape, tuple[int, ...]]:
        """The axis in that many runs, of each projection."""
        runs = self.parts * self.count
        if len(shape) <= self.axis or shape[self.axis] % runs:
            each = f", {self.parts} times," if self.parts > 1 else ""
            raise InputError(
                f"{self.count} heads{each} must divide axis {self.axis} of shape {shape}"
            )
        inside = math.prod(shape[self.axis :]) // runs
        return (math.prod(shape[: self.axis]) * self.parts, self.count, inside), (0, 2)

    @property
    def text(self) -> str:
        """``heads:N``, or ``heads:N:1``; ``heads:NxP`` where P projections are stacked."""
        stacked = f"x{self.parts}" if self.parts > 1 else ""
        return f"heads:{self.count}{stacked}" + (":1" if self.axis else "")


@dataclass(frozen=True)
class Blocks(Structure):
    """Tiles of `rows` x `columns` of the matrix (first axis, all others)."""

    rows: int
    columns: int

    def __post_init__(self) -> None:
        whole("a block's rows are an integer", self.rows, 1)
        whole("a block's columns are an integer", self.columns, 1)

    def split(self, shape: Shape) -> tuple[Shape, tuple[int, ...]]:
        """Both axes in runs."""
        tall, wide = shape[0], math.prod(shape[1:])
        if tall % self.rows or wide % self.columns:
            raise InputError(
                f"blocks of {self.rows} x {self.columns} must tile the matrix {tall} x {wide} of "
                f"shape {shape}"
            )
        return (tall // self.rows, self.rows, wide // self.columns, self.columns), (1, 3)

    @property
    def text(self) -> str:
        """blocks:rows x columns."""
        return f"blocks:{self.rows}x{self.columns}"


@dataclass(frozen=True)
class NofM(Structure):
    """n of every m consecutive weights of a row (first axis; all other axes in C order)."""

    n: int
    m: int

    def __post_init__(self) -> None:
        whole("n of every m weights: n is an integer", self.n, 1)
        whole("n of every m weights: m is an integer", self.m, self.n)

    def split(self, shape: Shape) -> tuple[Shape, tuple[int, ...]]:
        """One score a weight."""
        if math.prod(shape[1:]) % self.m:
            raise InputError(f"{self.m} must divide the row length of shape {shape}")
        return shape, ()

    @property
    def pattern(self) -> tuple[int, int] | None:
        """(n, m)."""
        return self.n, self.m

    @property
    def text(self) -> str:
        """n:m."""
        return f"{self.n}:{self.m}"


Structured = Structure | str | None


def structure(given: Structure | str) -> Structure:
    """A structure, or what a text names: rows, columns, heads:8, heads:8x3, blocks:4x4, 2:4."""
    if isinstance(given, Structure):
        return given
    text = given if isinstance(given, str) else ""
    if text in ("rows", "columns"):
        return Rows() if text == "rows" else Columns()
    if found := re.fullmatch(r"heads:(\d+)(?:x(\d+))?(?::([01]))?", text):
        return Heads(int(found[1]), int(found[3] or 0), int(found[2] or 1))
    if found := re.fullmatch(r"blocks:(\d+)x(\d+)", text):
        return Blocks(int(found[1]), int(found[2]))
    if found := re.fullmatch(r"(\d+):(\d+)", text):
        return NofM(int(found[1]), int(found[2]))
    raise InputError(
        "structure is 'rows', 'columns', 'heads:COUNT' (xPARTS where projections are stacked), "
        "'blocks:ROWSxCOLUMNS' or 'N:M', got "
        f"{given!r}"
    )


def of_parameters(
    given: Structured | Mapping[str, Structure | str], shapes: Mapping[str, Shape]
) -> dict[str, Structure]:
    """The structure of each parameter that has one: the first pattern of a mapping that matches."""
    if given is None:
        return {}
    rules = given if isinstance(given, Mapping) else {"*": given}
    found: dict[str, Structure] = {}
    for pattern, value in rules.items():
        names = [name for name in shapes if fnmatchcase(name, pattern)]
        if not names:
            raise InputError(f"no masked parameter matches {pattern!r}; masked: {list(shapes)}")
        for name in names:
            found.setdefault(name, structure(value))
    for name, kind in found.items():
        try:
            kind.split(shapes[name])
        except InputError as error:
            raise InputError(f"{name!r}: {error}") from None
    return found
