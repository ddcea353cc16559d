"""`Optimum`: a best mask with what is proved about it and what is only claimed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket.optimal._losses import Loss
from strongticket.tickets import Mask


@dataclass(frozen=True)
class Optimum:
    """The best mask that a method found, its exact loss, and a lower bound for every mask.

    Attributes:
        loss: the exact loss of `mask`, computed again from the network's own weights.
        bound: no mask has a smaller loss: a Fraction where that is proved in rational arithmetic
            (even where the optimum is not), a float where a solver claims it.
        proved: whether `mask` is proved optimal. Never on a solver's word.
        objective: which loss.
        method: how it was found.
        masks: "weight" or "neuron".
        mask: the mask, with the names of `Network.mlp`, as `Ticket(network, mask)` takes it.
        number: the mask's number: neuron by neuron from the lowest bit, in a neuron its inputs in
            order, its bias, its output weight, as far as they are maskable; 1 is kept. Exhaustion
            gives the least number of all best masks, the other methods give one of them.
        maskable: the number of maskable bits, so that 2^maskable masks are covered.
        distinct: how many of them differ in what they do to the sample, neuron by neuron.
        examined: how many distinct masks were evaluated one by one, in exact arithmetic.
        nodes: relaxations solved (0 in exhaustion; a solver's own count with `MILP`).
    """

    loss: Fraction
    bound: Fraction | float
    proved: bool
    objective: Loss
    method: str
    masks: str
    mask: Mask
    number: int
    maskable: int
    distinct: int
    examined: int
    nodes: int

    @property
    def gap(self) -> float:
        """Loss - bound, rounded up; 0 where they meet, infinity where there is no bound."""
        if isinstance(self.bound, float) and not math.isfinite(self.bound):
            return math.inf
        exact = self.loss - Fraction(self.bound)
        if exact <= 0:
            return 0.0
        return float(np.nextafter(as_float(exact), np.inf))

    @property
    def first(self) -> NDArray[np.bool_]:
        """Which first-layer weights stay, (k, d)."""
        return self.mask["layers.0.weight"].dense()

    @property
    def output(self) -> NDArray[np.bool_]:
        """Which output weights stay, (k,)."""
        row: NDArray[np.bool_] = self.mask["layers.1.weight"].dense()[0]
        return row

    @property
    def bias(self) -> NDArray[np.bool_] | None:
        """Which hidden biases stay, (k,), or None where there are none."""
        return self.mask["layers.0.bias"].dense() if "layers.0.bias" in self.mask else None

    @property
    def output_bias(self) -> bool | None:
        """Whether the output's bias stays, or None where there is none."""
        if "layers.1.bias" not in self.mask:
            return None
        return bool(self.mask["layers.1.bias"].dense()[0])

    @property
    def verdict(self) -> str:
        """What is proved and what is only claimed, in one sentence."""
        if self.proved:
            return f"proved optimal by {self.method}, in exact arithmetic"
        kind = (
            "proved"
            if isinstance(self.bound, Fraction)
            else "claimed by HiGHS within its tolerances, not proved"
        )
        return (
            f"best found by {self.method}; lower bound {as_float(self.bound):.9g} {kind}, "
            f"gap {self.gap:.3g}"
        )

    def __repr__(self) -> str:
        return (
            f"Optimum({self.masks} mask, {self.objective} loss {as_float(self.loss):.9g} (exact "
            f"rational), {self.verdict}; {self.maskable} maskable bits, {self.distinct:,} distinct "
            f"masks, {self.examined:,} examined, {self.nodes:,} nodes)"
        )


def as_float(value: Fraction | float) -> float:
    """The nearest float64, infinity beyond the largest."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
