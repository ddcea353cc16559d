r"""Mask criteria: a score from what a weight was at first, w_i, and what it became, w_f.

The nine of Zhou et al., all of which "keep the largest":

==========================  ===========================================
large_final                 :math:`|w_f|`
small_final                 :math:`-|w_f|`
large_init                  :math:`|w_i|`
small_init                  :math:`-|w_i|`
large_init_large_final      :math:`\min(r(|w_i|), r(|w_f|))`
small_init_small_final      :math:`-\max(r(|w_i|), r(|w_f|))`
magnitude_increase          :math:`|w_f| - |w_i|`
movement                    :math:`|w_f - w_i|`
random                      uniform, by seed
==========================  ===========================================

r is the rank within the layer: the two conditions get one common percentile, and the kept
weights are a quadrant. Any name may end in ``_same_sign`` or ``_diff_sign``: weights that did
(did not) keep their sign come first, each group in the order of the criterion; a weight that is
or was 0 has no sign and counts for neither. ``large_final_same_sign`` is the one whose masks
give a network that is good before any training (a supermask).

Source: Zhou, Lan, Liu, Yosinski, "Deconstructing lottery tickets: zeros, signs, and the
supermask", NeurIPS 2019, Section 2 and Figure 3 (arXiv:1905.01067).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from strongticket import philox
from strongticket.errors import InputError

Tensors = Mapping[str, Tensor]
Criterion = Callable[[Tensors, Tensors], dict[str, Tensor]]

_FORMULAS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "large_final": lambda i, f: f.abs(),
    "small_final": lambda i, f: -f.abs(),
    "large_init": lambda i, f: i.abs(),
    "small_init": lambda i, f: -i.abs(),
    "large_init_large_final": lambda i, f: torch.minimum(_ranks(i), _ranks(f)),
    "small_init_small_final": lambda i, f: -torch.maximum(_ranks(i), _ranks(f)),
    "magnitude_increase": lambda i, f: f.abs() - i.abs(),
    "movement": lambda i, f: (f - i).abs(),
}

CRITERIA = (*_FORMULAS, "random")
"""The names of the nine."""


def criterion(name: str, *, seed: int = 0) -> Criterion:
    """The criterion of that name: ``criterion(name)(initial, final)`` gives the scores.

    `initial` and `final` are weights by parameter name, of equal names and shapes; the scores
    are float32 and ranked by value. `seed` is for "random" only.
    """
    base, same = name, None
    for ending, wanted in (("_same_sign", True), ("_diff_sign", False)):
        if name.endswith(ending):
            base, same = name.removesuffix(ending), wanted
    if base not in CRITERIA:
        raise InputError(
            f"a criterion is one of {', '.join(CRITERIA)}, with _same_sign or _diff_sign after it "
            f"or not; got {name!r}"
        )

    def score(initial: Tensors, final: Tensors) -> dict[str, Tensor]:
        if set(initial) != set(final):
            raise InputError(f"initial names {sorted(initial)}, final {sorted(final)}")
        scores = {}
        for key, start in initial.items():
            end = final[key]
            if start.shape != end.shape:
                raise InputError(
                    f"{key} has shape {tuple(start.shape)} at first and {tuple(end.shape)} at last"
                )
            i, f = start.detach().float(), end.detach().float()
            scores[key] = _uniform(seed, key, f) if base == "random" else _FORMULAS[base](i, f)
        return scores if same is None else _signs_first(scores, initial, final, same)

    return score


def _ranks(weights: Tensor) -> Tensor:
    """The ranks 1 .. n of the magnitudes; of equal ones the earlier is the higher."""
    flat = weights.abs().reshape(-1)
    ranks = torch.empty_like(flat)
    falling = torch.arange(flat.numel(), 0, -1, dtype=flat.dtype, device=flat.device)
    ranks[flat.argsort(descending=True, stable=True)] = falling
    return ranks.reshape(weights.shape)


def _uniform(seed: int, name: str, like: Tensor) -> Tensor:
    words = philox.words(seed, philox.stream("criterion", name), 0, like.numel())
    made = torch.from_numpy((words >> 8).astype("float32")) * 2.0**-24
    return made.reshape(like.shape).to(like.device)


def _signs_first(
    scores: Mapping[str, Tensor], initial: Tensors, final: Tensors, same: bool
) -> dict[str, Tensor]:
    """The others below the smallest score of those that come first, in their own order."""
    highest = max(float(s.max()) for s in scores.values())
    lowest = min(float(s.min()) for s in scores.values())
    span = 4 * (highest - lowest) if highest > lowest else 1 + abs(highest)
    found = {}
    for name, score in scores.items():
        product = initial[name].sign() * final[name].sign()
        first = product > 0 if same else product < 0
        found[name] = torch.where(first, score, score - span)
    return found
