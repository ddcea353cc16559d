r"""Mask actions: what kept weights start from, and what pruned weights hold.

With w the initial weights, s the standard deviation of a layer's initial weights:

================  ================================  ===================================
kept weights      start from                        with `keep_sign`
================  ================================  ===================================
rewind            w                                 the same
reinit            v, another initialisation         :math:`|v| \,\mathrm{sign}\, w`
reshuffle         the kept w of the layer permuted  their magnitudes permuted
signed_constant   :math:`\pm s`, signs drawn        :math:`s\,\mathrm{sign}\,w`
================  ================================  ===================================

================  =====================================================================
pruned weights    hold, as they are trained no more
================  =====================================================================
zero              0
freeze            w
freeze_grown      w where training made the magnitude larger, else 0
================  =====================================================================

The paper's finding: with its signs kept a ticket stands any of the first actions, without them
it is no better than a random initialisation (recalled).

Source: Zhou, Lan, Liu, Yosinski, "Deconstructing lottery tickets: zeros, signs, and the
supermask", NeurIPS 2019, Sections 3 and 4 (arXiv:1905.01067).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from strongticket import philox
from strongticket.errors import InputError

Tensors = Mapping[str, Tensor]
KeptAction = Literal["rewind", "reinit", "reshuffle", "signed_constant"]
PrunedAction = Literal["zero", "freeze", "freeze_grown"]


def kept_start(
    action: KeptAction,
    initial: Tensors,
    masks: Tensors,
    *,
    keep_sign: bool = True,
    fresh: Tensors | None = None,
    seed: int = 0,
) -> dict[str, Tensor]:
    """The state from which a ticket is trained: `initial` with the kept weights by `action`.

    `initial` is a state by parameter name, `masks` have the names and shapes of its weights. What
    has no mask (biases) and what the masks prune is as it was. `fresh` is another initial state,
    for "reinit" only; there biases stay those of `initial` too. `seed` draws permutations and
    signs. Give the result to `retrain`.
    """
    if action not in get_args(KeptAction):
        raise InputError(f"an action is one of {', '.join(get_args(KeptAction))}, got {action!r}")
    if (fresh is not None) != (action == "reinit"):
        raise InputError("fresh, another initial state, is for the action reinit, which needs it")
    made = {name: value.clone() for name, value in initial.items()}
    for name, mask in masks.items():
        kept, old = mask.bool(), _fitting(initial, name, mask, "initial")[mask.bool()]
        if action == "rewind":
            continue
        if fresh is not None:
            new = _fitting(fresh, name, mask, "fresh")[kept].to(old)
        elif action == "reshuffle":
            draws = _words(seed, action, name, old)
            new = (old.abs() if keep_sign else old)[draws.argsort(stable=True)]
        else:
            spread = initial[name].std(correction=0)
            signs = (_words(seed, action, name, old) & 1) * 2 - 1
            new = spread * signs.to(old)
        made[name][kept] = new.abs() * old.sign() if keep_sign else new
    return made


def pruned_values(
    action: PrunedAction, initial: Tensors, final: Tensors, masks: Tensors
) -> dict[str, Tensor]:
    """What the weights outside of `masks` hold while the others are trained.

    `initial` and `final` are the states before and after the training that the masks were read
    from. Give the result to `strongticket.training.hold` or `Trainer` as `values`.
    """
    if action not in get_args(PrunedAction):
        raise InputError(f"an action is one of {', '.join(get_args(PrunedAction))}, got {action!r}")
    found = {}
    for name, mask in masks.items():
        first, last = (
            _fitting(state, name, mask, which)
            for state, which in ((initial, "initial"), (final, "final"))
        )
        held = torch.zeros_like(first) if action == "zero" else first
        if action == "freeze_grown":
            held = first * (last.abs() > first.abs())
        found[name] = held.masked_fill(mask.bool(), 0)
    return found


def _fitting(state: Tensors, name: str, mask: Tensor, which: str) -> Tensor:
    if name not in state or state[name].shape != mask.shape:
        came = tuple(state[name].shape) if name in state else "none of that name"
        raise InputError(f"{which} must have {name} of shape {tuple(mask.shape)}, got {came}")
    return state[name].detach()


def _words(seed: int, action: str, name: str, like: Tensor) -> Tensor:
    words = philox.words(seed, philox.stream(f"mask action {action}", name), 0, like.numel())
    return torch.from_numpy(words.astype("int64")).to(like.device)
