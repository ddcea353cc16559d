r"""Hard-concrete gates over frozen weights: continuously relaxed Bernoulli gates.

The effective weight is W times a gate drawn once after every step from a concrete distribution
stretched to :math:`(\gamma, \zeta)` and clipped to [0, 1]; the loss has the penalty
:math:`\lambda` times the expected number of gates that are not 0. The ticket keeps the weights
whose gate without noise is a half or more.

Sources: Louizos, Welling, Kingma, "Learning sparse neural networks through L0 regularization",
ICLR 2018 (arXiv:1712.01312), for the gates; arXiv:2603.08914 for gates over frozen weights.
"""

from __future__ import annotations

import math
from typing import Unpack

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.search.engine import MaskSearch
from strongticket.search.method import Method
from strongticket.search.options import Options, number
from strongticket.search.scores import Start
from strongticket.search.soft import HardConcreteGate, OpenGates


class HardConcrete(MaskSearch):
    """Gates with an L0 penalty.

    It takes the arguments of `EdgePopup` that are not about ranking, and:

    Arguments:
        penalty: the weight lambda for each gate that is open.
        probability: how open the gates are at the beginning, in (0, 1): scores begin at its
            logit, with a standard deviation of 0.01.
        temperature, low, high: beta, gamma < 0 and zeta > 1 of the gates.
        sample_seed: of the draws.

    The learning rate is large for the reason that `Bernoulli` gives. The model holds soft weights
    while searching: judge the ticket inside ``with search.evaluating():``, or take `ticket`.
    """

    def __init__(
        self,
        network: Network,
        lr: float = 100.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        *,
        penalty: float = 1e-7,
        probability: float = 0.5,
        temperature: float = 2.0 / 3.0,
        low: float = -0.1,
        high: float = 1.1,
        **options: Unpack[Options],
    ) -> None:
        probability = number("probability", probability, 0.0, 1.0, open_low=True)
        temperature = number("temperature", temperature, 0.0, 1.0, open_low=True)
        penalty = number("penalty", penalty, 0.0, 1e30)
        if probability == 1.0 or not (-10 <= low < 0 and 1 < high <= 10):
            raise InputError(
                "probability must be below 1, low in [-10, 0) and high in (1, 10]; got "
                f"{probability!r}, {low!r} and {high!r}"
            )
        gate = HardConcreteGate(temperature, float(low), float(high))
        method = Method(
            "hard-concrete",
            "Louizos et al., ICLR 2018, arXiv:1712.01312; arXiv:2603.08914",
            gate,
            start=Start("normal", math.log(probability / (1.0 - probability)), 0.01),
            penalty=OpenGates(penalty, gate) if penalty else None,
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
