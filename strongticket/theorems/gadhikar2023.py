r"""Gadhikar, Mukherjee, Burkholz, ICML 2023, arXiv 2210.02412.

"Why Random Pruning Is All We Need to Start Sparse": a network that is pruned at random before
anything is searched still holds the tickets, if it is wider by 1 / ln(1 / (1 - kappa)), where
kappa is the density that is left.

RECALLED is the theorem on strong tickets as it is recalled, its constant unspecified. SAMPLES,
EXPLICIT and REALISABLE are ours, with every constant: random subset sums and the depth-2L network
inside a pruned source, and the copies that an exact target with trained weights asks for.
Proofs: docs/theorems/proofs-random-sources.md.
"""

from __future__ import annotations

from fractions import Fraction

import sympy

from strongticket.bounds import Bound
from strongticket.construct import RandomSource
from strongticket.laws import Uniform
from strongticket.theorems import _restated_sources, pensia2020
from strongticket.theorems._example import example_target
from strongticket.theorems._masked import MaskedTheorem, ThinnedSamples, thinned_bound
from strongticket.theorems._network import REACH, RESOLUTION
from strongticket.theorems._realisable import Realisable
from strongticket.theorems._sampling import exponential
from strongticket.theorems._theorem import ACCURACY, CONFIDENCE, OURS, Hypothesis, Theorem
from strongticket.theorems.random_subset_sum import GRID, PRODUCT, R1PLUS_WHOLE
from strongticket.tickets import Ticket

PAPER = "Gadhikar, Mukherjee, Burkholz, ICML 2023, arXiv 2210.02412"
SOURCES = (
    RandomSource(0.5, 0.5),
    RandomSource(1.0, 0.25),
    RandomSource(0.9, 0.7),
    RandomSource(1.0, 1.0),
)

C, epsilon, delta, kappa, eta, ell = sympy.symbols("C epsilon delta kappa eta ell", positive=True)
E = sympy.Symbol("E", positive=True, integer=True)

RECALLED = Theorem(
    key="gadhikar2023_recalled",
    title="Strong tickets inside randomly pruned sources (exact form recalled)",
    source=f"{PAPER}; exact form and theorem number recalled",
    claim=(
        "Let each weight of the random network exist with probability $\\kappa$, independently. "
        "There is a constant C such that n candidates for each weight of the target serve, with "
        "probability at least $1 - \\delta$, to $\\varepsilon$, if {bound}"
    ),
    hypotheses=(ACCURACY, CONFIDENCE),
    bound=Bound(
        "n",
        C * sympy.log(1 / sympy.Min(epsilon, delta)) / sympy.log(1 / (1 - kappa)),
        "sufficient",
        meanings=(
            ("C", "a constant that is not recalled and not filled in"),
            ("epsilon", "accuracy of every weight"),
            ("delta", "failure probability"),
            ("kappa", "density of the random source"),
        ),
        unspecified=frozenset({"C"}),
    ),
    law=Uniform(1.0).latex,
    false_bound="none: with C unspecified no width contradicts the statement",
    errata=(
        "The factor $1/\\ln(1/(1-\\kappa))$ is exact for a target edge that needs one existing "
        "edge (`gadhikar2023_realisable`), and every count needs it times $\\ln(1/\\delta)$. A "
        "subset sum needs several existing candidates, so that its count grows like $1/\\kappa$ "
        "for $\\kappa$ near 1, too, where the factor goes to 0: C must hide that.",
    ),
    instead="gadhikar2023_explicit",
)

_WHOLE = dict(R1PLUS_WHOLE.setting)
_RATIO = 1 - kappa * (1 - 6 * GRID * ell / eta) / 4
SAMPLES = ThinnedSamples(
    key="gadhikar2023_samples",
    title="Random subset sum with samples that exist at random",
    source=f"{OURS}, R5 with R1+; on the grid D2",
    claim=(
        r"Let X be uniform on the odd multiples of $2^{-24}s$ in $(-s, s)$, let each of n "
        r"independent copies exist with probability $\kappa$, and $s \le \ell \le 2s$. With "
        r"probability at least $1 - \delta$ the existing ones have, for every real $|z| \le "
        r"\ell/2$ at once, a subset whose sum is within $\eta$ of z, if {bound}"
    ),
    hypotheses=(
        *R1PLUS_WHOLE.hypotheses,
        Hypothesis(
            r"$0 < \kappa \le 1$",
            lambda kappa: None if 0 < kappa <= 1 else f"kappa must lie in (0, 1], got {kappa!r}",
        ),
    ),
    bound=exponential(
        "n",
        R1PLUS_WHOLE.prefactor,
        _RATIO,
        domain=(sympy.Le(eta, ell / 2), sympy.Le(kappa, 1)),
        meanings=(
            *R1PLUS_WHOLE.bound.meanings,
            ("kappa", "probability that a sample exists"),
        ),
    ),
    law=r"\mathrm{U}[-s, s]",
    proof="source-pruned",
    extremal={"eta": (0.1, 0.01), "delta": (0.5, 0.01)},
    false_bound="the width just below the counting bound",
    prefactor=R1PLUS_WHOLE.prefactor,
    ratio=_RATIO,
    setting=(("ell", Fraction(2)), ("kappa", Fraction(1, 2))),
    reach=lambda eta: Fraction(1),
    restated=_restated_sources.THINNED,
    inequalities=R1PLUS_WHOLE.inequalities,
)

