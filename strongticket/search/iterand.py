r"""IteRand: edge-popup that draws pruned weights again.

Every `every` steps each weight that is pruned at that moment is drawn from its law again with
probability `rate`; kept weights never change. A ticket records, for each kept weight, the round
that drew it last, so it loads to the identical network elsewhere.

Source: Chijiwa, Yamaguchi, Ida, Umakoshi, Inoue, "Pruning randomly initialized neural networks
with iterative randomization", NeurIPS 2021 (arXiv:2106.09269). Their code ranks by the value of a
score, not by its magnitude, which is the default here.
"""

from __future__ import annotations

from typing import Unpack

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.search.engine import MaskSearch
from strongticket.search.gates import TopK
from strongticket.search.groups import Density, Scope
from strongticket.search.method import Method, Redraw
from strongticket.search.options import Options, number
from strongticket.search.selection import Ranking, whole


class IteRand(MaskSearch):
    """Edge-popup with iterative randomization.

    It takes the arguments of `EdgePopup`, and:

    Arguments:
        every: steps between two redraws (300 in the paper).
        rate: the probability with which a pruned weight is redrawn (0.1 in the paper).
        ranking: "raw" as in the authors' code, or "abs".
        sample_seed: decides which weights are redrawn. Their values follow from the network's own
            seed.

    Raises InputError for an argument out of range.
    """

    def __init__(
        self,
        network: Network,
        density: Density = 0.5,
        lr: float = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        *,
        every: int = 300,
        rate: float = 0.1,
        ranking: Ranking = "raw",
        scope: Scope = "layer",
        refresh: int = 1,
        ramp: int = 0,
        floor: int = 0,
        **options: Unpack[Options],
    ) -> None:
        if ranking not in ("abs", "raw"):
            raise InputError(f"ranking is 'abs' or 'raw', got {ranking!r}")
        every = whole("every is a number of steps", every, 1)
        method = Method(
            "iterand",
            "Chijiwa et al., NeurIPS 2021, arXiv:2106.09269",
            TopK(ranking),
            redraw=Redraw(every, number("rate", rate, 0.0, 1.0)),
        )
        super().__init__(
            network,
            method,
            density=density,
            lr=lr,
            momentum=momentum,
            weight_decay=weight_decay,
            scope=scope,
            refresh=refresh,
            ramp=ramp,
            floor=floor,
            **options,
        )
