r"""The lightest subset within an interval, compiled: meet in the middle, cut by weight.

A subset that adds up to s > 0 with negative parts of N altogether weighs s + 2N. So the search
starts with no negative candidate at all and lets N grow until nothing lighter can be left; what
its halves may hold is cut by P and N, the positive and the negative parts. `weights_numpy` gives
the same masks without any cut.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket._jit import jit

Array = Any
Units = Any  # an int64 of numba's is no int of mypy's
_NONE = (1 << 63) - 1


def bytes_of(n: int) -> int:
    """The working memory of one call at n candidates: ten int64 for each subset of a half."""
    return 80 << (n + 1) // 2


@jit
def least_weight(
    candidates: Array, step: int, low: Array, high: Array, rows: Array, numbers: Array
) -> None:
    """numbers[rows] = the mask of the least sum of magnitudes with low <= sum <= high, -1 for none.

    The least mask number of those that weigh the same. `candidates` (m, n) int64, or (1, n) with
    `step` 0; `low`, `high` (m,) int64.
    """
    n = candidates.shape[1]
    room = 1 << ((n + 1) // 2)
    left, right, spare = (
        np.empty((3, room), np.int64),
        np.empty((3, room), np.int64),
        np.empty((3, room), np.int64),
    )
    queue = np.empty(room, np.int64)
    a = np.empty(n, np.int64)
    items = np.empty((2, n), np.int64)
    for row in rows:
        least, most = low[row], high[row]
        numbers[row] = -1
        if least > most:
            continue
        if least <= 0 <= most:
            numbers[row] = 0
            continue
        sign = 1 if least > 0 else -1
        if sign < 0:
            least, most = -most, -least
        positive = negative = np.int64(0)
        for j in range(n):
            a[j] = sign * candidates[row * step, j]
            positive += max(a[j], 0)
            negative -= min(a[j], 0)
        if least > positive:
            continue
        first_budget = max((positive + negative) // (8 * n), 1)
        budget: Units = np.int64(0)
        weight: Units = np.int64(_NONE)
        number: Units = np.int64(-1)
        while True:
            # All subsets with N <= budget: complete up to the weight least + 2 budget.
            room_up = min(most + budget, positive, weight)
            count = _useful(a, room_up, budget, items)
            sizes = _halves(items[:, :count], room_up, budget, left, right, spare)
            weight, number = _lightest_pair(
                left[:, : sizes[0]], right[:, : sizes[1]], least, most, queue, weight, number
            )
            if budget >= negative:
                break
            if number >= 0:
                # One at most as heavy has N <= (weight - least) / 2. And a lightest subset would
                # leave the interval without any one of its negative parts: weight > most + N.
                wanted = min((weight - least) // 2, weight - most - 1, negative)
                if wanted <= budget:
                    break
                budget = wanted
            else:
                budget = min(max(2 * budget, first_budget), negative)
        numbers[row] = number


@jit
def _useful(a: Array, room_up: Units, room_down: Units, items: Array) -> int:
    """Fill items with the candidates that fit alone and their bits; how many they are."""
    count = 0
    for j in range(a.size):
        if 0 < a[j] <= room_up:
            items[0, count], items[1, count] = a[j], np.int64(1) << j
            count += 1
    for j in range(a.size):
        if -room_down <= a[j] < 0:
            items[0, count], items[1, count] = a[j], np.int64(1) << j
            count += 1
    return count


@jit
def _halves(
    items: Array, room_up: Units, room_down: Units, left: Array, right: Array, spare: Array
) -> tuple[int, int]:
    """Fill both halves with their subsets that fit; how many each has."""
    sizes = (1, 1)
    left[:, 0] = 0
    right[:, 0] = 0
    for k in range(items.shape[1]):
        item, bit = items[0, k], items[1, k]
        if k & 1:
            sizes = (sizes[0], _extended(right, sizes[1], item, bit, room_up, room_down, spare))
        else:
            sizes = (_extended(left, sizes[0], item, bit, room_up, room_down, spare), sizes[1])
    return sizes


@jit
def _extended(
    x: Array, count: int, item: Units, bit: Units, room_up: Units, room_down: Units, spare: Array
) -> int:
    """Merge x[:, :count], rising by sum, with itself and one more item; how many it is then.

    Rows of x: sum, weight, mask number. Of equal sums only the first by (weight, mask number)
    stays: the others never make a better subset.
    """
    size = abs(item)
    toward = 1 if item > 0 else -1
    limit = 2 * ((room_up if item > 0 else room_down) - size)
    sums, weights, masks = x[0], x[1], x[2]
    new_sums, new_weights, new_masks = spare[0], spare[1], spare[2]
    extra = 0
    for k in range(count):
        new_sums[extra] = sums[k] + item
        new_weights[extra] = weights[k] + size
        new_masks[extra] = masks[k] | bit
        extra += 1 if weights[k] + toward * sums[k] <= limit else 0
    i, k, to = count - 1, extra - 1, count + extra - 1
    equal = 0
    while k >= 0:  # from the back, so that it needs no other array
        if i >= 0 and sums[i] >= new_sums[k]:
            equal += 1 if sums[i] == new_sums[k] else 0
            sums[to], weights[to], masks[to] = sums[i], weights[i], masks[i]
            i -= 1
        else:
            sums[to], weights[to], masks[to] = new_sums[k], new_weights[k], new_masks[k]
            k -= 1
        to -= 1
    if equal == 0:
        return count + extra
    kept = 0
    for k in range(1, count + extra):
        if sums[k] == sums[kept]:
            if (weights[k], masks[k]) < (weights[kept], masks[kept]):
                weights[kept], masks[kept] = weights[k], masks[k]
        else:
            kept += 1
            sums[kept], weights[kept], masks[kept] = sums[k], weights[k], masks[k]
    return kept + 1


@jit
def _lightest_pair(
    left: Array, right: Array, low: Units, high: Units, queue: Array, weight: Units, number: Units
) -> tuple[Units, Units]:
    """The first by (weight, mask number) of all pairs within [low, high], and of the one given.

    As the left sum falls the window of right sums rises; `queue` holds those of its places that
    are not followed by a better one, so that the best of the window is always at its head.
    """
    sums, weights, masks = right[0], right[1], right[2]
    head = tail = place = 0
    for i in range(left.shape[1] - 1, -1, -1):
        least, most = low - left[0, i], high - left[0, i]
        while place < sums.size and sums[place] <= most:
            if sums[place] >= least:
                while tail > head and (weights[queue[tail - 1]], masks[queue[tail - 1]]) > (
                    weights[place],
                    masks[place],
                ):
                    tail -= 1
                queue[tail] = place
                tail += 1
            place += 1
        while head < tail and sums[queue[head]] < least:
            head += 1
        if head < tail:
            total = left[1, i] + weights[queue[head]]
            both = left[2, i] | masks[queue[head]]
            if (total, both) < (weight, number):
                weight, number = total, both
    return weight, number
