r"""Two layers for one with error zero: every weight of a quantized target is a subset sum, exactly.

All random weights are integers times a power of two, and so is the target. For output j, input k
and each sign group of the pool, candidates :math:`b_{ji} a_i` are read one after the other until
the target's integer is one of their subset sums. The set of all subset sums of a prefix is one
Python integer used as a bit set, so a subset that is there is found, and none is missed.

Source: the gadget of Kumar and Natale 2025 (arXiv 2508.11020), Theorem 1, after Pensia et al. 2020.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.construct._pool import Pool
from strongticket.errors import ConstructionError, InputError
from strongticket.networks import Network
from strongticket.targets import Target
from strongticket.tickets import Mask, Ticket

Ints = NDArray[np.int64]
MOST_BITS = 1 << 24  # of one set of subset sums


def exact(network: Network, target: Target) -> Ticket:
    """Prune a random network of depth 2L until it equals the target, weight by weight.

    `network` has widths (d_0, H_1, d_1, H_2, ...), H_l a multiple of d_{l-1}, and laws with
    power-of-two scales; every weight of target layer l is a multiple of the product of the two
    layers' units. The target has no biases. The ticket's error is 0 on the target's domain.

    Raises InputError where a weight is off the grid (with the nearest on it), and
    ConstructionError where a whole pool has no subset.
    """
    unbiased(target)
    if network.architecture.widths[::2] != target.widths:  # type: ignore[union-attr]
        raise InputError(
            f"the network's even widths must be the target's {target.widths}, got "
            f"{network.architecture}"
        )
    kept: dict[str, tuple[tuple[int, ...], Ints]] = {}
    reports = []
    for layer in range(target.depth):
        pool = Pool(network, layer, has_bias=False)
        goals = integers(target, layer, pool.exponent)
        edges: list[int] = []
        longest = 0
        for sign in (1,) if layer or target.domain.nonnegative else (1, -1):
            found, read = _group(pool, goals, sign, layer)
            edges += found
            longest = max(longest, read)
        chosen = np.array(sorted(edges), np.int64)
        hidden = np.unique(chosen % pool.hidden)
        kept[pool.first] = ((pool.hidden, pool.inputs), hidden * pool.inputs + hidden // pool.size)
        kept[pool.second] = ((pool.outputs, pool.hidden), chosen)
        reports.append({"pool": pool.size, "candidates_read": longest, "kept": int(chosen.size)})
    provenance: dict[str, Any] = {
        "construction": "two layers for one, exactly",
        "target": target.digest,
        "layers": reports,
    }
    return Ticket(network, Mask.sparse(kept), provenance=provenance)


def exact_subset(candidates: Sequence[int], goal: int) -> tuple[int, ...] | None:
    """The subset of the shortest prefix that sums to `goal`: its indices, ascending, or None.

    Every partial set of sums is kept as the bits of one integer, bit s + offset for the sum s.
    """
    if goal == 0:
        return ()
    sets, offsets = [1], [0]
    for x in candidates:
        bits, offset = sets[-1], offsets[-1]
        if x >= 0:
            bits |= bits << x
        else:
            bits, offset = bits | bits << -x, offset - x
        if bits.bit_length() > MOST_BITS:
            raise InputError(
                f"exact subset sums need candidates whose magnitudes add up to {MOST_BITS:,} at "
                f"the most, got {bits.bit_length():,}; take laws of fewer steps"
            )
        sets.append(bits)
        offsets.append(offset)
        if goal + offset >= 0 and bits >> (goal + offset) & 1:
            break
    else:
        return None
    chosen = []
    for t in range(len(sets) - 1, 0, -1):
        before, offset = sets[t - 1], offsets[t - 1]
        if goal + offset >= 0 and before >> (goal + offset) & 1:
            continue
        chosen.append(t - 1)
        goal -= candidates[t - 1]
    assert goal == 0
    return tuple(reversed(chosen))


def integers(target: Target, layer: int, exponent: int) -> Ints:
    """A layer's weights as multiples of 2^exponent; InputError, with the nearest, for others."""
    weights = np.ldexp(target.weights[layer].astype(np.float64), -exponent)
    rounded = np.rint(weights)
    off = np.argwhere(weights != rounded)
    if off.size:
        j, k = map(int, off[0])
        raise InputError(
            f"weight ({j}, {k}) of layer {layer}, {target.weights[layer][j, k]:.9g}, must be a "
            f"multiple of 2^{exponent}, the step of the random weights' products; the nearest is "
            f"{math.ldexp(float(rounded[j, k]), exponent):.9g}: round the target first "
            "(strongticket.construct.quantized)"
        )
    if np.abs(rounded).max(initial=0.0) >= MOST_BITS:
        raise InputError(
            f"layer {layer} has weights of {int(np.abs(rounded).max()):,} steps of 2^{exponent}; "
            f"exact subset sums go up to {MOST_BITS:,}: use laws of a coarser step"
        )
    return rounded.astype(np.int64)


def quantized(target: Target, steps: Sequence[float]) -> Target:
    """The target with every weight of layer i (and bias) rounded to a multiple of `steps[i]`.

    Steps are powers of two. What is matched exactly afterwards is this target, not the given one.
    """
    if len(steps) != target.depth:
        raise InputError(f"a target of depth {target.depth} needs as many steps, got {len(steps)}")
    layers = []
    for step, w, b in zip(steps, target.weights, target.biases, strict=True):
        if not (math.isfinite(step) and step > 0 and math.frexp(step)[0] == 0.5):
            raise InputError(f"steps are powers of two, got {step!r}")
        layers.append(
            tuple(
                None
                if array is None
                else (np.rint(array.astype(np.float64) / step) * step).astype(np.float32)
                for array in (w, b)
            )
        )
    return Target(layers, target.domain)  # type: ignore[arg-type]


def unbiased(target: Target) -> None:
    """InputError where a target has biases, which these gadgets do not carry."""
    if any(b is not None for b in target.biases):
        raise InputError(
            "this gadget is for targets without biases; train without them, or use "
            "strongticket.construct.two_layer, which builds biases as well"
        )


def _group(pool: Pool, goals: Ints, sign: int, layer: int) -> tuple[list[int], int]:
    """Kept flat indices of the second source layer for one sign group, and the longest prefix."""
    blocks = np.arange(pool.inputs)
    hidden = blocks[:, None] * pool.size + np.arange(pool.size)
    incoming = pool.network.units_at(pool.first, hidden * pool.inputs + blocks[:, None])
    edges: list[int] = []
    longest = 0
    for k in range(pool.inputs):
        usable = np.flatnonzero(sign * incoming[k] > 0)
        a = incoming[k, usable].astype(np.int64)
        rows = np.flatnonzero(goals[:, k])
        flat = rows[:, None] * pool.hidden + (k * pool.size + usable)
        products = pool.network.units_at(pool.second, flat).astype(np.int64) * a
        for row, candidates, indices in zip(rows.tolist(), products.tolist(), flat, strict=True):
            chosen = exact_subset(candidates, int(goals[row, k]))
            if chosen is None:
                raise ConstructionError(
                    f"no subset of the {usable.size} usable neurons of input {k} (sign {sign:+d}) "
                    f"sums to weight ({row}, {k}) of layer {layer}, {int(goals[row, k])} steps; "
                    "draw another network, or a wider one (theorem.network)"
                )
            edges += indices[list(chosen)].tolist()
            longest = max(longest, chosen[-1] + 1)
    return edges, longest
