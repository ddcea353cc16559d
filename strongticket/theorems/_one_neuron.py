"""One random neuron for one weight and sign: the gadget of Malach et al. 2020, width stated."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket import philox
from strongticket.bounds import rational
from strongticket.errors import ConstructionError, InputError, ReachError, WidthError
from strongticket.laws import Uniform
from strongticket.networks import MLP, Network
from strongticket.targets import Ball, Box, Target
from strongticket.theorems import _plan
from strongticket.theorems._evidence import (
    CAN_REFUTE,
    CAN_REFUTE_SEARCH,
    RECOMPUTES,
    SHOWS_CASE,
    Effort,
    Row,
    algebra,
    failures,
    slope,
)
from strongticket.theorems._plan import Norms
from strongticket.theorems._restated import interval, intervals
from strongticket.theorems._size import Asked, Shape
from strongticket.theorems._theorem import Theorem
from strongticket.tickets import Mask, Ticket
from strongticket.verify import certify

Ints = NDArray[np.int64]
MOST_WEIGHTS = 1 << 26  # of one output layer of a pair, all of which are read


@dataclass(frozen=True, kw_only=True)
class OneNeuron(Theorem):
    """Every weight of the target is one hidden neuron for each sign of its input."""

    def plan(self, target: Target, epsilon: float) -> tuple[tuple[Fraction, int], ...]:
        """(eta_i, g_i) of every layer: its accuracy, and the signs that its inputs may have."""
        self.require(epsilon=epsilon)
        if any(b is not None for b in target.biases):
            raise InputError(
                "this theorem is about targets without biases; use pensia2020.EXPLICIT"
            )
        found = _plan.accuracies(target, rational(epsilon), Norms.of(target))
        plans = []
        for i, eta in enumerate(found):
            accuracy = Fraction(1, 2) if eta is None else min(eta, Fraction(1, 2))
            largest = Fraction(float(np.abs(target.weights[i]).max()))
            if largest > 1 - accuracy:
                raise ReachError(
                    f"weights of layer {i} must be at most 1 - eta = {float(1 - accuracy):.6g} in "
                    f"magnitude, got {float(largest):.6g}; use pensia2020.EXPLICIT, which scales "
                    "its laws"
                )
            plans.append((accuracy, 1 if i or target.domain.nonnegative else 2))
        return tuple(plans)

    def pools(self, target: Target, epsilon: float, delta: float | Fraction) -> list[int]:
        """N_i: the hidden neurons that every input of each layer needs."""
        return [
            self.bound(
                eta_i=eta,
                g=g,
                L=target.depth,
                d_in=target.widths[i],
                d_out=target.widths[i + 1],
                delta=delta,
            )
            for i, (eta, g) in enumerate(self.plan(target, epsilon))
        ]

    def network(
        self, target: Target, epsilon: float, delta: float, seed: int, **options: Any
    ) -> Network:
        """The random network of the statement; option `pools` makes it narrower or wider."""
        self.require(epsilon=epsilon, delta=delta)
        pools = options.pop("pools", None) or self.pools(target, epsilon, delta)
        if options:
            raise InputError(f"unknown options {sorted(options)}; there is only `pools`")
        widths = [target.widths[0]]
        for d_in, d_out, pool in zip(target.widths, target.widths[1:], pools, strict=False):
            widths += [pool * d_in, d_out]
        return Network.mlp(widths, laws=Uniform(1.0), seed=seed)

    def construct(self, network: Network, target: Target, epsilon: float, **options: Any) -> Ticket:
        """The ticket of the proof: for every weight and sign the nearest product within eta.

        Raises WidthError for another architecture or more than 2^26 weights to read, and
        ConstructionError where a pool has no neuron for a weight.
        """
        if options:
            raise InputError(f"this construction takes no options, got {sorted(options)}")
        architecture = network.architecture
        if not isinstance(architecture, MLP) or architecture.widths[::2] != target.widths:
            raise WidthError(
                f"the theorem needs a fully connected network whose even widths are "
                f"{target.widths}, got {architecture}"
            )
        kept: dict[str, tuple[tuple[int, ...], Ints]] = {}
        for i, (eta, groups) in enumerate(self.plan(target, epsilon)):
            d_in, hidden, d_out = architecture.widths[2 * i : 2 * i + 3]
            if hidden % d_in or hidden * d_out > MOST_WEIGHTS:
                raise WidthError(
                    f"random layer {2 * i} needs a multiple of {d_in} neurons and at most "
                    f"{MOST_WEIGHTS:,} outgoing weights; it has {hidden} and {hidden * d_out:,}"
                )
            first, second = f"layers.{2 * i}.weight", f"layers.{2 * i + 1}.weight"
            pool = hidden // d_in
            neuron = np.arange(hidden)
            a = network.units_at(first, neuron * d_in + neuron // pool).astype(np.int64)
            b = network.units(second, 0, d_out * hidden).astype(np.int64).reshape(d_out, hidden)
            edges = []
            for (j, k), value in np.ndenumerate(target.weights[i]):
                part = slice(k * pool, (k + 1) * pool)
                for sign in (1, -1)[:groups]:
                    if value:
                        at = _neuron(a[part], b[j, part], Fraction(float(value)), eta, sign)
                        if at is None:
                            raise ConstructionError(
                                f"none of {pool} neurons has a within {float(eta):.3g} of weight "
                                f"({j}, {k}) of layer {i} and b of 1 (sign {sign:+d}); draw a "
                                "wider network, or use pensia2020.EXPLICIT"
                            )
                        edges.append(j * hidden + k * pool + at)
            chosen = np.unique(np.array(edges, np.int64))
            used = np.unique(chosen % hidden)
            kept[first] = ((hidden, d_in), used * d_in + used // pool)
            kept[second] = ((d_out, hidden), chosen)
        return Ticket(
            network,
            Mask.sparse(kept),
            provenance={"construction": "one neuron for one weight", "target": target.digest},
        )

    def asks(self, shape: Shape, epsilon: float, delta: float) -> Asked | None:
        """For norm-one layers on the unit ball whose weights are at most 1 - eta."""
        self.require(epsilon=epsilon, delta=delta)
        widths = [shape.widths[0]]
        for i, eta in enumerate(_plan.unit_accuracies(shape, epsilon)):
            d_in, d_out = shape.widths[i : i + 2]
            pool = self.bound(
                eta_i=min(eta, Fraction(1, 2)),
                g=1 if i else 2,
                L=shape.depth,
                d_in=d_in,
                d_out=d_out,
                delta=delta,
            )
            widths += [pool * d_in, d_out]
        return Asked(tuple(widths), "ours", "for one target; weights at most 1 - eta")

    def example(self) -> Ticket | None:
        """A 2-2-1 target, its pools narrow and a seed at which they serve: for a drawing."""
        target = toy(Box(0.0, 1.0))
        for seed in range(200):
            network = self.network(target, 8.0, 0.5, seed, pools=[14, 14])  # every eta is 1/2
            try:
                return self.construct(network, target, 8.0)
            except ConstructionError:
                continue
        return None

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """The pool, tickets certified, failures over seeds, growth of the least pool."""
        if false_width:
            yield self._single()
            return
        yield self._least()
        for epsilon in (0.5, 0.1)[: effort.pick(1, 2)]:
            yield from self._built(epsilon)
        yield self._seeds(effort.pick(24, 150))
        trials, powers = effort.trials(40, 200), range(2, effort.pick(5, 6))
        yield _growth("both weights near", trials, powers, 2.0, product=False)
        yield _growth("best product", trials, powers, 1.0, product=True)

    def _least(self) -> Row:
        """N is the least with g L d_in d_out exp(-N (eta/2 - 2^-24)^2) <= delta."""
        cases = 0
        for eta in (Fraction(1, 2), Fraction(1, 10), Fraction(1, 1000), Fraction(1, 1 << 20)):
            for g, depth, d_in, d_out, delta in ((1, 1, 1, 1, 0.5), (2, 3, 7, 5, 1e-9)):
                n = self.bound(eta_i=eta, g=g, L=depth, d_in=d_in, d_out=d_out, delta=delta)
                rate = (eta / 2 - Fraction(1, 1 << 24)) ** 2
                need = intervals().log(
                    interval(Fraction(g * depth * d_in * d_out) / rational(delta))
                )
                if not ((n * interval(rate) - need).a >= 0 > ((n - 1) * interval(rate) - need).b):
                    return algebra("the pool", (False, f"{n} at eta {eta}"), RECOMPUTES)
                cases += 1
        name = "the pool is the least with g L d_in d_out exp(-N p^2) <= delta"
        return algebra(name, (True, f"in {cases} cases"), RECOMPUTES)

    def _built(self, epsilon: float) -> Iterator[Row]:
        target, delta = toy(Box(-1.0, 1.0)), 0.01
        pools = self.pools(target, epsilon, delta)
        network = self.network(target, epsilon, delta, seed=11)
        widths = "-".join(map(str, network.architecture.widths))  # type: ignore[union-attr]
        name = f"2-2-1 target in a random {widths} network"
        claimed = f"sup error at most {epsilon:g}, at most 2 g kept weights a weight"
        try:
            ticket = self.construct(network, target, epsilon)
        except ConstructionError as error:
            yield Row("construction", name, claimed, str(error), True, CAN_REFUTE_SEARCH)
            return
        certificate = certify(ticket, target, epsilon)
        most = sum(
            2 * g * w.size
            for (_, g), w in zip(self.plan(target, epsilon), target.weights, strict=True)
        )
        yield Row(
            "construction",
            name,
            claimed,
            f"certified {certificate.bound:.3g}, {ticket.mask.kept} weights kept of "
            f"{ticket.mask.total:,} (pools {pools})",
            not certificate.holds or ticket.mask.kept > most,
            SHOWS_CASE,
        )

    def _seeds(self, trials: int) -> Row:
        target, failed = toy(Ball(1.0)), 0
        for seed in range(trials):
            network = self.network(target, 0.9, 0.5, seed=seed)
            try:
                self.construct(network, target, 0.9)
            except ConstructionError:
                failed += 1
        name = "delta 0.5, epsilon 0.9: one network a seed, constructed"
        return failures(name, 0.5, failed, trials, CAN_REFUTE_SEARCH)

    def _single(self) -> Row:
        """A pool of one neuron serves one sign only, whatever is pruned."""
        weight, epsilon, trials, failed = Fraction(1, 2), Fraction(1, 4), 100, 0
        for seed in range(trials):
            network = Network.mlp((1, 1, 1), laws=Uniform(1.0), seed=seed)
            a, b = (int(network.units(name, 0, 1)[0]) for name in network.masked)
            product = Fraction(a * b, 1 << 48)
            # x -> product x on one side of 0, nothing on the other; or nothing at all
            plus, minus = (product, 0) if a > 0 else (0, product)
            least = min(weight, max(abs(weight - plus), abs(weight - minus)))
            failed += least > epsilon
        name = "false on purpose: pools of one neuron, target x -> x/2, best of all masks"
        return failures(name, 0.01, failed, trials, CAN_REFUTE)


def toy(domain: Box | Ball) -> Target:
    """A 2-2-1 target with weights of both signs and a 0."""
    first = np.array([[0.25, -0.5], [0.0, 0.375]], np.float32)
    return Target([(first, None), (np.array([[-0.5, 0.25]], np.float32), None)], domain)


def _neuron(a: Ints, b: Ints, weight: Fraction, eta: Fraction, sign: int) -> int | None:
    """The neuron by the proof's rule with the nearest product; None where there is none."""
    size, unit = abs(weight), 1 << 24
    low, high = math.ceil(size * unit), math.floor((size + eta) * unit)
    outward = b * (sign if weight > 0 else -sign)
    good = (sign * a >= low) & (sign * a <= high) & (outward >= math.ceil((1 - eta) * unit))
    found = np.flatnonzero(good)
    if not found.size:
        return None
    goal = int(weight * (1 << 48))
    return int(found[np.argmin(np.abs(a[found] * b[found] - goal))])


def _growth(rule: str, trials: int, powers: range, most: float, product: bool) -> Row:
    """log2 of the neurons read until one serves weight 1/2 on positive inputs."""
    least: list[list[float]] = []
    for power in powers:
        eta = 2.0**-power
        width = int(40 / eta if product else 20 * 4 / eta**2)  # missed with probability e^-20
        counts = []
        for seed in range(trials):
            name = philox.stream("check", f"malach growth {power}")
            words = philox.words(seed, name, 0, 2 * width)
            a, b = (Uniform().units(words) * 2.0**-24).reshape(2, width)
            if product:
                good = (a > 0) & (np.abs(a * b - 0.5) <= eta)
            else:
                good = (a >= 0.5) & (a <= 0.5 + eta) & (b >= 1 - eta)
            counts.append(math.log2(1 + int(np.argmax(good))) if good.any() else math.log2(width))
        least.append(counts)
    return slope(
        f"log2 of the neurons read for one weight, {rule}, against log2(1/eta)",
        [float(p) for p in powers],
        least,
        most,
    )
