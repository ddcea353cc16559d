"""The cases on which pruners are checked, and the pruner behind one signature."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from strongticket.testing._claims import Claims, NonconformityError
from strongticket.testing._pruners import Pruned, Pruner, Weights, takes_seed

Bits = dict[str, NDArray[np.bool_]]
_GRID = 2.0**-8  # magnitudes are distinct multiples of it: no ties, and exact sums


@dataclass(frozen=True, eq=False)
class Instance:
    """One case: a frozen network without biases, two densities in order, a seed.

    `weights` has "layers.i.weight", (d_{i+1}, d_i) float32, no two of equal magnitude. With
    neurons as units every row's magnitudes lie apart from those of other rows. `order` seeds what
    a check needs besides: permutations, factors, places.
    """

    weights: Weights
    density: float
    denser: float
    seed: int
    order: int


@st.composite
def instances(draw: st.DrawFn, claims: Claims, max_depth: int = 3, max_width: int = 5) -> Instance:
    """Instances for a pruner's checks; shrinks towards one weight, sorted magnitudes, one sign."""
    depth = draw(st.integers(1, max_depth))
    widths = draw(st.lists(st.integers(1, max_width), min_size=depth + 1, max_size=depth + 1))
    order, seed = draw(st.integers(0, 1 << 16)), draw(st.integers(0, 1 << 16))
    shapes = [(b, a) for a, b in pairwise(widths)]
    density = st.one_of(
        st.integers(1, 20).map(lambda k: k / 20),
        st.sampled_from((0.001, 1.0)),
    )
    densities = sorted((draw(density), draw(density)))
    return Instance(frozen_weights(shapes, claims, order), densities[0], densities[1], seed, order)


def frozen_weights(shapes: list[tuple[int, int]], claims: Claims, order: int) -> Weights:
    """Weights of distinct magnitudes, in bands by row where neurons are the unit."""
    rng = np.random.default_rng(order)
    total = sum(a * b for a, b in shapes)
    ranks, signs = np.arange(1, total + 1), np.ones(total)
    if order:  # 0, the simplest, leaves them sorted and positive
        signs = rng.choice((-1.0, 1.0), total)
        if claims.unit == "weight":
            ranks = rng.permutation(ranks)
        else:
            bands = np.split(ranks, np.cumsum([a for b, a in shapes for _ in range(b)])[:-1])
            lengths = [a for b, a in shapes for _ in range(b)]
            # rows of one length exchange their bands, and every row is shuffled
            for length in set(lengths):
                same = [i for i, found in enumerate(lengths) if found == length]
                moved = [bands[i] for i in rng.permutation(same)]
                for i, band in zip(same, moved, strict=True):
                    bands[i] = rng.permutation(band)
            ranks = np.concatenate(bands)
    flat = (ranks * signs * _GRID).astype(np.float32)
    parts = np.split(flat, np.cumsum([a * b for a, b in shapes])[:-1])
    return {
        f"layers.{i}.weight": part.reshape(shape)
        for i, (part, shape) in enumerate(zip(parts, shapes, strict=True))
    }


@dataclass(frozen=True)
class Call:
    """A pruner behind one signature: it gets copies of the weights, and its masks come checked."""

    prune: Pruner

    def raw(self, weights: Weights, density: float, seed: int) -> tuple[Pruned, Weights]:
        """The result as it came, and the arrays that the pruner was given."""
        given = {name: w.copy() for name, w in weights.items()}
        seeds: dict[str, Any] = {"seed": seed} if takes_seed(self.prune) else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a pruner may warn of what it prunes
            found = self.prune(given, density, **seeds)
        return found if isinstance(found, Pruned) else Pruned(found), given

    def __call__(self, weights: Weights, density: float, seed: int) -> Bits:
        """The masks as boolean arrays; NonconformityError where they are none."""
        return masks_of(self.raw(weights, density, seed)[0], weights)


def masks_of(pruned: Pruned, weights: Weights) -> Bits:
    """The masks of a result as boolean arrays of the weights' shapes."""
    if not isinstance(pruned.masks, Mapping):
        raise NonconformityError(
            "a pruner must return masks by name (a dict, a ticket's Mask or Pruned), got "
            f"{type(pruned.masks).__name__}"
        )
    if set(pruned.masks) != set(weights):
        raise NonconformityError(
            f"masks must name the weights {sorted(weights)}, got {sorted(pruned.masks)}"
        )
    found = {}
    for name, weight in weights.items():
        array = array_of(pruned.masks[name])
        if array.shape != weight.shape:
            raise NonconformityError(
                f"the mask of {name} must have its shape {weight.shape}, got {array.shape}"
            )
        if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
            odd = array[~np.isin(array, (0, 1))].ravel()[:1]
            raise NonconformityError(
                f"the mask of {name} must hold 0 and 1 alone, got {array.dtype} with {odd}"
            )
        found[name] = array.astype(np.bool_)
    return found


def array_of(mask: Any) -> NDArray[Any]:
    """A parameter's mask, in whatever form it came, as an array."""
    return np.asarray(mask.dense() if hasattr(mask, "kept") else mask)
