"""Strategies for architectures, frozen networks, masks and tickets."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.laws import Law, Uniform
from strongticket.networks import MLP, Network
from strongticket.testing import _numbers
from strongticket.testing._numbers import Strategy
from strongticket.tickets import Mask, Ticket

Bits = NDArray[np.bool_]
_SEEDS = st.one_of(st.integers(0, 15), st.integers(0, (1 << 64) - 1))
_DRAWN_BITS = 512  # larger masks come from a seed: entry by entry they would drown Hypothesis


def architectures(
    *,
    max_depth: int = 3,
    max_width: int = 5,
    biases: bool | None = None,
    depths: tuple[int, ...] | None = None,
) -> Strategy[MLP]:
    """Fully connected architectures; shrinks towards one layer from 1 to 1 without bias.

    Args:
        max_depth: the most layers.
        max_width: the largest width.
        biases: whether layers have biases; None for each layer its own.
        depths: the depths to draw from, instead of 1 to `max_depth`.
    """
    if max_depth < 1 or max_width < 1 or (depths is not None and min(depths, default=0) < 1):
        raise InputError(
            f"architectures needs depths and widths >= 1, got {max_depth!r}, {max_width!r}, "
            f"{depths!r}"
        )
    widths, flag = st.integers(1, max_width), st.booleans() if biases is None else st.just(biases)
    chosen = st.integers(1, max_depth) if depths is None else st.sampled_from(depths)
    return chosen.flatmap(
        lambda depth: st.builds(
            MLP,
            st.lists(widths, min_size=depth + 1, max_size=depth + 1).map(tuple),
            st.tuples(*[flag] * depth),
        )
    )


def networks(
    architectures: Strategy[MLP] | None = None, laws: Strategy[Law] | None = None
) -> Strategy[Network]:
    """Frozen random networks, a law for each layer; shrinks towards seed 0 and U[-1, 1].

    Args:
        architectures: what to draw the architecture from; None: `architectures()`.
        laws: what to draw every layer's law from; None: `laws()`.
    """
    shapes = _architectures() if architectures is None else architectures
    return _drawn_networks(shapes, _numbers.laws() if laws is None else laws)


@st.composite
def _drawn_networks(draw: st.DrawFn, shapes: Strategy[MLP], laws: Strategy[Law]) -> Network:
    mlp = draw(shapes)
    drawn = draw(st.lists(laws, min_size=mlp.depth, max_size=mlp.depth))
    return Network.mlp(mlp.widths, laws=drawn, seed=draw(_SEEDS), biases=mlp.biases)


_architectures = architectures  # `networks` has an argument of that name


def masks(network: Network | None = None) -> Strategy[Mask]:
    """Masks of a network's masked parameters; shrinks towards the mask that keeps nothing.

    Args:
        network: whose weights to mask; None draws one by `networks()`.
    """
    return networks().flatmap(_masks) if network is None else _masks(network)


@st.composite
def _masks(draw: st.DrawFn, network: Network) -> Mask:
    return _stored(draw, network, {n: draw(_bits(network[n].shape)) for n in network.masked})


def neuron_masks(network: Network | None = None) -> Strategy[Mask]:
    """Masks that keep or prune whole hidden neurons: their incoming and outgoing weights.

    Args:
        network: a `Network.mlp`; None draws one by `networks()`.
    """
    if network is None:
        return networks().flatmap(neuron_masks)
    if not isinstance(network.architecture, MLP):
        raise InputError("neuron_masks needs a Network.mlp, whose neurons strongticket knows")
    return _neuron_masks(network, network.architecture)


@st.composite
def _neuron_masks(draw: st.DrawFn, network: Network, architecture: MLP) -> Mask:
    ends = [np.ones(architecture.widths[i], np.bool_) for i in (0, -1)]
    inner = [draw(_bits((width,))) for width in architecture.widths[1:-1]]
    alive = [ends[0], *inner, ends[1]]
    bits: dict[str, Bits] = {}
    for i, biased in enumerate(architecture.biases):
        bits[f"layers.{i}.weight"] = np.outer(alive[i + 1], alive[i])
        if biased:
            bits[f"layers.{i}.bias"] = alive[i + 1]
    return _stored(draw, network, bits)


def tickets(networks: Strategy[Network] | None = None) -> Strategy[Ticket]:
    """Tickets: a network and any mask of it.

    Args:
        networks: what to draw the network from; None: `networks()`.
    """
    drawn = _networks() if networks is None else networks
    return drawn.flatmap(lambda network: _masks(network).map(lambda mask: Ticket(network, mask)))


_networks = networks


def two_layer_tickets(
    *,
    max_depth: int = 2,
    max_width: int = 3,
    max_hidden: int = 6,
    biases: bool | None = None,
) -> Strategy[Ticket]:
    """Tickets of the form that constructions make: two random layers for each target layer.

    Every hidden neuron of an even sub-layer keeps one input at the most (or its own bias), and a
    neuron that keeps none is read by nothing. `verify.collapse` and `certify` take them. Shrinks
    towards the ticket that keeps nothing.

    Args:
        max_depth: the most target layers; the network has twice as many.
        max_width: the largest width of the target.
        max_hidden: the most hidden neurons of a layer pair.
        biases: whether first sub-layers have biases; None for each its own.
    """
    if min(max_depth, max_width, max_hidden) < 1:
        raise InputError(
            f"two_layer_tickets needs sizes >= 1, got {max_depth!r}, {max_width!r}, {max_hidden!r}"
        )
    return _two_layer_tickets(max_depth, max_width, max_hidden, biases)


@st.composite
def _two_layer_tickets(
    draw: st.DrawFn, max_depth: int, max_width: int, max_hidden: int, biases: bool | None
) -> Ticket:
    depth = draw(st.integers(1, max_depth))
    outer = draw(st.lists(st.integers(1, max_width), min_size=depth + 1, max_size=depth + 1))
    hidden = draw(st.lists(st.integers(1, max_hidden), min_size=depth, max_size=depth))
    widths = [outer[0]]
    flags: list[bool] = []
    drawn: list[Law] = []
    for i in range(depth):
        widths += [hidden[i], outer[i + 1]]
        flags += [draw(st.booleans()) if biases is None else biases, False]
        drawn += [draw(_numbers.laws(Uniform, exponents=(-2, 2))) for _ in range(2)]
    network = Network.mlp(widths, laws=drawn, seed=draw(_SEEDS), biases=flags)
    bits = {p.name: np.zeros(p.shape, np.bool_) for p in network.parameters}
    for i in range(depth):
        inputs = st.integers(0, outer[i] + flags[2 * i]).map(lambda k: k - 1)  # -1: none
        reads = draw(st.lists(inputs, min_size=hidden[i], max_size=hidden[i]))
        second = draw(_bits((outer[i + 1], hidden[i])))
        for h, k in enumerate(reads):
            if k == outer[i]:
                bits[f"layers.{2 * i}.bias"][h] = True
            elif k >= 0:
                bits[f"layers.{2 * i}.weight"][h, k] = True
        bits[f"layers.{2 * i + 1}.weight"] = second & (np.array(reads) >= 0)
    return Ticket(network, _stored(draw, network, bits))


def _bits(shape: tuple[int, ...]) -> Strategy[Bits]:
    """Boolean arrays: none, all and single entries are likely, nothing is the simplest."""
    count = int(np.prod(shape, dtype=np.int64))
    if count > _DRAWN_BITS:
        return st.builds(
            lambda seed, eighths: np.random.default_rng(seed).random(shape) < eighths / 8,
            st.integers(0, 255),
            st.integers(0, 8),
        )
    full = (1 << count) - 1
    any_ = st.integers(0, full)
    numbers = st.one_of(  # Hypothesis holds fewer choices for simpler, so nothing comes first
        st.just(0),
        any_,
        any_.map(lambda number: full - number),
        st.integers(0, max(count - 1, 0)).map(lambda j: (1 << j) & full),
    )
    return numbers.map(lambda number: _of_number(number, count).reshape(shape))


def _of_number(number: int, count: int) -> Bits:
    raw = np.frombuffer(number.to_bytes((count + 7) // 8, "little"), np.uint8)
    return np.unpackbits(raw, count=count, bitorder="little").astype(np.bool_)


def _stored(draw: st.DrawFn, network: Network, bits: dict[str, Bits]) -> Mask:
    """The same mask dense or sparse: nothing but speed may depend on it."""
    if not draw(st.booleans()):
        return Mask.dense(bits)
    return Mask.sparse({n: (network[n].shape, np.flatnonzero(b)) for n, b in bits.items()})
