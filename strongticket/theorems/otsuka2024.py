r"""Otsuka, Chijiwa, Lopez Garcia-Arias, Okoshi, Kawamura, Van Chu, Fujiki, Takeuchi, Motomura.

"Partially Frozen Random Networks Contain Compact Strong Lottery Tickets", TMLR 2025, arXiv
2402.14029: parts of a random network, chosen at random, may be frozen, pruned for good or locked
into every subnetwork, before anything is searched, and strong tickets remain.

RECALLED is the theorem as it is recalled, its constant unspecified. EXPLICIT is ours, with every
constant: depth 2L, both sub-layers pruned at random or a part of the second one locked.
Proofs: docs/theorems/proofs-random-sources.md.
"""

from __future__ import annotations

from fractions import Fraction

import sympy

from strongticket.bounds import Bound
from strongticket.construct import RandomSource
from strongticket.laws import Uniform
from strongticket.theorems import _kappa, _restated_sources, pensia2020
from strongticket.theorems._evidence import PROVES, Inequality
from strongticket.theorems._example import example_target
from strongticket.theorems._masked import LockedTheorem, thinned_bound
from strongticket.theorems._network import REACH, RESOLUTION
from strongticket.theorems._restated_network import RestatedNetwork
from strongticket.theorems._sampling import SamplingTheorem, exponential
from strongticket.theorems._theorem import ACCURACY, CONFIDENCE, OURS, Hypothesis, Theorem
from strongticket.theorems.random_subset_sum import PRODUCT
from strongticket.tickets import Ticket

PAPER = "Otsuka et al., TMLR 2025, arXiv 2402.14029"
SOURCES = (
    RandomSource(1.0, 1.0, 0.1),
    RandomSource(1.0, 0.5, 0.1),
    RandomSource(1.0, 1.0, 0.25),
)
WINDOW = Fraction(3, 4)

C, epsilon, delta, eta, W = sympy.symbols("C epsilon delta eta W", positive=True)

RECALLED = Theorem(
    key="otsuka2024_recalled",
    title="Strong tickets in partially frozen networks (exact form recalled)",
    source=f"{PAPER}; exact form and theorem number recalled",
    claim=(
        "Let each weight of the random network be pruned for good with probability p and locked "
        "with probability r, independently. There is a $C(p, r)$ such that n candidates for each "
        "weight of the target serve, with probability at least $1 - \\delta$, to $\\varepsilon$, "
        "if {bound}"
    ),
    hypotheses=(ACCURACY, CONFIDENCE),
    bound=Bound(
        "n",
        C * sympy.log(1 / sympy.Min(epsilon, delta)),
        "sufficient",
        meanings=(
            ("C", "a constant that depends on p and r and is not recalled"),
            ("epsilon", "accuracy of every weight"),
            ("delta", "failure probability"),
        ),
        unspecified=frozenset({"C"}),
    ),
    law=Uniform(1.0).latex,
    false_bound="none: with C unspecified no width contradicts the statement",
    errata=(
        "What is locked adds up to about $\\sqrt{\\lambda n/18}$ in a block of n products, and "
        "must be undone by free weights: C grows without bound as the free part goes to 0 "
        "(`otsuka2024_explicit` says how fast).",
        "A locked weight of a first sub-layer would give its hidden neuron further inputs, and "
        "the two-layers-for-one gadget would not apply; `otsuka2024_explicit` locks weights of "
        "second sub-layers only.",
    ),
    instead="otsuka2024_explicit",
)

LOCKED = Hypothesis(
    "the source locks a part of the second sub-layers, and leaves a part free",
    lambda source: (
        None
        if source.locked
        else "the source locks nothing; use gadhikar2023_explicit, or locked > 0"
    ),
)

_PREFACTOR = 2 * W**2 / eta**2
_BLOCK = SamplingTheorem(
    key="otsuka2024_block",
    title="Products behind a ReLU, to the ends of the window",
    source=f"{OURS}, R2+ (B3); on the grid D2",
    claim="All $|z| \\le W/2$ within $\\eta$, $W = \\tfrac34 s_a s_b$, if {bound}",
    hypotheses=PRODUCT.hypotheses,
    bound=exponential(
        "n",
        _PREFACTOR,
        PRODUCT.ratio,
        domain=(sympy.Le(eta, W / 2),),
        meanings=PRODUCT.bound.meanings,
    ),
    law=PRODUCT.law,
    extremal=PRODUCT.extremal,
    prefactor=_PREFACTOR,
    ratio=PRODUCT.ratio,
    setting=PRODUCT.setting,
    reach=lambda eta: WINDOW / 2,
    restated=_restated_sources.PRODUCT_WHOLE,
    gated=True,
)


def _moments() -> tuple[bool, str]:
    mean, square = _kappa.product_moments(WINDOW)
    holds = mean >= 0.055 and square <= 0.022
    return holds, f"mean {mean:.6f} >= 0.055, mean square {square:.6f} <= 0.022"


class _Explicit(LockedTheorem):
    def example(self) -> Ticket | None:
        """A 2-2-1 target, a fifth of the second sub-layers locked and a quarter pruned."""
        target, source = example_target(), RandomSource(1.0, 0.75, 0.2)
        plans = self.plan(target, 0.5)
        network = self.mlp(plans, [12, 12], seed=8)
        return self.prune(network, target, plans, Fraction(1), source=source)


EXPLICIT = _Explicit(
    key="otsuka2024_explicit",
    title="Depth 2L in a partly locked source, explicit constants",
    source=f"{OURS}, R5; on the grid D2; explicit form of {PAPER}",
    claim=pensia2020.EXPLICIT.claim.replace(
        " With probability at least",
        " Before anything is searched, each weight of the second of the two is locked with "
        "probability $\\lambda$ (every subnetwork keeps it), free with probability f, and pruned "
        "otherwise, independently. With probability at least",
    ).replace("of some pruned network", "of some network that keeps what is locked"),
    hypotheses=(ACCURACY, CONFIDENCE, REACH, RESOLUTION, LOCKED),
    bound=thinned_bound(_BLOCK, locked=True),
    law=pensia2020.EXPLICIT.law,
    proof="source-locked-network",
    extremal={"targets": pensia2020.EXPLICIT.extremal["targets"], "sources": SOURCES},
    false_bound="pools just below the counting bound",
    block=_BLOCK,
    whole=True,
    restated=RestatedNetwork(_restated_sources.PRODUCT_WHOLE, WINDOW, margin=0),
    inequalities=(
        *pensia2020.EXPLICIT.inequalities,
        Inequality("moments of the product within its window", lambda effort: _moments(), PROVES),
    ),
    assumed=RandomSource(1.0, 1.0, 0.1),
    locking=True,
)
