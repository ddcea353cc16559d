r"""Depth 2L inside a random source: each weight pruned, free or locked before anything is searched.

A candidate exists where both its weights do. With locked weights their sum in a block is taken off
the target, and further samples bring the rest back into the window that coverage serves: one
exponential moment bounds both, see `Locking`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from strongticket import philox
from strongticket.bounds import Bound
from strongticket.construct import RandomSource, masked_two_layer
from strongticket.laws import Uniform
from strongticket.networks import Network
from strongticket.targets import Target
from strongticket.theorems import _restated_sources
from strongticket.theorems._algebra import Finding
from strongticket.theorems._evidence import CAN_REFUTE, Effort, Row, failures
from strongticket.theorems._plan import LayerPlan
from strongticket.theorems._sampling import SamplingTheorem
from strongticket.theorems._variant import VariantTheorem
from strongticket.tickets import Ticket

MEAN, SQUARE = sympy.Rational(11, 200), sympy.Rational(11, 500)
"""At most the mean, at least the mean square, of b relu(a) in (0, 3/4], for scales 1."""

_delta = sympy.Symbol("delta", positive=True)
_depth, _d_in, _d_out, _g = sympy.symbols("L d_in d_out g", positive=True, integer=True)
_b = sympy.Symbol("b", nonnegative=True, integer=True)
_w, _eta, _zeta = sympy.symbols("W_i eta_i zeta_i", positive=True)
_free = sympy.Symbol("f", positive=True)
_locked = sympy.Symbol("lambda", positive=True)
_MEANINGS = (
    ("L", "depth of the target"),
    ("g", "number of sign groups: 1 where the layer's inputs are non-negative, else 2"),
    ("d_in", "inputs of layer i"),
    ("d_out", "outputs of layer i"),
    ("b", "1 where layer i has a bias, else 0"),
    ("W_i", "window of targets, 3/4 of s_a times s_b"),
    ("eta_i", "accuracy of every weight of layer i"),
    ("zeta_i", "accuracy of every bias of layer i"),
    ("delta", "failure probability of the random source, for all targets together"),
    ("f", "probability that a candidate is free: both its weights exist, neither is locked"),
)


def thinned_bound(block: SamplingTheorem, locked: bool) -> Bound:
    """The pool of a source that leaves each candidate free with probability f."""
    eta, window = (sympy.Symbol(n, positive=True) for n in ("eta", "W"))
    prefactor, ratio = block.prefactor.subs(window, _w), block.ratio.subs(window, _w)
    blocks = _g * _d_in * _d_out * prefactor.subs(eta, _eta)
    blocks += _b * _d_out * prefactor.subs(eta, _zeta)
    worst = 1 - _free * (1 - ratio.subs(eta, sympy.Min(_eta, _zeta)))
    meanings: tuple[tuple[str, str], ...] = _MEANINGS
    n = sympy.log((2 if locked else 1) * _depth * blocks / _delta) / -sympy.log(worst)
    if locked:
        n = _with_reach(n)
        meanings = (*_MEANINGS, ("lambda", "probability that a candidate is locked"))
    domain = (
        sympy.Le(_g, 2),
        sympy.Le(_b, 1),
        sympy.Le(_eta, _w / 2),
        sympy.Le(_zeta, _w / 2),
        sympy.Gt(worst, 0),
        sympy.Lt(worst, 1),
        sympy.Le(_delta, 1),
        sympy.Le(_free + _locked, 1) if locked else sympy.Le(_free, 1),
    )
    return Bound("N_i", n, "sufficient", domain=domain, meanings=meanings)


def _with_reach(n: Any) -> Any:
    """N = n + 1 + m: n for coverage, m so that what is locked can be undone."""
    theta = sympy.Min(2, _free * MEAN / (_free * SQUARE + _locked / 18))
    push = _locked * (sympy.cosh(theta) - 1) / 18
    pull = _free * (theta * MEAN - theta**2 * SQUARE / 2)
    count = _depth * (_g * _d_in + _b) * _d_out
    rows = sympy.log(4 * count / _delta) + (n + 1) * sympy.log(1 + push)
    return n + 1 + rows / -sympy.log(1 + push - pull)


@dataclass(frozen=True, kw_only=True)
class MaskedTheorem(VariantTheorem):
    """Option `source` says which weights exist and which are locked; `assumed` is its default.

    `locking` says whether the statement allows locked weights.
    """

    assumed: RandomSource
    locking: bool

    @property
    def note(self) -> str:
        """The source that is assumed."""
        parts = [f"sub-layers of density {self.assumed.first:g} and {self.assumed.second:g}"]
        return ", ".join([*parts, f"{self.assumed.locked:g} locked"] if self.locking else parts)

    def pool(self, plan: LayerPlan, depth: int, delta: float | Fraction, **options: Any) -> int:
        """N_i for the option `source`, the default one where none is given."""
        source = options.get("source") or self.assumed
        self.require(source=source)
        first, free, locked = source.chances
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
            "f": first * free,
        }
        if self.locking:
            values["lambda"] = first * locked
        return max(1, self.bound(**values))

    def prune(
        self,
        network: Network,
        target: Target,
        plans: tuple[LayerPlan, ...],
        delta: float | Fraction,
        **options: Any,
    ) -> Ticket:
        """The ticket in the source, which it is held against."""
        del delta
        source = options.pop("source", None) or self.assumed
        aims = [plan.accuracy for plan in plans]
        ticket = masked_two_layer(network, target, aims, source, **options)
        source.require(ticket)
        return ticket

    def least_pools(self) -> Finding:
        """The pools beside the statement."""
        return _restated_sources.least_masked_pools(self)

    def own_rows(self, effort: Effort) -> Iterator[Row]:
        """The claimed pool over several sources: every ticket obeys its source exactly."""
        for source in self.extremal["sources"][: effort.pick(1, 99)]:
            yield self._obeys(source)

    def _obeys(self, source: RandomSource) -> Row:
        from strongticket.theorems._sampling import nearest
        from strongticket.verify import certify

        epsilon, delta = 0.05, 0.01
        name, target = self.extremal["targets"][0](self)
        network = self.network(target, epsilon, delta, seed=5, source=source)
        ticket = self.construct(
            network, target, epsilon, delta=delta, source=source, objective=nearest
        )
        found = certify(ticket, target, epsilon)
        widths = network.architecture.widths  # type: ignore[union-attr]
        return Row(
            "construction",
            f"{name}, {source}",
            f"sup error at most {epsilon:g} at hidden widths {widths[1::2]}, the source obeyed",
            f"certified {found.bound:.3g}, keeps {ticket.mask.kept:,} of {ticket.mask.total:,}",
            not found.holds,
            CAN_REFUTE,
        )


@dataclass(frozen=True, kw_only=True)
class ThinnedSamples(SamplingTheorem):
    """Samples each of which exists with the probability `kappa` of its setting."""

    def sample(self, trials: int, n: int, seed: int) -> NDArray[np.int64]:
        """Integer samples (trials, n); one that does not exist is 0."""
        kappa = dict(self.setting)["kappa"]
        words = philox.words(seed, philox.stream("check", "source"), 0, trials * n)
        here = words.astype(np.uint64) < int(kappa * (1 << 32))
        return super().sample(trials, n, seed) * here.reshape(trials, n)

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """As every sampling theorem; and the mean of the least n at several densities."""
        yield from super().rows(effort, false_width)
        if not false_width:
            for kappa in (Fraction(1), Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)):
                yield self._at_density(kappa, effort)

    def _at_density(self, kappa: Fraction, effort: Effort) -> Row:
        """The mean of the least n: log2(R/eta) samples must exist, and A rho^n adds up to ours."""
        eta, trials = 0.1, effort.trials(100, 400)
        here = replace(self, setting=(*self.setting[:1], ("kappa", kappa)))
        found = here.shortest(trials, here.width(eta, 1e-9), eta, seed=8)
        least = np.array([float(n) for n in found if n is not None])
        error = 5 * float(least.std(ddof=1)) / math.sqrt(least.size)
        prefactor, ratio = (float(x) for x in _restated_sources.THINNED.failure(Fraction(eta)))
        ratio = 1 - float(kappa) * 2 * (1 - ratio)  # it is stated at one half
        most = math.log(prefactor) / -math.log(ratio) + 1 + 1 / (1 - ratio)
        need = math.ceil(math.log2(float(self.reach(Fraction(eta))) / eta)) / float(kappa)
        mean = float(least.mean())
        return Row(
            "scaling",
            f"density {float(kappa):g}, eta {eta:g}: mean of the least n",
            f"between {need:.3g} and {most:.4g}",
            f"{mean:.4g} +- {error:.2g}, times the density {mean * float(kappa):.3g}",
            mean - error > most or mean + error < need,
            CAN_REFUTE,
        )


@dataclass(frozen=True, kw_only=True)
class LockedTheorem(MaskedTheorem):
    """With locked weights: their sum in a block must be undone by free ones."""

    def own_rows(self, effort: Effort) -> Iterator[Row]:
        """Sources of several kinds; and how often locked weights are not undone."""
        yield from super().own_rows(effort)
        for free, locked in ((0.5, 0.5), (0.9, 0.1))[: effort.pick(1, 2)]:
            yield self._undone(free, locked, effort.trials(500, 4000))

    def _undone(self, free: float, locked: float, trials: int) -> Row:
        """P(-F > T+ or F > T-) at the m for which the statement makes it at most 1/10."""
        n = 60
        m = _restated_sources.reserved(n, Fraction(free), Fraction(locked), Fraction(1, 10))

        def draw(name: str) -> NDArray[np.uint32]:
            stream = philox.stream("check locked", name)
            return philox.words(3, stream, 0, trials * (n + m)).reshape(trials, n + m)

        a, b = (Uniform().units(draw(name)) * 2.0**-24 for name in "ab")
        x, word = b * np.maximum(a, 0), draw("source") * 2.0**-32
        fixed = np.where(word < locked, x, 0).sum(1)
        spare = np.where(word >= 1 - free, x, 0)[:, n:]
        up = np.where((spare > 0) & (spare <= 0.75), spare, 0).sum(1)
        down = np.where((spare < 0) & (spare >= -0.75), -spare, 0).sum(1)
        failed = int(((-fixed > up) | (fixed > down)).sum())
        name = f"{locked:g} locked, {free:g} free, n {n}, m {m}: locked weights are not undone"
        return failures(name, 0.1, failed, trials)
