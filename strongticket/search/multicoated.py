r"""Multicoated supermasks: the sum of nested masks.

For densities :math:`d_1 > d_2 > \dots`, each parameter's weight is multiplied by the number of
levels whose share of the largest :math:`|S|` it belongs to: 0, 1, ..., N. The score gradient is
:math:`G \, W \operatorname{sign}(S)`, as for one mask.

Source: Okoshi, Garcia-Arias, Hirose, Ando, Kawamura, Van Chu, Motomura, Yu, "Multicoated
supermasks enhance hidden networks", ICML 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Unpack

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.search import selection
from strongticket.search.engine import MaskSearch
from strongticket.search.gates import Nested
from strongticket.search.method import Method
from strongticket.search.options import Options
from strongticket.search.scores import Start


class Multicoated(MaskSearch):
    """Masks of small integers. A ticket records the multiples.

    Arguments: those of `EdgePopup` that are not about ranking, and `densities`, falling, those of
    the levels; the first is the density of the ticket. Scores begin normal after He. Of `frozen`
    only `pruned` has a meaning here.
    """

    def __init__(
        self,
        network: Network,
        densities: Sequence[float] = (0.3, 0.079, 0.0315),
        lr: float = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        **options: Unpack[Options],
    ) -> None:
        levels = tuple(densities) if isinstance(densities, Sequence) else ()
        for density in levels:
            selection.keep_count(density, 1)
        if not 1 <= len(levels) <= 127 or any(a <= b for a, b in pairwise(levels)):
            raise InputError(
                f"densities are 1 to 127 numbers in (0, 1], each below the one before, got "
                f"{densities!r}"
            )
        frozen = options.get("frozen")
        if frozen is not None and frozen.kept:
            raise InputError("a multicoated search cannot keep entries for good: no level is said")
        if frozen is not None and frozen.pruned + levels[0] > 1:
            raise InputError(
                f"density {levels[0]} cannot be kept where {frozen.pruned} is pruned for good"
            )
        method = Method(
            "multicoated",
            "Okoshi et al., ICML 2022",
            Nested(tuple(float(d) for d in levels)),
            start=Start("kaiming normal"),
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
