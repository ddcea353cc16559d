"""What a lottery was asked for, checked before any training, and the cut of one round."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Literal

import torch
from torch import Tensor

from strongticket.errors import InputError
from strongticket.pruning._states import Masks, State
from strongticket.pruning.criteria import Criterion
from strongticket.search.selection import keep_count, select, whole

Share = float | Fraction
Back = Literal["weights", "rate", "nothing"]
Scope = Literal["layer", "global"]


def span(back: Back, rewind: int, end: int | None, tune: int | None) -> tuple[int, int | None]:
    """The iterations that a pruned round trains."""
    if back not in ("weights", "rate", "nothing"):
        raise InputError(f"back is 'weights', 'rate' or 'nothing', got {back!r}")
    if end is not None and whole("end must be an integer", end, 1) <= rewind:
        raise InputError(f"rewind must be before the end, got {rewind=} and {end=}")
    if back != "nothing":
        if tune is not None:
            raise InputError(f"tune is for back='nothing', got {tune=} with {back=}")
        return rewind, end
    if end is None or tune is None or rewind:
        raise InputError(
            "back='nothing' needs end= (the iterations of the dense training) and tune= (those of "
            f"each fine-tuning), and no rewind; got {end=}, {tune=}, {rewind=}"
        )
    return end, end + whole("tune must be an integer", tune, 1)


def _first_match(name: str, patterns: Mapping[str, Share]) -> Share | None:
    return next((share for p, share in patterns.items() if fnmatchcase(name, p)), None)


def shares_of(
    parameters: Mapping[str, Tensor], keep: Share, keep_of: Mapping[str, Share], scope: Scope
) -> dict[str, Share]:
    """The fraction that each parameter keeps a round."""
    if scope not in ("layer", "global"):
        raise InputError(f"scope is 'layer' or 'global', got {scope!r}")
    if scope == "global" and keep_of:
        raise InputError("keep_of needs scope='layer'")
    for pattern in keep_of:
        if not any(fnmatchcase(name, pattern) for name in parameters):
            raise InputError(
                f"each pattern of keep_of must match a pruned parameter, {pattern!r} matches none "
                f"of {', '.join(parameters)}"
            )
    shares = {}
    for name in parameters:
        own = _first_match(name, keep_of)
        shares[name] = keep if own is None else own
        keep_count(shares[name], 1)  # raises for a fraction out of range, before any training
    return shares


def cut(
    masks: Masks,
    score: Criterion,
    initial: State,
    final: State,
    shares: Mapping[str, Share],
    scope: Scope,
) -> dict[str, Tensor]:
    """The next masks: the best of what is left."""
    left = {name: int(mask.sum()) for name, mask in masks.items()}
    if scope == "global":
        share = next(iter(shares.values()))
        return best(masks, score, initial, final, keep_count(share, sum(left.values())))
    keep = {name: keep_count(shares[name], left[name]) for name in masks}
    return best(masks, score, initial, final, keep)


def best(
    masks: Masks, score: Criterion, initial: State, final: State, keep: int | Mapping[str, int]
) -> dict[str, Tensor]:
    """The best of what `masks` leave; what is pruned stays so, however a criterion ranks a 0."""
    scores = score(
        {n: initial[n].to(mask.device) for n, mask in masks.items()},
        {n: final[n].to(mask.device) for n, mask in masks.items()},
    )
    lowest = torch.finfo(torch.float32).min
    ranked = {
        n: s.float().clamp(min=lowest / 2).masked_fill(~masks[n], lowest) for n, s in scores.items()
    }
    return select(ranked, keep, "raw")
