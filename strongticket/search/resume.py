"""Saved states of a search: what must agree before one is loaded, and float32 all the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from strongticket.errors import InputError

FORMAT = 1
Groups = Sequence[Mapping[str, Any]]


def check(state_dict: Mapping[str, Any], identity: Mapping[str, Any], groups: Groups) -> None:
    """Raise InputError unless `state_dict` is of a search with this identity and parameters."""
    found = state_dict.get("search")
    if not isinstance(found, Mapping):
        raise InputError("a search resumes from its own state_dict(); this one is not of a search")
    for key, wanted in identity.items():
        if found.get(key) != wanted:
            raise InputError(
                f"the state was saved with {key} {found.get(key)!r}, this search has {wanted!r}"
            )
    names = [group.get("param_names") for group in groups]
    saved = [group.get("param_names") for group in state_dict["param_groups"]]
    if names != saved:
        raise InputError(f"the state was saved with groups {saved}, this search has {names}")
    for parameter, entry in by_parameter(state_dict, groups):
        for key, value in entry.items():
            if value.shape != parameter.shape or value.dtype != torch.float32:
                raise InputError(
                    f"saved {key} must be float32 of shape {tuple(parameter.shape)}, got "
                    f"{value.dtype} of shape {tuple(value.shape)}"
                )
        if "scores" not in entry or not bool(entry["scores"].isfinite().all()):
            raise InputError("the state must hold finite scores for every parameter")


def by_parameter(
    state_dict: Mapping[str, Any], groups: Groups
) -> Iterator[tuple[nn.Parameter, dict[str, Tensor]]]:
    """(live parameter, its saved state), in the order of the groups."""
    for group, saved in zip(groups, state_dict["param_groups"], strict=True):
        for parameter, number in zip(group["params"], saved["params"], strict=True):
            yield parameter, state_dict["state"].get(number, {})


def restored(saved: Mapping[str, Tensor], parameter: nn.Parameter) -> dict[str, Tensor]:
    """A private float32 copy of a saved state on the parameter's device."""
    return {
        key: torch.empty(value.shape, device=parameter.device).copy_(value.detach())
        for key, value in saved.items()
    }


def pack(mask: Tensor) -> Tensor:
    """A mask as packed bits, uint8, little bit order."""
    return torch.from_numpy(np.packbits(mask.cpu().numpy().reshape(-1), bitorder="little"))


def unpack(packed: Tensor, parameter: nn.Parameter) -> Tensor:
    """The mask that `pack` packed, in the parameter's shape and on its device."""
    bits = np.unpackbits(packed.cpu().numpy(), count=parameter.numel(), bitorder="little")
    mask = torch.from_numpy(bits.astype(np.bool_)).reshape(parameter.shape)
    return mask.to(parameter.device)
