"""What a pruning function claims, and the error that names the claim it breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from strongticket.errors import InputError, StrongticketError
from strongticket.testing import oracles

Scope = Literal["layer", "global"]
Unit = Literal["weight", "neuron"]
Scale = Literal["network", "layer", "neuron"]


class NonconformityError(StrongticketError, AssertionError):
    """A pruner that broke a promise: the check's name, what was needed, what came."""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a pruner claims of its masks; `check_pruner` holds it to that and to nothing else.

    Every pruner must give 0/1 masks of the weights' shapes, leave kept weights as they were
    drawn, keep everything at density 1, and give one mask for one seed. The rest is claimed here.

    Attributes:
        scope: whether the density holds in every "layer" or over all weights together ("global");
            None where a density is no promise about counts.
        unit: what is counted: a "weight", or a "neuron" (a row of a weight array, kept or pruned
            as a whole).
        count: (density, n) -> how many of n are kept; the default rounds density * n half up and
            keeps one at least, exactly.
        seeded: masks depend on the seed: some two of many seeds give different masks.
        nested: with one seed, what a density keeps, every larger density keeps as well.
        idempotent: pruning what was pruned, at the same density, gives the same mask.
        permutation_equivariant: renaming hidden neurons renames the mask and changes nothing else.
        scale_invariant: positive factors do not change the mask: one for the whole "network", one
            for each "layer", or one for each hidden "neuron" (in times it, out divided by it).
        refuses_nan: weights that are NaN or infinite raise an exception.
        refuses_bad_density: densities outside (0, 1] raise an exception.
    """

    scope: Scope | None = "layer"
    unit: Unit = "weight"
    count: Callable[[float, int], int] = oracles.keep_count
    seeded: bool = False
    nested: bool = False
    idempotent: bool = False
    permutation_equivariant: bool = False
    scale_invariant: Scale | None = None
    refuses_nan: bool = True
    refuses_bad_density: bool = True

    def __post_init__(self) -> None:
        for name, value, known in (
            ("scope", self.scope, (*get_args(Scope), None)),
            ("unit", self.unit, get_args(Unit)),
            ("scale_invariant", self.scale_invariant, (*get_args(Scale), None)),
        ):
            if value not in known:
                raise InputError(f"{name} is one of {known}, got {value!r}")
