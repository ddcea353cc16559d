"""Searches on several ranks: all must begin alike, for nothing that is theirs is ever exchanged.

Gradients are averaged by DDP, and a step is a function of gradients, scores and hyperparameters; so
ranks that begin alike hold the same masks, bit for bit, at every step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import nn
from torch.nn.parallel import DistributedDataParallel

from strongticket.errors import SearchError
from strongticket.search.written import digest

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

    from strongticket.search.engine import MaskSearch


def check_alike(search: MaskSearch, group: ProcessGroup | None = None) -> None:
    """Raise SearchError, on every rank, unless all ranks of `group` hold the same search now.

    Compared are network, method, settings, hyperparameters, steps, scores and their momentum, as
    digests. A collective call: every rank must make it. A search makes it by itself at its
    beginning where ``Network.sample`` was given a model that DDP had wrapped already; call it
    where you wrap the model later. `group`: None for all ranks.
    """
    import torch.distributed as dist

    mine = _facts(search)
    found: list[Mapping[str, str]] = [{}] * dist.get_world_size(group)
    dist.all_gather_object(found, mine, group=group)
    for rank, other in enumerate(found):
        wrong = [key for key in mine if other.get(key) != found[0].get(key)]
        if wrong:
            raise SearchError(
                f"all ranks must make the same search, but ranks 0 and {rank} differ in "
                f"{', '.join(wrong)}; give every rank the same seeds and arguments, and the same "
                "saved state"
            )


def check_wrapped(search: MaskSearch, model: nn.Module) -> None:
    """`check_alike` over the ranks of a model that DDP wrapped; nothing for any other model.

    SearchError where DDP waits for gradients of parameters that were frozen after it had wrapped
    the model: it would fail at the second forward pass.
    """
    while isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
        model = inner
    if not isinstance(model, DistributedDataParallel):
        return
    facts = model._get_ddp_logging_data()  # type: ignore[no-untyped-call]
    awaited = int(facts.get("num_parameter_tensors", 0))
    trained = sum(p.requires_grad for p in model.module.parameters())
    if awaited > trained and not (model.find_unused_parameters or model.static_graph):
        raise SearchError(
            f"DistributedDataParallel waits for gradients of {awaited} parameters, and "
            f"Network.sample froze all but {trained} of them later (biases, norms); call "
            "Network.sample first, then wrap the model, then make the search"
        )
    check_alike(search, model.process_group)


def _facts(search: MaskSearch) -> dict[str, str]:
    state = search.state_dict()
    about = {k: v for k, v in state["search"].items() if k not in ("buffers", "kept")}
    facts = {key.replace("keep", "density"): repr(value) for key, value in about.items()}
    facts["hyperparameters"] = repr(state["param_groups"])
    for key in ("scores", "momentum_buffer", "rounds", "flags"):
        whole = hashlib.sha256()
        for held in state["state"].values():
            whole.update(digest(held[key]).encode() if key in held else b"-")
        facts[key.replace("_buffer", "")] = whole.hexdigest()
    return facts
