"""Saved states of a search: what must agree before one is loaded, and float32 all the way."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from strongticket.errors import InputError
from strongticket.search.groups import check_values
from strongticket.search.method import Method
from strongticket.search.plan import Plan
from strongticket.search.selection import whole

FORMAT = 3
KEYS = {"scores", "momentum_buffer"}
DTYPES = {"flags": torch.bool, "rounds": torch.int32}
Groups = Sequence[Mapping[str, Any]]


def check(
    state_dict: Mapping[str, Any],
    identity: Mapping[str, Any],
    groups: Groups,
    names_of: Mapping[nn.Parameter, str],
    plan: Plan,
    method: Method,
) -> None:
    """Raise InputError unless `state_dict` is whole, and of a search with this identity.

    `names_of`: the masked parameters' names. Buffers are not looked at here.
    """
    found = state_dict.get("search") if isinstance(state_dict, Mapping) else None
    if not isinstance(found, Mapping):
        raise InputError("a search resumes from its own state_dict(); this one is not of a search")
    for key, wanted in identity.items():
        if found.get(key) != wanted:
            raise InputError(
                f"the state was saved with {key} {found.get(key)!r}, this search has {wanted!r}"
            )
    steps = whole("the saved number of steps must be an integer", found.get("steps"), 0)
    _check_groups(state_dict.get("param_groups"), groups)
    state = state_dict.get("state")
    if not isinstance(state, Mapping):
        raise InputError("the state must hold the scores of every parameter, it has none")
    if more := set(state) - set(range(len(names_of))):
        raise InputError(f"the state holds scores of {len(names_of)} parameters, and {more}")
    for parameter, entry in by_parameter(state_dict, groups):
        _check_entry(names_of[parameter], parameter, entry, plan, method)
        if method.redraw is not None:
            _check_rounds(names_of[parameter], entry["rounds"], steps // method.redraw.every)
    if method.freezing is not None:
        _check_flags(state, plan, method.freezing.left(steps, _searched(plan)))
    _check_kept(found, steps % identity["refresh"] != 0, plan)


def _check_groups(saved: Any, groups: Groups) -> None:
    if not (isinstance(saved, Sequence) and all(isinstance(g, Mapping) for g in saved)):
        raise InputError("the state must hold param_groups, a list of mappings")
    names = [group.get("param_names") for group in groups]
    came = [group.get("param_names") for group in saved]
    if names != came:
        raise InputError(f"the state was saved with groups {came}, this search has {names}")
    first = 0
    for group, given in zip(groups, saved, strict=True):  # torch numbers them from group to group
        numbers = list(range(first, first := first + len(group["params"])))
        if given.get("params") != numbers:
            raise InputError(
                f"a saved group must number its parameters {numbers}, got {given.get('params')!r}"
            )
        check_values(given)


def _check_entry(
    name: str, parameter: nn.Parameter, entry: Any, plan: Plan, method: Method
) -> None:
    more = {"flags"} if method.freezing is not None else set()
    more |= {"rounds"} if method.redraw is not None else set()
    needed = {"scores"} | more
    if not isinstance(entry, Mapping) or not needed <= set(entry) <= KEYS | more:
        came = list(entry) if isinstance(entry, Mapping) else entry
        also = "".join(f", {key}" for key in sorted(more))
        raise InputError(
            f"the state must hold finite scores for every parameter, and of {name!r} nothing but "
            f"scores and momentum_buffer{also}; got {came!r}"
        )
    for key, value in entry.items():
        if not isinstance(value, Tensor):
            raise InputError(f"saved {key} of {name!r} must be a tensor, got {value!r}")
        dtype = DTYPES.get(key, torch.float32)
        shape = tuple(parameter.shape) if key == "rounds" else tuple(plan.shapes[name])
        if tuple(value.shape) != shape or value.dtype != dtype:
            raise InputError(
                f"saved {key} of {name!r} must be {str(dtype).removeprefix('torch.')} of shape "
                f"{shape}, got {value.dtype} of shape {tuple(value.shape)}"
            )
        if not bool(value.isfinite().all()):
            raise InputError(f"the state must hold finite scores and momentum; {name!r} has not")


def _check_rounds(name: str, rounds: Tensor, last: int) -> None:
    if rounds.numel() and not 0 <= int(rounds.min()) <= int(rounds.max()) <= last:
        raise InputError(
            f"saved rounds of {name!r} must be in 0 .. {last}, got {int(rounds.min())} .. "
            f"{int(rounds.max())}"
        )


def _searched(plan: Plan) -> int:
    """How many scores are not pruned before the search."""
    total = sum(math.prod(shape) for shape in plan.shapes.values())
    return total - sum(int((pins < 0).sum()) for pins in plan.pinned.values())


def _check_flags(state: Mapping[Any, Any], plan: Plan, left: int) -> None:
    came = sum(int(entry["flags"].sum()) for entry in state.values())
    if came != left:
        raise InputError(f"the saved flags must leave {left} scores to search, they leave {came}")


def _check_kept(found: Mapping[str, Any], wanted: bool, plan: Plan) -> None:
    if not wanted:
        return
    masks, keep = found.get("kept"), found["keep"]
    if not isinstance(masks, Mapping) or set(masks) != set(plan.shapes):
        raise InputError(
            f"a state saved between two selections must hold search.kept, the masks in force of "
            f"{sorted(plan.shapes)}"
        )
    kept = {}
    for name, shape in plan.shapes.items():
        total = math.prod(shape)
        packed, size = masks[name], -(-total // 8)
        if not isinstance(packed, Tensor) or packed.dtype != torch.uint8 or packed.shape != (size,):
            raise InputError(f"the saved mask of {name!r} must be {size} bytes (uint8)")
        bits = np.unpackbits(packed.cpu().numpy(), bitorder="little")
        if bits[total:].any():
            raise InputError(f"the saved mask of {name!r} has padding bits that are not zero")
        kept[name] = int(bits.sum())
    ranked = sum(count for name, count in kept.items() if name not in plan.patterns)
    if (kept if isinstance(keep, Mapping) else ranked) != keep:
        raise InputError(f"the saved masks must keep {keep}, they keep {kept}")


def by_parameter(
    state_dict: Mapping[str, Any], groups: Groups
) -> Iterator[tuple[nn.Parameter, dict[str, Tensor]]]:
    """(live parameter, its saved state), in the order of the groups."""
    for group, saved in zip(groups, state_dict["param_groups"], strict=True):
        for parameter, number in zip(group["params"], saved["params"], strict=True):
            yield parameter, state_dict["state"].get(number, {})


def restored(saved: Mapping[str, Tensor], parameter: nn.Parameter) -> dict[str, Tensor]:
    """A private copy of a saved state on the parameter's device, its dtypes kept."""
    return {
        key: torch.empty(value.shape, dtype=value.dtype, device=parameter.device).copy_(
            value.detach()
        )
        for key, value in saved.items()
    }


def pack(mask: Tensor) -> Tensor:
    """A mask as packed bits, uint8, little bit order."""
    return torch.from_numpy(np.packbits(mask.cpu().numpy().reshape(-1), bitorder="little"))


def unpack(packed: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The mask of that shape that `pack` packed."""
    bits = np.unpackbits(packed.cpu().numpy(), count=math.prod(shape), bitorder="little")
    return torch.from_numpy(bits.astype(np.bool_)).reshape(shape)
