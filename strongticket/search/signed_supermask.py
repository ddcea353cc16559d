r"""Signed supermasks: a mask may flip the sign of what it keeps.

The effective weight is :math:`W \operatorname{sign}(S) \, 1[|S| > \tau]`, the score gradient
:math:`G \, W`. Weight decay of the scores makes the mask sparse; how sparse is not an argument.

Source: Koster, Grothe, Rettinger, "Signing the supermask: keep, hide, invert", ICLR 2022
(arXiv:2201.13361). They take frozen weights of constant magnitude, He's times the square root of
1.5: ``SignedConstant(scale)``.
"""

from __future__ import annotations

from typing import Unpack

from strongticket.networks import Network
from strongticket.search.engine import MaskSearch
from strongticket.search.gates import SignedAbove
from strongticket.search.method import Method
from strongticket.search.options import Options, number
from strongticket.search.scores import Start


class SignedSupermask(MaskSearch):
    """Masks of -1, 0 and 1. A ticket records the signs.

    Arguments: those of `EdgePopup` that are not about ranking, and `threshold`, the magnitude that
    a score must exceed for its weight to stay. Scores begin uniform after Glorot.
    """

    def __init__(
        self,
        network: Network,
        lr: float = 5e-3,
        momentum: float = 0.9,
        weight_decay: float = 3e-4,
        *,
        threshold: float = 0.01,
        **options: Unpack[Options],
    ) -> None:
        options.setdefault("nesterov", bool(momentum))
        method = Method(
            "signed-supermask",
            "Koster et al., ICLR 2022, arXiv:2201.13361",
            SignedAbove(number("threshold", threshold, 0.0, 1e30)),
            start=Start("xavier uniform"),
        )
        super().__init__(
            network,
            method,
            density=None,
            lr=lr,
            momentum=momentum,
            weight_decay=weight_decay,
            **options,
        )
