r"""One of each pair: subsets of a size that is known beforehand.

Of 2k samples in pairs, exactly one of each pair is taken. The sum is a fixed shift and a subset sum
of the k differences, so coverage of a window is that of the differences; m further pairs, taken as
their smaller or their larger member, bring the shift back. Both parts cost about as much.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from strongticket import philox
from strongticket.bounds import Bound
from strongticket.construct import fixed_size_two_layer
from strongticket.laws import Uniform
from strongticket.networks import Network
from strongticket.targets import Target
from strongticket.theorems import _restated_pairs
from strongticket.theorems._algebra import Finding
from strongticket.theorems._coverage import doubled_radius, subset_sums
from strongticket.theorems._evidence import (
    CAN_REFUTE_SEARCH,
    RECOMPUTES,
    SHOWS_CASE,
    Effort,
    Row,
    algebra,
    failures,
)
from strongticket.theorems._plan import LayerPlan
from strongticket.theorems._sampling import SamplingTheorem
from strongticket.theorems._variant import VariantTheorem
from strongticket.tickets import Ticket

Integers = NDArray[np.int64]
PUSH, PULL = sympy.Rational(1071, 1000), sympy.Rational(863, 1000)
"""E exp(-1.1 X) and E exp(-1.1 max'(X, X')) are at most these for products given a > 0."""

_delta = sympy.Symbol("delta", positive=True)
_depth, _d_in, _d_out, _g = sympy.symbols("L d_in d_out g", positive=True, integer=True)
_b = sympy.Symbol("b", nonnegative=True, integer=True)
_w, _eta, _zeta, _k = sympy.symbols("W_i eta_i zeta_i k_i", positive=True)

_TAU = sympy.log(3 * _depth * (_g * _d_in + _b) / _delta)
POOL = 4 * _k + _TAU + sympy.sqrt(_TAU**2 + 8 * _k * _TAU)
"""N: so many hidden neurons hold 2 k of each sign, by Hoeffding's inequality."""


def pairs_bound(block: SamplingTheorem) -> Bound:
    """The pool that holds k pairs of each sign: k = n + 1 + m for coverage and shift."""
    eta, window = (sympy.Symbol(n, positive=True) for n in ("eta", "W"))
    prefactor, ratio = block.prefactor.subs(window, _w), block.ratio.subs(window, _w)
    blocks = _g * _d_in * _d_out * prefactor.subs(eta, _eta)
    blocks += _b * _d_out * prefactor.subs(eta, _zeta)
    worst = ratio.subs(eta, sympy.Min(_eta, _zeta))
    n = sympy.log(3 * _depth * blocks / _delta) / -sympy.log(worst)
    count = _depth * (_g * _d_in + _b) * _d_out
    m = (sympy.log(6 * count / _delta) + (n + 1) * sympy.log(PUSH)) / -sympy.log(PULL)
    return Bound(
        "k_i",
        n + 1 + m,
        "sufficient",
        domain=(
            sympy.Le(_g, 2),
            sympy.Le(_b, 1),
            sympy.Le(_eta, _w / 2),
            sympy.Le(_zeta, _w / 2),
            sympy.Gt(worst, 0),
            sympy.Lt(worst, 1),
            sympy.Le(_delta, 1),
        ),
        meanings=(
            ("L", "depth of the target"),
            ("g", "number of sign groups: 1 where the layer's inputs are non-negative, else 2"),
            ("d_in", "inputs of layer i"),
            ("d_out", "outputs of layer i"),
            ("b", "1 where layer i has a bias, else 0"),
            ("W_i", "window of targets, 5/4 of s_a times s_b"),
            ("eta_i", "accuracy of every weight of layer i"),
            ("zeta_i", "accuracy of every bias of layer i"),
            ("delta", "failure probability of the random network, for all targets together"),
        ),
    )


def pool_for(size: int, plan: LayerPlan, depth: int, delta: float | Fraction) -> int:
    """The least whole N of `POOL` (or one more: rounded outward)."""
    exact = Fraction(delta)
    values = {
        _k: size,
        _depth: depth,
        _g: plan.groups,
        _d_in: plan.inputs,
        _b: int(plan.biased),
        _delta: sympy.Rational(exact.numerator, exact.denominator),
    }
    return math.ceil(Fraction(str(sympy.N(POOL, 50, subs=values))) + Fraction(1, 10**30))


