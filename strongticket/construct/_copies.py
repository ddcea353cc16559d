r"""Depth L + 1: only the first target layer costs two layers, every further one costs one.

The first two random layers make several copies of each neuron of the first hidden layer, by two
layers for one. From there on a random weight needs no partner: copy c of neuron j in the next
layer chooses, for every neuron i below, a subset S of the copies of i with

.. math:: \sum_{k \in S} u_{(j,c),(i,k)} \approx w_{ji}.

Copies differ by their errors, so the errors of a layer are amplified by

.. math:: \alpha = \max_{j,c} \sum_i \sum_{k \in S} |u_{(j,c),(i,k)}|,

the mass of the selected weights, not by :math:`\|W\|_\infty`. Layers are solved from the last to
the first: then alpha is known where the accuracy of the layer below is chosen, and copies that
nobody reads are not made at all.

Activations. Leaky ReLU of slope s: a group of positive incoming weights with sum P and one of
negative ones with sum Q act as P + s Q on y >= 0 and as s P + Q on y < 0, so both aim at
w / (1 + s); on inputs known to be non-negative the positive group alone aims at w, as with ReLU.
Tanh is close to the identity for small inputs: with small incoming weights every hidden neuron
serves both signs, and b tanh(a y) differs from b a y by at most :math:`|b| |a y|^3 / 3`.

Source: the construction of Burkholz 2022 (arXiv 2205.02321) in the form of its published code;
the error amplification is ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from strongticket import subsetsum
from strongticket.construct._pool import Pool, Window
from strongticket.construct._two_layer import (
    _LARGEST_WINDOW,
    _SMALLEST_WINDOW,
    LayerAccuracy,
    Objective,
    Progress,
    _Layer,
    _name,
)
from strongticket.errors import InputError, WidthError
from strongticket.networks import MLP, Network
from strongticket.targets import Target
from strongticket.tickets import Mask, Ticket

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Accuracies = Sequence[LayerAccuracy] | Callable[[int, Fraction], LayerAccuracy]


def copies(
    network: Network,
    target: Target,
    accuracy: Accuracies,
    *,
    objective: Objective = subsetsum.lightest,
    first: Objective = subsetsum.within,
    window: int | None = None,
    strict: bool = True,
    progress: Progress | None = None,
) -> Ticket:
    r"""Prune a random network of depth L + 1 until it is the target.

    `network` has widths (d_0, H, r_1 m_1, ..., r_{L-1} m_{L-1}, d_L): r_l copies each of the m_l
    neurons of hidden layer l, which are the target's d_l and, where a deeper layer has a bias, one
    more that is constantly 1. H is a multiple of d_0 (+ 1 where the first layer has a bias or the
    constant is needed; then random layer 0 has biases). A target of one layer gets two.

    `accuracy` gives one `LayerAccuracy` a target layer, or says what a layer must reach as a
    function of its number and of the product of all alpha above it. `objective` serves the layers
    from the second on, where the mass of a subset amplifies errors; `first` the first layer, where
    it does not. `window`, `strict` and `progress` as in `two_layer`.

    The activation of network and target is ReLU, leaky ReLU, or tanh (with no bias beyond the
    first layer, and a small scale of random layer 0).

    The provenance counts copies, candidates, kept weights, and alpha ("mass") of each layer.
    Raises WidthError, InputError; ConstructionError where a weight misses after all copies.
    """
    layers = extended(target)
    plan = _check(network, target, layers)
    aims = accuracy if callable(accuracy) else _table(accuracy, target.depth)
    report = progress or (lambda *_: None)
    kept: dict[str, tuple[tuple[int, ...], Ints]] = {}
    reports: list[dict[str, Any]] = []
    amplification = Fraction(1)
    rows = np.arange(target.widths[-1])  # the units that somebody reads
    for layer in range(target.depth - 1, 0, -1):
        wanted = aims(layer, amplification)
        pool = _Copies(network, layer + 1, plan[layer - 1], rows)
        build = _solver(pool, layers[layer], plan[layer], layer, wanted, objective, window)
        edges = np.sort(build.solve(1, strict, report))
        mass = pool.mass(edges)
        kept[pool.second] = ((pool.outputs, pool.hidden), pool.whole(edges))
        reports.append(_report(build, pool.size, rows.size, edges.size, mass))
        amplification *= Fraction(mass)
        rows = np.unique(edges % pool.hidden)
    wanted = aims(0, amplification)
    one_sided = target.domain.nonnegative
    share = 1 if one_sided or not target.activation.linear else 1 + target.activation.slope
    if share != 1:
        wanted = LayerAccuracy(wanted.weight / share, (wanted.bias or wanted.weight))
    pair = _Rows(network, layers[0], rows)
    build = _solver(pair, layers[0], plan[0], 0, wanted, first, window, share)
    signs = (0,) if not target.activation.linear else (1,) if one_sided else (1, -1)
    edges = np.sort(np.concatenate([build.solve(sign, strict, report) for sign in signs]))
    hidden = np.unique(edges % pair.hidden)
    block = hidden // pair.size
    weights = hidden[block < pair.inputs] * pair.inputs + block[block < pair.inputs]
    kept[pair.second] = ((pair.outputs, pair.hidden), pair.whole(edges))
    kept[pair.first] = ((pair.hidden, pair.inputs), weights)
    if pair.bias in network.masked:
        kept[pair.bias] = ((pair.hidden,), hidden[block == pair.inputs])
    reports.append(_report(build, pair.size, rows.size, edges.size + hidden.size, None))
    reports[-1]["live_neurons"] = int(hidden.size)
    for name in network.masked:
        kept.setdefault(name, (network[name].shape, np.empty(0, np.int64)))
    provenance: dict[str, Any] = {
        "construction": "copies, depth L + 1",
        "objective": _name(objective),
        "first_objective": _name(first),
        "target": target.digest,
        "blocks": [2] + [1] * (target.depth - 1),
        "copies": [
            [[neuron, count] for neuron in range(len(w))]
            for (w, _), count in zip(layers[:-1], plan[:-1], strict=True)
        ],
        "layers": reports[::-1],
    }
    return Ticket(network, Mask.sparse(kept), provenance=provenance)


def extended(target: Target) -> tuple[tuple[Floats, Floats | None], ...]:
    """The target's layers with a neuron that is 1 added wherever a deeper layer has a bias."""
    found: list[tuple[Floats, Floats | None]] = []
    below = False  # whether the layer below has the constant
    for i, (w, b) in enumerate(zip(target.weights, target.biases, strict=True)):
        above = any(bias is not None for bias in target.biases[i + 1 :])
        shift = np.zeros(len(w), np.float32) if b is None else b
        if i and below:
            w = np.column_stack([w, shift])
        if above:
            one = np.zeros((1, w.shape[1]), np.float32)
            if i:
                one[0, -1] = 1
            w = np.concatenate([w, one])
            shift = np.append(shift, np.float32(1))
        found.append((w, shift if not i and (b is not None or above) else None))
        below = above
    return tuple(found)


