"""Random signs, depth 2L: a weight is a count of kept products, and how many neurons that takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from strongticket import philox
from strongticket.bounds import rational
from strongticket.construct import binary_mean
from strongticket.errors import ConstructionError, InputError, WidthError
from strongticket.laws import SignedConstant
from strongticket.networks import MLP, Network
from strongticket.targets import Ball, Box, Target
from strongticket.theorems import _plan
from strongticket.theorems._algebra import Finding
from strongticket.theorems._evidence import (
    CAN_REFUTE,
    PROVES,
    RECOMPUTES,
    SHOWS_CASE,
    SHOWS_CASES,
    Effort,
    Row,
    algebra,
    failures,
    slope,
)
from strongticket.theorems._integer_network import agrees
from strongticket.theorems._plan import Norms
from strongticket.theorems._restated import interval, intervals
from strongticket.theorems._size import Asked, Shape
from strongticket.theorems._theorem import Theorem
from strongticket.tickets import Ticket
from strongticket.verify import certify


@dataclass(frozen=True)
class CountPlan:
    """One target layer: sizes, sign groups, log2 of n = 1/(s_a s_b), and the largest count m."""

    inputs: int
    outputs: int
    groups: int
    bits: int
    most: int


@dataclass(frozen=True, kw_only=True)
class BinaryMean(Theorem):
    """Every weight is round(n w) products of two random signs."""

    def plan(self, target: Target, epsilon: float) -> tuple[CountPlan, ...]:
        """Counts that keep the target within epsilon; InputError for biases."""
        self.require(epsilon=epsilon)
        plans = []
        for i, (bits, groups) in enumerate(resolutions(target, epsilon)):
            most = int(np.abs(np.rint(np.ldexp(target.weights[i].astype(float), bits))).max())
            d_out, d_in = target.weights[i].shape
            plans.append(CountPlan(d_in, d_out, groups, bits, most))
        return tuple(plans)

    def pool(self, plan: CountPlan, depth: int, delta: float | Fraction) -> int:
        """N_i: how many hidden neurons every input of one target layer needs."""
        return self.bound(
            m=plan.most,
            L=depth,
            g=plan.groups,
            d_in=plan.inputs,
            d_out=plan.outputs,
            delta=delta,
        )

    def network(
        self, target: Target, epsilon: float, delta: float, seed: int, **options: Any
    ) -> Network:
        """The random network of the statement; option `pools` makes it narrower or wider."""
        self.require(epsilon=epsilon, delta=delta)
        plans = self.plan(target, epsilon)
        pools = options.pop("pools", None) or [self.pool(p, target.depth, delta) for p in plans]
        if options:
            raise InputError(f"unknown options {sorted(options)}; there is only `pools`")
        return sign_network(plans, pools, seed)

    def construct(self, network: Network, target: Target, epsilon: float, **options: Any) -> Ticket:
        """The ticket of the proof; WidthError for another shape or other scales."""
        if options:
            raise InputError(f"this construction takes no options, got {sorted(options)}")
        plans = self.plan(target, epsilon)
        architecture = network.architecture
        if not isinstance(architecture, MLP) or architecture.widths[::2] != target.widths:
            raise WidthError(
                f"the theorem needs a fully connected network of depth {2 * target.depth} whose "
                f"even widths are {target.widths}, got {architecture}"
            )
        for i, plan in enumerate(plans):
            law = network[f"layers.{2 * i + 1}.weight"].law
            if law != SignedConstant(2.0**-plan.bits):
                raise WidthError(
                    f"for epsilon {epsilon:g} random layer {2 * i + 1} must have the law "
                    f"SignedConstant(2^-{plan.bits}), got {law}: draw it by theorem.network"
                )
        return binary_mean(network, target)

    def asks(self, shape: Shape, epsilon: float, delta: float) -> Asked | None:
        """The network for norm-one layers on the unit ball, weights up to 1."""
        self.require(epsilon=epsilon, delta=delta)
        widths = [shape.widths[0]]
        for i, bits in enumerate(_plan.unit_bits(shape, epsilon)):
            d_in, d_out = shape.widths[i : i + 2]
            plan = CountPlan(d_in, d_out, 1 if i else 2, bits, 1 << bits)
            widths += [d_in * self.pool(plan, shape.depth, delta), d_out]
        return Asked(tuple(widths), "ours", "weights +-1 and one gain, a power of two")

    def example(self) -> Ticket | None:
        """A 2-2-1 target in steps of 1/2, in pools of eight."""
        target = toy(Box(0.0, 1.0), 1)
        plans = [CountPlan(2, 2, 1, 1, 2), CountPlan(2, 1, 1, 1, 2)]
        for seed in range(1000):
            try:
                return binary_mean(sign_network(plans, [8, 8], seed), target)
            except ConstructionError:
                continue
        return None

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """The count restated and held against the exact tail; tickets, seeds, growth."""
        if false_width:
            yield from (self._too_few(bits) for bits in (4, 7))
            return
        yield algebra(
            "the pool is the least that Chernoff's bound allows", self._least(), RECOMPUTES
        )
        name = "the exact binomial tail at the pool, summed over all blocks"
        yield algebra(name, self._tails(effort.pick(400, 3000)), SHOWS_CASES)
        yield algebra("(mu - m)^2 = 2 mu l at the width", _root(), PROVES)
        yield algebra(
            "a count is within 1/(2n) <= eta of the weight", self._resolved(), SHOWS_CASES
        )
        for domain, epsilon in ((Box(-1.0, 1.0), 0.05), (Ball(1.0), 0.1))[: effort.pick(1, 2)]:
            yield from self._built(domain, epsilon)
        yield self._one_gain()
        yield self._seeds(effort.trials(60, 300))
        yield self._growth(effort)

    def _least(self) -> Finding:
        """From (N/4 - m)^2 >= 2 (N/4) ln(blocks/delta), the last of which is an interval."""
        cases = 0
        for m, depth, g, d_in, d_out, delta in _CASES:
            n = self.bound(m=m, L=depth, g=g, d_in=d_in, d_out=d_out, delta=delta)
            # four kinds of neuron (two signs of a and of b), of which g = 1 needs two
            logarithm = intervals().log(interval(2 * g * d_in * d_out * depth / Fraction(delta)))

            def enough(n: int, m: int = m, logarithm: Any = logarithm) -> Any:
                mean = interval(Fraction(n, 4))
                return (mean - m) ** 2 - 2 * mean * logarithm

            if not (n >= 4 * m and enough(n).a >= 0):
                return False, f"N = {n} does not suffice for {m, depth, g, d_in, d_out, delta}"
            if n - 1 >= 4 * m and enough(n - 1).b > 0:
                return False, f"N = {n} is not the least for {m, depth, g, d_in, d_out, delta}"
            cases += 1
        return True, f"in {cases} cases"

    def _tails(self, most: int) -> Finding:
        """sum_{i < m} C(N, i) 3^(N - i) / 4^N times the blocks is at most delta, in integers."""
        shown, cases = "", 0
        for m, depth, g, d_in, d_out, delta in _CASES:
            n = self.bound(m=m, L=depth, g=g, d_in=d_in, d_out=d_out, delta=delta)
            if n > most:
                continue
            blocks = Fraction(2 * g * d_in * d_out * depth)
            if blocks * tail(n, m) > Fraction(delta):
                return False, f"N = {n}, m = {m}: {float(blocks * tail(n, m)):.3g} > {delta}"
            low, high = m, n  # the least N by the exact tail, for the record
            while low < high:
                middle = (low + high) // 2
                enough = blocks * tail(middle, m) <= Fraction(delta)
                low, high = (low, middle) if enough else (middle + 1, high)
            shown, cases = (
                f"; for m = {m} the exact tail would do with {high} instead of {n}",
                cases + 1,
            )
        return cases > 0, f"{cases} cases in integers{shown}"

    def _resolved(self) -> Finding:
        cases = 0
        for domain in (Box(0.0, 1.0), Box(-1.0, 1.0), Ball(1.0)):
            for epsilon in (0.5, 0.05, 1e-3):
                target = toy(domain, 10)
                norms = Norms.of(target)
                wanted = _plan.accuracies(target, rational(epsilon), norms)
                for eta, plan, w in zip(
                    wanted, self.plan(target, epsilon), target.weights, strict=True
                ):
                    n = Fraction(2) ** plan.bits
                    assert eta is not None
                    for value in w.ravel().tolist():
                        error = abs(round(Fraction(value) * n) / n - Fraction(value))
                        if error > 1 / (2 * n) or 1 / (2 * n) > eta:
                            return False, f"{domain}, epsilon {epsilon:g}: {float(error):.3g}"
                    cases += 1
        return True, f"{cases} layers, in rationals"

    def _built(self, domain: Box | Ball, epsilon: float) -> Iterator[Row]:
        target, delta = toy(domain, 7), 0.01
        network = self.network(target, epsilon, delta, seed=11)
        widths = "-".join(map(str, network.architecture.widths))  # type: ignore[union-attr]
        name = f"2-2-1 target, {domain}, in random signs {widths}"
        claimed = f"sup error at most {epsilon:g}"
        try:
            ticket = self.construct(network, target, epsilon)
        except ConstructionError as error:
            yield Row("construction", name, claimed, str(error), True, CAN_REFUTE)
            return
        certificate = certify(ticket, target, epsilon)
        bits = [plan.bits for plan in self.plan(target, epsilon)]
        same = agrees(ticket, counts(target, bits), -sum(bits), target)
        yield Row(
            "construction",
            name,
            claimed,
            f"certified {certificate.bound:.3g}; the counts at 64 integer points: "
            f"{'equal' if same else 'NOT EQUAL'}; {ticket.mask.kept} weights kept",
            not certificate.holds or not same,
            SHOWS_CASE,
        )

    def _one_gain(self) -> Row:
        """All scales 1 and one gain at the output: the same function, exactly."""
        target, epsilon = toy(Ball(1.0), 7), 0.1
        network = self.network(target, epsilon, 0.5, seed=3)
        plain = Network.mlp(
            network.architecture.widths,  # type: ignore[union-attr]
            laws=SignedConstant(1.0),
            seed=3,
        )
        ticket = Ticket(plain, self.construct(network, target, epsilon).mask)
        bits = [plan.bits for plan in self.plan(target, epsilon)]
        same = agrees(ticket, counts(target, bits), 0, target)
        gain = sum(bits)
        return Row(
            "construction",
            "all weights +-1, the mask of the scaled network",
            f"2^{gain} times its outputs",
            f"at 64 integer points: {'equal' if same else 'NOT EQUAL'}",
            not same,
            SHOWS_CASE,
        )

    def _seeds(self, trials: int) -> Row:
        target, failed = toy(Ball(1.0), 7), 0
        for seed in range(trials):
            try:
                self.construct(self.network(target, 0.3, 0.5, seed=seed), target, 0.3)
            except ConstructionError:
                failed += 1
        return failures("delta 0.5: one network a seed, constructed", 0.5, failed, trials)

    def _growth(self, effort: Effort) -> Row:
        """log2 of the least pool with m of each kind, against log2(1/eta) = log2(2m)."""
        powers, trials = range(3, effort.pick(8, 10)), effort.trials(60, 300)
        lengths = []
        for power in powers:
            m, size = 1 << (power - 1), 16 << power
            words = philox.words(5, philox.stream("check", f"mean {power}"), 0, trials * size)
            kinds = (words >> np.uint32(30)).reshape(trials, size)
            seen = np.stack([np.cumsum(kinds == kind, axis=1) for kind in range(4)]).min(0)
            least = 1 + (seen < m).sum(1)
            lengths.append(np.log2(least).tolist())
        name = "log2 of the least pool for weights up to 1, against log2(1/eta)"
        return slope(name, [float(p) for p in powers], lengths, 1.0)

    def _too_few(self, bits: int) -> Row:
        """A pool of fewer neurons than the count cannot make weight 1, whatever is kept."""
        n, trials = 1 << bits, 100
        pool, failed = n - 2, 0
        for seed in range(trials):
            laws = (SignedConstant(1.0), SignedConstant(1.0 / n))
            network = Network.mlp((1, pool, 1), laws=laws, seed=seed)
            a, b = (network.units(name, 0, pool) for name in network.masked)
            failed += n - int(((a > 0) & (b > 0)).sum()) > 1  # best mask, in steps of 1/n
        name = f"false on purpose: pools of n - 2 = {pool}, x -> x on [0, 1] to 1/n, all masks"
        return failures(name, 0.01, failed, trials)


_CASES = (
    (1, 1, 1, 1, 1, 0.5),
    (8, 1, 2, 2, 3, 0.01),
    (64, 2, 1, 7, 5, 1e-6),
    (300, 3, 2, 64, 32, 0.01),
    (4096, 2, 1, 784, 300, 1e-300),
)


def resolutions(target: Target, epsilon: float) -> list[tuple[int, int]]:
    """(f, sign groups) of every layer: 2^-f is the coarsest step with 2^-f / 2 <= eta_i."""
    if any(b is not None for b in target.biases):
        raise InputError("this theorem is about targets without biases; use pensia2020.EXPLICIT")
    found = []
    for i, eta in enumerate(_plan.accuracies(target, rational(epsilon), Norms.of(target))):
        bits = 0 if eta is None else _plan.least_bits(eta)
        found.append((bits, 1 if i or target.domain.nonnegative else 2))
    return found


def tail(n: int, m: int) -> Fraction:
    """P(Bin(n, 1/4) < m), exactly."""
    term, total = 3**n, 0
    for i in range(min(m, n + 1)):
        total += term
        term = term * (n - i) // ((i + 1) * 3)
    return Fraction(total, 4**n)


def counts(target: Target, bits: list[int]) -> list[Any]:
    """round(2^f W) of every layer, as Python integers."""
    return [
        np.rint(np.ldexp(w.astype(np.float64), f)).astype(np.int64).astype(object)
        for w, f in zip(target.weights, bits, strict=True)
    ]


def sign_network(
    plans: tuple[CountPlan, ...] | list[CountPlan], pools: list[int], seed: int
) -> Network:
    """Signs in the first layer of a pair, signs times 2^-f in the second."""
    widths, laws = [plans[0].inputs], []
    for plan, pool in zip(plans, pools, strict=True):
        widths += [pool * plan.inputs, plan.outputs]
        laws += [SignedConstant(1.0), SignedConstant(2.0**-plan.bits)]
    return Network.mlp(widths, laws=laws, seed=seed)


def toy(domain: Box | Ball, bits: int) -> Target:
    """A 2-2-1 target of multiples of 2^-bits and a third: both ends, 0, both signs."""
    low = 2.0**-bits
    first = np.array([[1.0, -1.0 / 3.0], [0.0, low - 0.5]], np.float32)
    return Target([(first, None), (np.array([[-1.0, 0.75]], np.float32), None)], domain)


def _root() -> Finding:
    import sympy

    m, ell = sympy.symbols("m l", positive=True)
    mean = m + ell + sympy.sqrt(ell * (ell + 2 * m))
    right = sympy.simplify(sympy.expand((mean - m) ** 2 - 2 * mean * ell)) == 0
    return bool(right), "an identity" if right else "it is not"