PRUNED = Hypothesis(
    "the source is pruned only: nothing in it is locked",
    lambda source: (
        f"the source locks {source.locked:g} of the weights; use otsuka2024_explicit, or locked=0"
        if source.locked
        else None
    ),
)


class _Explicit(MaskedTheorem):
    def example(self) -> Ticket | None:
        """A 2-2-1 target in a source of which three quarters of every sub-layer are left."""
        target, source = example_target(), RandomSource(0.75, 0.75)
        plans = self.plan(target, 0.5)
        network = self.mlp(plans, [14, 14], seed=4)
        return self.prune(network, target, plans, Fraction(1), source=source)


EXPLICIT = _Explicit(
    key="gadhikar2023_explicit",
    title="Depth 2L in a randomly pruned source, explicit constants",
    source=f"{OURS}, R5 with B4; on the grid D2; explicit form of {PAPER}",
    claim=pensia2020.EXPLICIT.claim.replace(
        " With probability at least",
        " Before anything is searched, each weight (and bias) of the first of the two is pruned "
        "with probability $1 - \\kappa_a$, each of the second with $1 - \\kappa_b$, independently, "
        "and $f = \\kappa_a \\kappa_b$. With probability at least",
    ).replace("of some pruned network", "of some network pruned further"),
    hypotheses=(ACCURACY, CONFIDENCE, REACH, RESOLUTION, PRUNED),
    bound=thinned_bound(PRODUCT, locked=False),
    law=pensia2020.EXPLICIT.law,
    proof="source-pruned-network",
    extremal={"targets": pensia2020.EXPLICIT.extremal["targets"], "sources": SOURCES},
    false_bound="pools just below the counting bound",
    block=PRODUCT,
    whole=False,
    restated=pensia2020.EXPLICIT.restated,
    inequalities=pensia2020.EXPLICIT.inequalities,
    assumed=RandomSource(0.5, 0.5),
    locking=False,
)

REALISABLE = Realisable(
    key="gadhikar2023_realisable",
    title="Copies that realise an exact target in a pruned source with trained weights",
    source=f"{OURS}; mechanism of {PAPER}",
    claim=(
        "Let a fully connected ReLU source have $\\rho$ copies of every input and hidden neuron of "
        "the target, and let each of its edges exist with probability $\\kappa$, independently. "
        "Let E count the pairs of a target edge and a copy of its output. With probability at "
        "least $1 - \\delta$ weights on existing edges make the source equal to the target "
        "everywhere, if {bound} For independent pairs with $\\delta \\le 1/2$ no number smaller by "
        "more than $1 + \\ln(2 \\ln 2)/\\ln(1/(1-\\kappa))$ would do."
    ),
    hypotheses=(
        CONFIDENCE,
        Hypothesis(
            r"$0 < \kappa < 1$",
            lambda kappa: (
                None if 0 < kappa < 1 else f"kappa must lie strictly between 0 and 1, got {kappa!r}"
            ),
        ),
    ),
    bound=Bound(
        r"\rho",
        sympy.log(E / delta) / sympy.log(1 / (1 - kappa)),
        "sufficient",
        domain=(sympy.Lt(kappa, 1), sympy.Lt(delta, 1)),
        meanings=(
            ("E", "pairs of a target edge and a copy of its output"),
            ("delta", "failure probability of the random source"),
            ("kappa", "density of the random source"),
        ),
    ),
    law="any",
    proof="source-copies",
    extremal={"kappa": (0.5, 0.1, 0.9)},
    false_bound="a third of the bound",
)
