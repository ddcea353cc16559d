"""Naive rational enumeration over single mask bits, and the instances that the tests share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from strongticket import optimal
from strongticket.optimal import OneHidden, Optimum

KINDS = ("integers", "signs", "dyadic", "floats", "fractions")


@dataclass(frozen=True, eq=False)
class Instance:
    """A frozen network and a sample."""

    network: OneHidden
    x: Any
    y: Any


def instance(
    rng: np.random.Generator,
    kind: str,
    *,
    width: int,
    inputs: int,
    points: int,
    bias: bool = False,
    output_bias: bool = False,
) -> Instance:
    """Random numbers of a kind; integers and signs are full of ties."""

    def draw(*shape: int) -> Any:
        if kind == "integers":
            return rng.integers(-3, 4, shape)
        if kind == "signs":
            return rng.choice([-1.0, 1.0], shape)
        if kind == "dyadic":
            return rng.integers(-256, 257, shape) / 256
        if kind == "floats":  # 53 bits each: their products overflow int64
            return rng.uniform(-1, 1, shape)
        found = np.empty(shape, object)
        for index in np.ndindex(*shape):
            found[index] = Fraction(int(rng.integers(-9, 10)), int(rng.integers(1, 7)))
        return found

    network = OneHidden(
        draw(width, inputs),
        draw(width),
        draw(width) if bias else None,
        draw(1) if output_bias else None,
    )
    return Instance(network, draw(points, inputs), draw(points))


def fractions(values: Any) -> list[Any]:
    """Nested lists of Fractions."""
    if isinstance(values, list):
        return [fractions(v) if isinstance(v, list) else Fraction(v) for v in values]
    found: list[Any] = fractions(np.asarray(values).tolist())
    return found


def loss_of(residuals: list[Fraction], loss: str) -> Fraction:
    """The definition."""
    if loss == "worst case":
        return max(abs(r) for r in residuals)
    power = 1 if loss == "mean absolute" else 2
    return sum((abs(r) ** power for r in residuals), Fraction(0)) / len(residuals)


def masks(
    network: OneHidden, layers: str, mask_biases: bool, whole: bool
) -> Iterator[tuple[list[list[int]], list[int], list[int], int]]:
    """(first layer, hidden bias, output, output bias) of every mask, in the order of numbers."""
    k, d = network.width, network.inputs
    first, last = layers != "output" and not whole, layers != "first" and not whole
    b = first and network.bias is not None and mask_biases
    c = last and network.output_bias is not None and mask_biases
    each = 1 if whole else d * first + b + last
    for number in range(1 << (k * each + c)):
        bits = [number >> i & 1 for i in range(k * each + c)]
        parts = [bits[j * each : (j + 1) * each] for j in range(k)]
        if whole:
            on = [p[0] for p in parts]
            yield [[s] * d for s in on], on, on, 1
        else:
            yield (
                [p[:d] if first else [1] * d for p in parts],
                [p[d * first] if b else 1 for p in parts],
                [p[-1] if last else 1 for p in parts],
                bits[-1] if c else 1,
            )


def naive_loss(given: Instance, mask: tuple[Any, Any, Any, int], loss: str) -> Fraction:
    """The loss of one mask, in Fractions, straight from the definition."""
    net = given.network
    w, v = fractions(net.weights), fractions(net.output)
    b = [Fraction(0)] * net.width if net.bias is None else fractions(net.bias)
    c = Fraction(0) if net.output_bias is None else fractions(net.output_bias)[0]
    first, hidden, output, last = mask
    residuals = []
    for point, label in zip(fractions(given.x), fractions(given.y), strict=True):
        made = c * last
        for j in range(net.width):
            inner = b[j] * hidden[j]
            for weight, keep, value in zip(w[j], first[j], point, strict=True):
                inner += weight * keep * value
            made += v[j] * output[j] * max(inner, Fraction(0))
        residuals.append(label - made)
    return loss_of(residuals, loss)


def naive_best(
    given: Instance, loss: str, layers: str = "both", mask_biases: bool = True, whole: bool = False
) -> tuple[Fraction, int]:
    """(least loss, least number of a mask that has it)."""
    every = masks(given.network, layers, mask_biases, whole)
    losses = [naive_loss(given, mask, loss) for mask in every]
    best = min(losses)
    return best, losses.index(best)


Best = Callable[..., Optimum]


def worse_weights(
    rng: np.random.Generator,
    count: int,
    best_weight: Best = optimal.best_weight_mask,
    best_neuron: Best = optimal.best_neuron_mask,
) -> list[str]:
    """The random instances, of `count`, whose best weight mask is worse than their best neuron's.

    None, if both are what they say: every neuron mask is a weight mask.
    """
    found = []
    shapes = [(2, 2), (3, 2), (2, 3), (4, 1), (3, 3)]
    kinds = itertools.cycle(KINDS[:4])
    for number, kind, loss in zip(range(count), kinds, itertools.cycle(optimal.Loss), strict=False):
        width, inputs = shapes[number % len(shapes)]
        biases = {"bias": number % 7 == 0, "output_bias": number % 11 == 0}
        given = instance(rng, kind, width=width, inputs=inputs, points=6, **biases)
        weight = best_weight(given.network, given.x, given.y, loss=loss)
        neuron = best_neuron(given.network, given.x, given.y, loss=loss)
        if not weight.loss <= neuron.loss:
            found.append(f"instance {number} ({kind}, {loss}): {weight.loss} > {neuron.loss}")
    return found