class _Copies(Pool):
    """One random layer whose inputs come in copies; `rows` are the units to be built."""

    def __init__(self, network: Network, layer: int, count: int, rows: Ints) -> None:
        architecture = network.architecture
        assert isinstance(architecture, MLP)
        self.network, self.rows = network, rows
        self.hidden, self.outputs = architecture.widths[layer : layer + 2]
        self.inputs = self.blocks = self.hidden // count
        self.size = count
        self.second = f"layers.{layer}.weight"
        self.exponent = _exponent(network, self.second)
        self._seen = 0

    @property
    def read(self) -> int:
        """How many copies of every neuron have been looked at."""
        return self._seen

    def window(self, number: int, size: int, sign: int) -> Window | None:
        """Copies number * size, ... of every neuron; None where there are no more."""
        del sign
        copies = np.arange(number * size, min((number + 1) * size, self.size))
        if not copies.size:
            return None
        self._seen = max(self._seen, int(copies[-1]) + 1)
        everyone = np.tile(copies, (self.blocks, 1))
        return Window(everyone, np.ones_like(everyone))

    def outgoing(self, rows: Ints, neurons: Ints, blocks: Ints) -> Ints:
        """As `Pool.outgoing`, for rows counted among those to be built."""
        return super().outgoing(self.rows[rows], neurons, blocks)

    def whole(self, edges: Ints) -> Ints:
        """Flat indices among the rows to be built as flat indices of the whole matrix."""
        return _whole(self, edges)

    def mass(self, edges: Ints) -> float:
        """alpha: the largest sum of absolute kept weights of a row; exact."""
        units = self.network.units_at(self.second, self.whole(edges)).astype(np.int64)
        sums = np.zeros(max(self.rows.size, 1), np.int64)
        np.add.at(sums, edges // self.hidden, np.abs(units))
        return math.ldexp(float(sums.max()), self.exponent)


class _Rows(Pool):
    """The first two random layers, of whose outputs only `rows` are to be built."""

    def __init__(self, network: Network, layer: tuple[Floats, Floats | None], rows: Ints) -> None:
        super().__init__(network, 0, layer[1] is not None)
        self.rows = rows

    def outgoing(self, rows: Ints, neurons: Ints, blocks: Ints) -> Ints:
        """As `Pool.outgoing`, for rows counted among those to be built."""
        return super().outgoing(self.rows[rows], neurons, blocks)

    def whole(self, edges: Ints) -> Ints:
        """Flat indices among the rows to be built as flat indices of the whole matrix."""
        return _whole(self, edges)


def _whole(pool: _Copies | _Rows, edges: Ints) -> Ints:
    found: Ints = pool.rows[edges // pool.hidden] * pool.hidden + edges % pool.hidden
    return found


def _solver(
    pool: _Copies | _Rows,
    layer: tuple[Floats, Floats | None],
    count: int,
    number: int,
    wanted: LayerAccuracy,
    objective: Objective,
    window: int | None,
    share: float = 1,
) -> _Layer:
    """The solver of one layer: row r is the target's neuron `rows[r] // count`.

    Weights, not biases, are divided by `share`.
    """
    w, b = layer
    neurons = pool.rows // count
    wide = w[neurons].astype(np.float64) / share
    rows = _Wanted((wide,), (None if b is None else b[neurons],))
    if window is None and isinstance(pool, _Copies):
        scale = 2.0 ** (pool.exponent + 24)
        bits = math.ceil(math.log2(max(scale / wanted.weight, 1.0))) + 4
        window = min(max(bits, _SMALLEST_WINDOW), _LARGEST_WINDOW)
    build = _Layer(pool, cast(Target, rows), 0, wanted, objective, window)
    build.layer = number
    return build


@dataclass(frozen=True)
class _Wanted:
    """The weights and biases of rows, as `_Layer` reads them of a target."""

    weights: tuple[NDArray[np.float64], ...]
    biases: tuple[Floats | None, ...]


def _report(build: _Layer, pool: int, rows: int, kept: int, mass: float | None) -> dict[str, Any]:
    found = {
        "pool": pool,
        "window": build.window,
        "candidates_read": build.pool.read,
        "live_neurons": rows,
        "units": rows,
        "kept": int(kept),
        "missed": build.missed,
        "retried": build.retried,
    }
    return found if mass is None else {**found, "mass": mass}


def _table(
    accuracy: Sequence[LayerAccuracy], depth: int
) -> Callable[[int, Fraction], LayerAccuracy]:
    if len(accuracy) != depth:
        raise InputError(f"a target of depth {depth} needs {depth} accuracies, got {len(accuracy)}")
    return lambda layer, amplification: accuracy[layer]


def _exponent(network: Network, name: str) -> int:
    exponent = network[name].law.exponent
    if exponent is None:
        raise InputError(
            f"the law of {name} needs a power-of-two scale, so that sums of its weights stay on "
            "one dyadic grid"
        )
    return exponent


def _check(
    network: Network, target: Target, layers: Sequence[tuple[Floats, Floats | None]]
) -> list[int]:
    """How many copies each hidden neuron has, layer by layer; 1 for the outputs."""
    architecture = network.architecture
    if not isinstance(architecture, MLP):
        raise InputError("the construction prunes a Network.mlp, not a user's model")
    if architecture.activation != target.activation:
        raise InputError(
            f"the target has the activation {target.activation}, the random network "
            f"{architecture.activation}; draw it with activation={target.activation.text!r}"
        )
    if target.activation.name == "sigmoid":
        raise InputError("copies of sigmoid neurons are not constructed; use relu or tanh")
    if not target.activation.linear and any(b is not None for b in target.biases[1:]):
        raise InputError(
            f"behind {target.activation} the constant neuron would be irrational: only the first "
            "layer may have a bias"
        )
    if architecture.depth != target.depth + 1:
        raise WidthError(
            f"a target of depth {target.depth} needs a random network of depth {target.depth + 1}; "
            f"got depth {architecture.depth}"
        )
    widths = architecture.widths
    if (widths[0], widths[-1]) != (target.widths[0], target.widths[-1]):
        raise WidthError(
            f"the random network has {widths[0]} inputs and {widths[-1]} outputs, the target "
            f"{target.widths[0]} and {target.widths[-1]}"
        )
    counts = []
    for i, ((w, _), width) in enumerate(zip(layers[:-1], widths[2:-1], strict=True)):
        if width % len(w):
            raise WidthError(
                f"layer {i + 2} of the random network must be a multiple of {len(w)} wide: copies "
                f"of {target.widths[i + 1]} neurons"
                f"{' and of a constant' if len(w) > target.widths[i + 1] else ''}; it is {width}"
            )
        counts.append(width // len(w))
    return [*counts, 1]


def source_widths(target: Target, pool: int, counts: Sequence[int]) -> tuple[int, ...]:
    """The widths of a random network with that pool an input and those copies a neuron."""
    layers = extended(target)
    if len(counts) != target.depth - 1 or min([pool, *counts]) < 1:
        raise InputError(
            f"a target of depth {target.depth} needs {target.depth - 1} numbers of copies >= 1 "
            f"and a pool >= 1, got {list(counts)} and {pool}"
        )
    hidden = pool * (target.widths[0] + (layers[0][1] is not None))
    inner = [len(w) * count for (w, _), count in zip(layers[:-1], counts, strict=True)]
    return (target.widths[0], hidden, *inner, target.widths[-1])
