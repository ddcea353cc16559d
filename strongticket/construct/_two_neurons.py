r"""Two random neurons for one weight: one for each sign of its input, chosen and not combined.

A hidden neuron with incoming weight a and outgoing weight b is the product ab for inputs of the
sign of a. So a weight w needs a neuron with a > 0 and one with a < 0, either with ab near w. A rule
says which neurons are good: `BOTH_NEAR` as in the proof of Malach et al. 2020 (a near the weight, b
near one, with signs), `PRODUCT` those with ab itself near w, of which there are far more.

Source: Malach, Yehudai, Shalev-Shwartz, Shamir 2020 (arXiv 2002.00585), appendix A, as recalled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from strongticket.construct._assemble import Pair, assemble
from strongticket.construct._two_layer import LayerAccuracy
from strongticket.errors import ConstructionError, InputError, WidthError
from strongticket.networks import MLP, Network
from strongticket.targets import Target
from strongticket.tickets import Ticket

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Rule = Callable[[Floats, Floats, Floats, float], NDArray[np.bool_]]
"""(|a| (M, n), b times the sign it should have (M, n), |w| (M, 1), accuracy) -> good (M, n)."""

_FAR = 1 << 62
_CHUNK = 1 << 20
_FIRST = 256  # neurons of every pool that are read first


def both_near(a: Floats, b: Floats, weight: Floats, accuracy: float) -> NDArray[np.bool_]:
    """|a - w| and |b - 1| at most the accuracy; then ab is within twice that of w, if |a| <= 1."""
    return (np.abs(a - weight) <= accuracy) & (np.abs(b - 1) <= accuracy)


def near_product(a: Floats, b: Floats, weight: Floats, accuracy: float) -> NDArray[np.bool_]:
    """Any: the product decides alone, and that is compared in integers."""
    del weight, accuracy
    return np.ones(np.broadcast_shapes(a.shape, b.shape), np.bool_)


BOTH_NEAR: Rule = both_near
PRODUCT: Rule = near_product


def two_neurons(
    network: Network,
    target: Target,
    accuracy: Sequence[LayerAccuracy],
    *,
    rule: Rule = PRODUCT,
    pools: Sequence[int] | None = None,
    strict: bool = True,
) -> Ticket:
    """Prune a random network of depth 2L down to the target, two neurons for every weight.

    `network` has widths (d_0, H_1, d_1, ...). The pools are read block by block, twice as many
    neurons each time, until a good one is found; among those read then, the nearest product is
    taken. With `PRODUCT` that is one within the accuracy; with `BOTH_NEAR` one that is within
    twice the accuracy by the rule. `pools` None: one pool for each input (and bias), shared by all
    outputs, of H_l / d_{l-1} neurons. Otherwise every weight that is not 0 has a pool of its own,
    of that many neurons, as in the paper (no biases then).

    Raises ConstructionError where a pool has no good neuron; with ``strict=False`` the nearest
    product is kept instead, or nothing where that is nearer.
    """
    architecture = network.architecture
    if not isinstance(architecture, MLP) or architecture.widths[::2] != target.widths:
        raise WidthError(
            f"the construction needs a Network.mlp of depth {2 * target.depth} whose even widths "
            f"are the target's {target.widths}, got {getattr(architecture, 'widths', architecture)}"
        )
    if len(accuracy) != target.depth or (pools is not None and len(pools) != target.depth):
        raise InputError(f"a target of depth {target.depth} needs as many accuracies and pools")
    pairs = []
    for layer, wanted in enumerate(accuracy):
        build = _Layer(
            network, target, layer, wanted, rule, None if pools is None else pools[layer]
        )
        nonnegative = layer > 0 or target.domain.nonnegative
        found = [build.solve(sign, strict) for sign in ((1,) if nonnegative else (1, -1))]
        edges, reads = (np.concatenate(parts) for parts in zip(*found, strict=True))
        report = {"pool": build.size, "candidates_read": build.read}
        sizes = (build.inputs, build.hidden, build.outputs)
        pairs.append(Pair(layer, sizes, edges, reads, report))
    return assemble(network, target, "two neurons for one weight", pairs)


class _Layer:
    """The weights of one target layer, (M,), and where their pools begin."""

    def __init__(
        self,
        network: Network,
        target: Target,
        layer: int,
        wanted: LayerAccuracy,
        rule: Rule,
        own: int | None,
    ) -> None:
        architecture = network.architecture
        assert isinstance(architecture, MLP)
        self.network, self.layer, self.rule, self.read = network, layer, rule, 0
        self.inputs, self.hidden, self.outputs = architecture.widths[2 * layer : 2 * layer + 3]
        self.first, self.second = f"layers.{2 * layer}.weight", f"layers.{2 * layer + 1}.weight"
        self.bias = f"layers.{2 * layer}.bias"
        values = target.weights[layer].astype(np.float64)
        shift = target.biases[layer]
        if shift is not None:
            values = np.column_stack([values, shift.astype(np.float64)])
            if own is not None or not architecture.biases[2 * layer]:
                raise WidthError(
                    f"target layer {layer} has a bias: random layer {2 * layer} needs biases, and "
                    "pools that are shared by all outputs"
                )
        self.rows, self.columns = np.nonzero(values)
        self.values = values[self.rows, self.columns]
        blocks = self.inputs + (shift is not None)
        if own is None:
            if self.hidden % blocks:
                raise WidthError(
                    f"random layer {2 * layer} must have a multiple of {blocks} neurons, one pool "
                    f"an input{' and one for the bias' if shift is not None else ''}; it has "
                    f"{self.hidden}"
                )
            self.size = self.hidden // blocks
            self.starts = self.columns * self.size
        else:
            self.size = own
            self.starts = np.arange(self.rows.size) * own
            if self.rows.size * own > self.hidden:
                raise WidthError(
                    f"{self.rows.size} weights with a pool of {own} neurons each need "
                    f"{self.rows.size * own} neurons in random layer {2 * layer}; it has "
                    f"{self.hidden}"
                )
        exponents = [network[name].law.exponent for name in (self.first, self.second)]
        if None in exponents or (
            shift is not None and network[self.bias].law != network[self.first].law
        ):
            raise InputError(
                f"{self.first} and {self.second} need laws with power-of-two scales, and biases "
                "the law of their weights, so that products stay on one dyadic grid"
            )
        self.units = 2.0 ** int(exponents[0] or 0), 2.0 ** int(exponents[1] or 0)
        grid = self.values / self.units[0] / self.units[1]  # exact: powers of two
        if np.abs(grid).max(initial=0.0) >= 2.0**60:
            raise InputError(f"layer {layer} has weights far beyond products of random ones")
        self.goals = np.rint(grid).astype(np.int64)
        self.accuracy = wanted.weight
        limits = np.full(blocks, wanted.weight)
        if shift is not None:
            limits[-1] = wanted.bias or wanted.weight
        # rounding the target to the grid may cost half a step: leave room for one
        steps = np.floor(np.minimum(limits / self.units[0] / self.units[1], 2.0**61))
        exact = grid == self.goals
        self.limits = (steps[self.columns] - ~exact).astype(np.int64)

    def solve(self, sign: int, strict: bool) -> tuple[Ints, Ints]:
        """(kept flat indices, the input that each reads) for inputs of one sign."""
        left = np.arange(self.rows.size)
        if sign < 0:  # a bias needs no negative neuron
            left = left[self.columns[left] < self.inputs]
        best = np.full(self.rows.size, _FAR)
        at = np.full(self.rows.size, -1)
        whole, low, count = left, 0, min(_FIRST, self.size)
        while left.size and low < self.size:
            for part in np.array_split(left, max(1, left.size * count // _CHUNK)):
                score, found = self._look(part, sign, low, count)
                better = score < best[part]
                best[part[better]], at[part[better]] = score[better], found[better]
            left = left[best[left] >= _FAR // 2]
            low, count = low + count, min(2 * count, self.size - low - count)
            self.read = max(self.read, low)
        if left.size and strict:
            self._fail(left, sign)
        rest = np.where(best >= _FAR // 2, best - _FAR // 2, best)
        keep = whole[rest[whole] < np.abs(self.goals[whole])]
        return self.rows[keep] * self.hidden + at[keep], self.columns[keep]

    def _look(self, part: Ints, sign: int, low: int, count: int) -> tuple[Ints, Ints]:
        """The nearest good product of each weight among `count` neurons, and its neuron.

        A score of 2^61 and more is that of the nearest product that is not good.
        """
        neurons = self.starts[part, None] + low + np.arange(count)
        columns = self.columns[part, None]
        a = np.empty(neurons.shape, np.int64)
        own = self.columns[part] == self.inputs
        a[~own] = self.network.units_at(self.first, neurons[~own] * self.inputs + columns[~own])
        if own.any():
            a[own] = self.network.units_at(self.bias, neurons[own])
        b = self.network.units_at(
            self.second, self.rows[part, None] * self.hidden + neurons
        ).astype(np.int64)
        distance = np.abs(a * b - self.goals[part, None])
        outward = np.sign(self.values[part, None]) * sign
        good = self.rule(
            np.abs(a) * self.units[0],
            b * outward * self.units[1],
            np.abs(self.values[part, None]),
            self.accuracy,
        )
        if self.rule is PRODUCT:
            good = distance <= self.limits[part, None]
        score = np.where(good, distance, distance + _FAR // 2)
        score = np.where(a * sign > 0, score, _FAR)
        found = score.argmin(1)
        pick = np.arange(part.size)
        return score[pick, found], neurons[pick, found]

    def _fail(self, left: Ints, sign: int) -> None:
        worst = int(left[0])
        j, k = int(self.rows[worst]), int(self.columns[worst])
        what = f"bias {j}" if k == self.inputs else f"weight ({j}, {k})"
        raise ConstructionError(
            f"none of {self.size} neurons serves {what} of layer {self.layer} = "
            f"{self.values[worst]:.9g} to {self.accuracy:.3g} (inputs of sign {sign:+d}; "
            f"{left.size} weights missed). Use the theorem's width, a larger epsilon, or "
            "strict=False and let the certificate judge."
        )