@dataclass(frozen=True, kw_only=True)
class PairedTheorem(VariantTheorem):
    """Every weight keeps exactly k_i outgoing weights in each sign group, whatever its value."""

    def sizes(
        self, plans: tuple[LayerPlan, ...], depth: int, delta: float | Fraction
    ) -> tuple[int, ...]:
        """k_i of every layer."""
        found = []
        for plan in plans:
            eta, eta_bias = plan.finer
            values: dict[str, float | Fraction] = {
                "L": depth,
                "g": plan.groups,
                "d_in": plan.inputs,
                "d_out": plan.outputs,
                "b": int(plan.biased),
                "W_i": plan.window,
                "eta_i": eta,
                "zeta_i": eta_bias if plan.biased else eta,
                "delta": delta,
            }
            found.append(max(1, self.bound(**values)))
        return tuple(found)

    def density(self, plan: LayerPlan, depth: int, delta: float | Fraction) -> Fraction:
        """The fraction of the second sub-layer that a ticket keeps: known beforehand, exactly."""
        (size,) = self.sizes((plan,), depth, delta)
        blocks = plan.groups * plan.inputs + plan.biased
        hidden = plan.hidden(self.pool(plan, depth, delta))
        return Fraction(blocks * size, hidden)

    def pool(self, plan: LayerPlan, depth: int, delta: float | Fraction, **options: Any) -> int:
        """N_i: room for 2 k_i neurons of each sign."""
        (size,) = self.sizes((plan,), depth, delta)
        return pool_for(size, plan, depth, delta)

    def prune(
        self,
        network: Network,
        target: Target,
        plans: tuple[LayerPlan, ...],
        delta: float | Fraction,
        **options: Any,
    ) -> Ticket:
        """The ticket whose every weight keeps k_i; option `sizes` overrides k_i."""
        options.pop("objective", None)  # subsets of a fixed size have one solver
        sizes = options.pop("sizes", None) or self.sizes(plans, target.depth, delta)
        aims = [plan.accuracy for plan in plans]
        return fixed_size_two_layer(network, target, aims, sizes, **options)

    def prune_short(self, network: Network, target: Target, plans: tuple[LayerPlan, ...]) -> Ticket:
        """On a pool too small: as large a subset as there is certainly room for."""
        return self.prune(network, target, plans, Fraction(1), sizes=[1] * target.depth)

    def least_pools(self) -> Finding:
        """Sizes and pools beside the statement."""
        return _restated_pairs.least_pools(self)

    def own_rows(self, effort: Effort) -> Iterator[Row]:
        """The stated density, counted on a ticket; the scaling of the differences."""
        yield self._stated()
        yield self.block.scaling(effort)

    def _stated(self) -> Row:
        epsilon, delta = 0.05, 0.01
        name, target = self.extremal["targets"][0](self)
        plans = self.plan(target, epsilon)
        network = self.network(target, epsilon, delta, seed=12)
        ticket = self.construct(network, target, epsilon, delta=delta)
        claimed = [self.density(plan, target.depth, delta) for plan in plans]
        kept = [ticket.mask[f"layers.{2 * i + 1}.weight"] for i in range(target.depth)]
        found = [Fraction(entries.kept, entries.total) for entries in kept]
        return Row(
            "construction",
            f"{name}: density of the second sub-layers",
            ", ".join(f"{float(d):.6g}" for d in claimed),
            ", ".join(f"{float(d):.6g}" for d in found),
            claimed != found,
            SHOWS_CASE,
        )


@dataclass(frozen=True, kw_only=True)
class Differences(SamplingTheorem):
    """Differences of two products b a given a > 0: what one choice of a pair adds."""

    def sample(self, trials: int, n: int, seed: int) -> Integers:
        """Integer samples (trials, n), units of 2^-48."""

        def draw(name: str) -> Integers:
            words = philox.words(seed, philox.stream("check pairs", name), 0, trials * n)
            return Uniform().units(words).astype(np.int64).reshape(trials, n)

        first, second = (draw(f"b{t}") * np.abs(draw(f"a{t}")) for t in "01")
        return first - second

    @property
    def unit(self) -> int:
        """How many integer units make 1."""
        return 1 << 48


@dataclass(frozen=True, kw_only=True)
class Pairs(SamplingTheorem):
    """Uniform weights in pairs; `prefactor` and `ratio` are those of the differences alone."""

    def restated_rows(self) -> Iterator[Row]:
        """The size beside the statement, written out a second time."""
        found = _restated_pairs.least_sizes(self.width)
        yield algebra("the size suffices, and three less would not", found, RECOMPUTES)

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """Algebra; samples at the claimed size, all targets at once; or the false size refuted."""
        if not false_width:
            yield from (inequality.row(effort) for inequality in self.inequalities)
            yield from self.restated_rows()
        for eta in self.extremal["eta"][: effort.pick(1, 99)]:
            delta, trials = self.extremal["delta"][0], effort.trials(40, 200)
            size = self.width(eta, delta)
            if false_width:
                size = (
                    math.ceil(math.log2(1 / eta)) - 1
                )  # 2^k subsets of one a pair, R / eta needed
            failed = sum(not self._serves(size, eta, seed) for seed in range(trials))
            name = f"eta {eta:g}: {size} pairs, all targets at once"
            if false_width:
                name = f"false on purpose, below the counting bound: {name}"
            yield failures(name, delta, failed, trials, CAN_REFUTE_SEARCH)
        if not false_width:
            yield self._least(effort)

    def _serves(self, size: int, eta: float, seed: int, most: int = 18) -> bool:
        """Whether one of each pair serves all |z| <= 1; pairs beyond `most` are decided first."""
        pairs = self.sample(1, 2 * size, seed)[0].reshape(size, 2)
        fixed = 0
        for pair in pairs[most:].tolist():
            fixed += min(pair, key=lambda x: abs(fixed + x))
        shift = fixed + int(pairs[:most, 0].sum())
        sums = subset_sums(np.diff(pairs[:most], axis=1)[:, 0])
        accuracy, radius = self.steps(eta)
        return doubled_radius(sums, -radius - shift, radius - shift) <= 2 * accuracy

    def _least(self, effort: Effort) -> Row:
        """How few pairs do in half of the draws, beside the claim."""
        eta, trials = self.extremal["eta"][0], effort.pick(20, 100)
        size = 1
        while sum(self._serves(size, eta, seed, 20) for seed in range(trials)) * 2 < trials:
            size += 1
        claimed = self.width(eta, 0.5)
        need = math.log2(1 / eta)
        return Row(
            "scaling",
            f"eta {eta:g}: least number of pairs that serves all targets in half of the draws",
            f"between {need:.3g} and {claimed}",
            f"{size}",
            size > claimed or size < need,
            CAN_REFUTE_SEARCH,
        )
