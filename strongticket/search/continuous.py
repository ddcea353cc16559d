r"""Continuous sparsification over frozen weights: gates that heat up until they are a mask.

While searching the effective weight is :math:`W \, \sigma(\beta_t S) / \sigma(s_0)`, with
:math:`\beta` growing from 1 to `final` within each round; the loss has the penalty
:math:`\lambda \sum \sigma(\beta_t S)`. A round ends with :math:`S \leftarrow \min(\beta S, s_0)`.
The ticket is 1[S > 0].

Source: Savarese, Silva, Maire, "Winning the lottery with continuous sparsification", NeurIPS 2020
(arXiv:1912.04427). They train the weights too; here those stay frozen.
"""

from __future__ import annotations

from typing import Unpack

from strongticket.networks import Network
from strongticket.search.engine import MaskSearch
from strongticket.search.method import Method
from strongticket.search.options import Options, number, rounds_of
from strongticket.search.scores import Start
from strongticket.search.soft import Heating, NewRound, Sigmoid, SoftCount


class ContinuousSparsification(MaskSearch):
    """Soft gates with a temperature; the mask is hard at the end.

    It takes the arguments of `EdgePopup` that are not about ranking, and:

    Arguments:
        total: the number of steps of the whole search, shared out over the rounds.
        rounds: how often the temperature begins again (3 in the paper).
        final: the temperature at the end of a round.
        initial: s_0, the first scores; lower ones give sparser tickets.
        penalty: the weight lambda of the penalty.

    The model holds soft weights while searching: judge the ticket inside
    ``with search.evaluating():``, or take `ticket`.
    """

    def __init__(
        self,
        network: Network,
        total: int,
        lr: float = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        *,
        rounds: int = 3,
        final: float = 200.0,
        initial: float = 0.0,
        penalty: float = 1e-8,
        **options: Unpack[Options],
    ) -> None:
        heating = Heating(*rounds_of(total, rounds), number("final", final, 1.0, 1e6))
        initial = number("initial", initial, -20.0, 20.0)
        penalty = number("penalty", penalty, 0.0, 1e30)
        options.setdefault("nesterov", bool(momentum))
        method = Method(
            "continuous-sparsification",
            "Savarese et al., NeurIPS 2020, arXiv:1912.04427",
            Sigmoid(heating, initial),
            start=Start("constant", initial),
            penalty=SoftCount(penalty, heating) if penalty else None,
            move=NewRound(heating, initial),
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
