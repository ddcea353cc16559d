r"""Bernoulli supermasks: masks drawn with learned probabilities.

Each weight is kept with probability :math:`p = \sigma(S)`, drawn once after every step. The
backward pass takes the draw for its mean: the score gradient is :math:`G \, W \, p (1 - p)`.

Source: Zhou, Lan, Liu, Yosinski, "Deconstructing lottery tickets: zeros, signs, and the
supermask", NeurIPS 2019 (arXiv:1905.01067), Section 5.
"""

from __future__ import annotations

import math
from typing import Literal, Unpack

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.search.engine import MaskSearch
from strongticket.search.method import Method
from strongticket.search.options import Options, number
from strongticket.search.scores import Start
from strongticket.search.soft import Draw


class Bernoulli(MaskSearch):
    """Supermasks by sampling. How many weights stay is learned; `probability` is where it begins.

    It takes the arguments of `EdgePopup` that are not about ranking, and:

    Arguments:
        probability: that of every weight at the beginning, in (0, 1).
        rescale: dynamic weight rescaling: effective weights are divided by the fraction of their
            parameter that the draw keeps; the gradient takes it for a constant factor.
        evaluation: what a ticket holds: the "draw" in force, as the authors evaluate, or the
            weights of probability 1/2 and more ("threshold"). A mean network, each weight times
            its probability, is no ticket: look at it in ``with search.evaluating("expectation")``.
        sample_seed: of the draws. A resumed search draws what it would have drawn.

    The learning rate is large because p (1 - p) and the gradients are small: the authors' commands
    take 100.
    """

    def __init__(
        self,
        network: Network,
        lr: float = 100.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        *,
        probability: float = 0.5,
        rescale: bool = False,
        evaluation: Literal["draw", "threshold"] = "draw",
        **options: Unpack[Options],
    ) -> None:
        probability = number("probability", probability, 0.0, 1.0, open_low=True)
        if probability == 1.0:
            raise InputError("probability must be below 1: at 1 no gradient moves it")
        if evaluation not in ("draw", "threshold"):
            raise InputError(f"evaluation is 'draw' or 'threshold', got {evaluation!r}")
        if not isinstance(rescale, bool):
            raise InputError(f"rescale must be True or False, got {rescale!r}")
        method = Method(
            "bernoulli",
            "Zhou et al., NeurIPS 2019, arXiv:1905.01067",
            Draw(evaluation),
            start=Start("constant", math.log(probability / (1.0 - probability))),
            gain="inverse density" if rescale else "none",
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
