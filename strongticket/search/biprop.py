r"""Biprop: binary weights, found as a mask (multi-prize tickets).

The effective weight is :math:`\alpha \operatorname{sign}(W)` where the score is among the largest
magnitudes and 0 elsewhere, with :math:`\alpha` the mean magnitude of the parameter's kept weights.
The score gradient is edge-popup's, :math:`G \, W \operatorname{sign}(S)`: neither is
:math:`\alpha` differentiated nor does it scale the gradient.

Source: Diffenderfer, Kailkhura, "Multi-prize lottery ticket hypothesis: finding accurate binary
neural networks by pruning a randomly weighted network", ICLR 2021 (arXiv:2103.09377); with global
scope and a ramp: Diffenderfer, Bartoldson, Chaganti, Zhang, Kailkhura, "A winning hand:
compressing deep networks can improve out-of-distribution robustness", NeurIPS 2021.
"""

from __future__ import annotations

from typing import Unpack

from strongticket.networks import Network
from strongticket.search.engine import MaskSearch
from strongticket.search.gates import TopK
from strongticket.search.groups import Density, Scope
from strongticket.search.method import Method
from strongticket.search.options import Options

METHOD = Method(
    "biprop",
    "Diffenderfer and Kailkhura, ICLR 2021, arXiv:2103.09377",
    TopK("abs"),
    gain="binary",
)


class Biprop(MaskSearch):
    """Edge-popup whose effective weights are binary in each parameter. Arguments: `EdgePopup`'s.

    For the global variant take ``scope="global"`` and a `ramp` of some epochs, without which
    layers collapse.
    """

    def __init__(
        self,
        network: Network,
        density: Density = 0.5,
        lr: float = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        *,
        scope: Scope = "layer",
        refresh: int = 1,
        ramp: int = 0,
        floor: int = 0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            network,
            METHOD,
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
