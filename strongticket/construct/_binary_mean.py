r"""Two layers for one with random signs: a weight is a count of kept products :math:`\pm 1`.

With weights :math:`\pm s_a` and :math:`\pm s_b` every product of two is :math:`\pm 1/n`,
:math:`n = 1 / (s_a s_b)`. For output j, input k and each sign group of the pool keep the first
:math:`m = |\mathrm{round}(n w_{jk})|` neurons whose product has the sign of the weight: the sum is
:math:`\mathrm{round}(n w_{jk}) / n`, within :math:`1/(2n)` of the weight, exactly.

Source: the gadget is that of Diffenderfer and Kailkhura 2021 (arXiv 2103.09377) as recalled; the
count is ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.construct._exact import unbiased
from strongticket.construct._pool import Pool
from strongticket.errors import ConstructionError, InputError
from strongticket.networks import Network
from strongticket.targets import Target
from strongticket.tickets import Mask, Ticket

Ints = NDArray[np.int64]


def binary_mean(network: Network, target: Target) -> Ticket:
    """Prune a random network of signs, of depth 2L, until every weight is the nearest count.

    `network` has widths (d_0, H_1, d_1, H_2, ...), H_l a multiple of d_{l-1}, and laws
    `SignedConstant` of power-of-two scales. The target has no biases. Raises ConstructionError
    where a pool has too few neurons of a kind.
    """
    unbiased(target)
    if network.architecture.widths[::2] != target.widths:  # type: ignore[union-attr]
        raise InputError(
            f"the network's even widths must be the target's {target.widths}, got "
            f"{network.architecture}"
        )
    signs(network)
    kept: dict[str, tuple[tuple[int, ...], Ints]] = {}
    counts = []
    for layer in range(target.depth):
        pool = Pool(network, layer, has_bias=False)
        goals = np.rint(np.ldexp(target.weights[layer].astype(np.float64), -pool.exponent))
        if np.abs(goals).max(initial=0) > pool.size:
            raise ConstructionError(
                f"layer {layer} has weights of {int(np.abs(goals).max())} products each, but its "
                f"pools have {pool.size} neurons: draw a wider network (theorem.network)"
            )
        edges: list[Ints] = []
        for k in range(pool.inputs):
            for sign in (1,) if layer or target.domain.nonnegative else (1, -1):
                edges += _column(pool, goals[:, k].astype(np.int64), k, sign, layer)
        chosen = np.sort(np.concatenate(edges)) if edges else np.empty(0, np.int64)
        hidden = np.unique(chosen % pool.hidden)
        kept[pool.first] = ((pool.hidden, pool.inputs), hidden * pool.inputs + hidden // pool.size)
        kept[pool.second] = ((pool.outputs, pool.hidden), chosen)
        counts.append({"pool": pool.size, "kept": int(chosen.size)})
    provenance: dict[str, Any] = {
        "construction": "counts of products of signs",
        "target": target.digest,
        "layers": counts,
    }
    return Ticket(network, Mask.sparse(kept), provenance=provenance)


def signs(network: Network) -> None:
    """InputError where a parameter's law is not plus or minus a power of two."""
    for parameter in network.parameters:
        if parameter.law.name != "signed_constant" or parameter.law.exponent is None:
            raise InputError(
                f"this gadget needs laws SignedConstant with power-of-two scales; {parameter.name} "
                f"has {parameter.law}"
            )


def _column(pool: Pool, goals: Ints, k: int, sign: int, layer: int) -> list[Ints]:
    """Kept flat indices of the second source layer for one input and sign group."""
    hidden = k * pool.size + np.arange(pool.size)
    incoming = pool.network.units_at(pool.first, hidden * pool.inputs + k)
    usable = hidden[incoming == sign]
    rows = np.flatnonzero(goals)
    flat = rows[:, None] * pool.hidden + usable
    products = pool.network.units_at(pool.second, flat).astype(np.int64) * sign
    right = products == np.sign(goals[rows])[:, None]
    number = np.cumsum(right, axis=1)
    wanted = np.abs(goals[rows])
    short = np.flatnonzero(number[:, -1] < wanted) if usable.size else np.arange(rows.size)
    if short.size:
        row = int(short[0])
        there = int(number[row, -1]) if usable.size else 0
        raise ConstructionError(
            f"weight ({int(rows[row])}, {k}) of layer {layer} needs {int(wanted[row])} products of "
            f"its sign among the neurons of sign {sign:+d}; the pool of {pool.size} has {there}: "
            "draw another network, or a wider one (theorem.network)"
        )
    return [flat[right & (number <= wanted[:, None])]]
