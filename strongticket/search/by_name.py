"""Every method by its name, with one set of arguments: for command lines and comparisons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.search import ratios
from strongticket.search.bernoulli import Bernoulli
from strongticket.search.biprop import Biprop
from strongticket.search.continuous import ContinuousSparsification
from strongticket.search.edge_popup import EdgePopup
from strongticket.search.engine import MaskSearch
from strongticket.search.gem_miner import GemMiner
from strongticket.search.groups import Density, Scope
from strongticket.search.hard_concrete import HardConcrete
from strongticket.search.iterand import IteRand
from strongticket.search.multicoated import Multicoated
from strongticket.search.signed_supermask import SignedSupermask

Ratio = Literal["uniform", "erk", "balanced"]


@dataclass(frozen=True)
class Asked:
    """What a comparison says to every method alike.

    `density`: the fraction kept; methods that find their own begin there, where they can (see
    `NAMES`). `total`: steps of the whole search. `lr`: None takes the method's own, which is for a
    loss at the temperature of `strongticket.search.temperature`. `seed`: of scores and samples.
    `ratio`: how the density is shared out among layers, see `strongticket.search.ratios`. `ramp`:
    the share of all steps in which the density goes down from 1; of Gem-Miner, in which it prunes
    for good (all steps, where there is no ramp).
    """

    density: float
    total: int
    lr: float | None = None
    scope: Scope = "layer"
    seed: int = 0
    ratio: Ratio = "uniform"
    ramp: float = 0.0

    @property
    def ramp_steps(self) -> int:
        """How many steps the ramp takes."""
        return round(self.ramp * self.total)

    def densities(self, network: Network) -> Density:
        """The density, or that of each layer."""
        if self.ratio == "uniform":
            return self.density
        shapes = {name: network[name].shape for name in network.masked}
        counts = getattr(ratios, self.ratio)(shapes, self.density)
        return {name: Fraction(counts[name], network[name].numel) for name in shapes}

    def rate(self, own: float) -> float:
        """The learning rate, or the method's `own`."""
        return own if self.lr is None else self.lr


@dataclass(frozen=True)
class Named:
    """A method: how it is made, what it makes of `density`, and whether it ranks scores.

    Those that do (`scoped`) take a scope, a ratio and a ramp; Gem-Miner takes a ramp alone.
    """

    make: Callable[[Network, Asked], MaskSearch]
    density: str = "kept exactly"
    scoped: bool = False
    ramped: bool = False


NAMES: dict[str, Named] = {
    "edge-popup": Named(
        lambda network, a: EdgePopup(
            network,
            a.densities(network),
            a.rate(0.3),
            weight_decay=1e-4,
            scope=a.scope,
            score_seed=a.seed,
            ramp=a.ramp_steps,
        ),
        scoped=True,
        ramped=True,
    ),
    "iterand": Named(
        lambda network, a: IteRand(
            network,
            a.densities(network),
            a.rate(0.3),
            weight_decay=1e-4,
            scope=a.scope,
            score_seed=a.seed,
            sample_seed=a.seed,
            ramp=a.ramp_steps,
        ),
        scoped=True,
        ramped=True,
    ),
    "biprop": Named(
        lambda network, a: Biprop(
            network,
            a.densities(network),
            a.rate(0.3),
            scope=a.scope,
            score_seed=a.seed,
            ramp=a.ramp_steps,
        ),
        scoped=True,
        ramped=True,
    ),
    "gem-miner": Named(
        lambda network, a: GemMiner(
            network,
            a.density,
            max(1, a.ramp_steps) if a.ramp else a.total,
            a.rate(3.0),
            rounds=min(30, max(1, a.ramp_steps) if a.ramp else a.total),
            penalty=5e-5,  # weaker ones let scores pile up at 1, where only their index ranks
            score_seed=a.seed,
        ),
        "at most this, of all layers together",
        ramped=True,
    ),
    "multicoated": Named(
        lambda network, a: Multicoated(
            network,
            (a.density, a.density / 4, a.density / 10),
            a.rate(1.0),
            score_seed=a.seed,
        ),
        "of the first of three coats; the others keep a quarter and a tenth of it",
    ),
    "bernoulli": Named(
        lambda network, a: Bernoulli(
            network,
            a.rate(100.0),
            probability=min(a.density, 0.999),
            score_seed=a.seed,
            sample_seed=a.seed,
        ),
        "the probability at the start; the search finds its own",
    ),
    "hard-concrete": Named(
        lambda network, a: HardConcrete(
            network,
            a.rate(300.0),
            probability=min(a.density, 0.999),
            score_seed=a.seed,
            sample_seed=a.seed,
        ),
        "the probability at the start; the search finds its own",
    ),
    "signed-supermask": Named(
        lambda network, a: SignedSupermask(network, a.rate(1.0), score_seed=a.seed),
        "not used: the search finds its own",
    ),
    "continuous-sparsification": Named(
        lambda network, a: ContinuousSparsification(
            network, a.total, a.rate(10.0), rounds=min(3, a.total), score_seed=a.seed
        ),
        "not used: the search finds its own",
    ),
}


def by_name(method: str, network: Network, asked: Asked) -> MaskSearch:
    """The search of that name over a sampled model.

    Raises InputError for a name that is none of `NAMES`, and for global scope, a ratio or a ramp
    with a method that has none.
    """
    if method not in NAMES:
        raise InputError(f"a method is one of {', '.join(NAMES)}, got {method!r}")
    if asked.total < 1:
        raise InputError(f"a search needs one step at least, got total={asked.total}")
    if asked.scope == "global" and not NAMES[method].scoped:
        raise InputError(f"{method} has no scope: leave it out")
    if asked.ratio != "uniform" and not NAMES[method].scoped:
        raise InputError(f"{method} has no ratio: leave it out")
    if asked.ramp and not NAMES[method].ramped:
        raise InputError(f"{method} has no ramp: leave it out")
    if asked.ratio not in get_args(Ratio):
        raise InputError(f"a ratio is one of {', '.join(get_args(Ratio))}, got {asked.ratio!r}")
    if asked.scope == "global" and asked.ratio != "uniform":
        raise InputError("a global ranking finds the layers' densities itself: leave ratio out")
    if not 0 <= asked.ramp <= 1:
        raise InputError(f"ramp is a share of all steps, in [0, 1], got {asked.ramp!r}")
    return NAMES[method].make(network, asked)
