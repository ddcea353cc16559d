r"""Edge-popup: keep the weights whose scores are largest.

Every frozen weight W has a score S; the effective weight is W where S is among the largest and 0
elsewhere. The backward pass takes the selection for the identity: with G the gradient of the
effective weight,

.. math:: \frac{\partial \ell}{\partial S} = G \, W \operatorname{sign}(S)
          \quad\text{(rank by } |S|\text{)}, \qquad G \, W \quad\text{(rank by } S\text{)}.

Source: Ramanujan, Wortsman, Kembhavi, Farhadi, Rastegari, "What's hidden in a randomly weighted
neural network?", CVPR 2020, Section 3 (arXiv:1911.13299). Their text ranks by S and their code
by \|S\|, which is the default here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.search.engine import Backend, MaskSearch, Structures
from strongticket.search.gates import TopK
from strongticket.search.groups import Density, Scope
from strongticket.search.method import Method
from strongticket.search.partial import Frozen
from strongticket.search.selection import Ranking

_SOURCE = "Ramanujan et al., CVPR 2020, arXiv:1911.13299"

BY_MAGNITUDE = Method("edge-popup", _SOURCE, TopK("abs"))
BY_VALUE = Method("edge-popup", _SOURCE, TopK("raw"))


class EdgePopup(MaskSearch):
    """Edge-popup as a ``torch.optim.Optimizer`` over the scores of a sampled model.

    Arguments:
        network: from ``Network.sample(model, ...)``; the model must be alive.
        density: the fraction kept, in (0, 1]; of each parameter, or of all masked weights
            together where `scope` is "global". A mapping gives each parameter its own. The
            number kept is exactly `strongticket.search.keep_count`.
        lr, momentum, weight_decay, nesterov: SGD on the scores; they may be set per group and
            driven by schedulers. Weight decay shrinks scores and touches nothing else.
        scope: rank within each "layer", or all weights together ("global").
        ranking: rank by the "abs" of a score, or by its "raw" value.
        score_seed: seed of the initial scores, apart from that of the weights.
        refresh: select at every `refresh`-th step only; between, scores move and the mask stays.
        groups: parameter groups as in torch, with name patterns for `params`, for example
            ``[{"params": ["head.*"], "lr": 0.01}]``; all others take the arguments above.
        backend: "numba" or "torch"; None takes numba where it can. The bits are the same.
        structure: one score a group of weights: "rows", "columns", "heads:8", "blocks:4x4", or
            n of every m weights, "2:4" (then the density must be n/m); a mapping from name
            patterns gives some parameters a structure. `density` is then of groups.
        frozen: a random fraction pruned or kept for good before the search, see
            `strongticket.search.Frozen`; `density` still is that of the whole parameter.
        ramp: over so many steps the density goes down from 1, as d^(step/ramp).
        floor: in global scope, how many scores each parameter keeps at least.

    Raises InputError for an argument out of range, SearchError where the model does not hold
    what ``Network.sample`` wrote.
    """

    def __init__(
        self,
        network: Network,
        density: Density = 0.5,
        lr: float = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        *,
        nesterov: bool = False,
        scope: Scope = "layer",
        ranking: Ranking = "abs",
        score_seed: int = 0,
        refresh: int = 1,
        groups: Sequence[Mapping[str, Any]] = (),
        backend: Backend | None = None,
        structure: Structures = None,
        frozen: Frozen | None = None,
        ramp: int = 0,
        floor: int = 0,
    ) -> None:
        if ranking not in ("abs", "raw"):
            raise InputError(f"ranking is 'abs' or 'raw', got {ranking!r}")
        super().__init__(
            network,
            BY_MAGNITUDE if ranking == "abs" else BY_VALUE,
            density=density,
            lr=lr,
            momentum=momentum,
            weight_decay=weight_decay,
            nesterov=nesterov,
            scope=scope,
            score_seed=score_seed,
            refresh=refresh,
            groups=groups,
            backend=backend,
            structure=structure,
            frozen=frozen,
            ramp=ramp,
            floor=floor,
        )
