"""Prune what is trained: one call, by any score, and ``torch.nn.utils.prune`` there and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Literal

from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune

from strongticket.errors import InputError
from strongticket.networks._sample import plain, plain_name
from strongticket.pruning._chosen import chosen, fitting
from strongticket.pruning._states import zero
from strongticket.search import ratios
from strongticket.search.selection import Ranking, keep_count, select

Scores = Mapping[str, Tensor]
Scope = Literal["layer", "global", "erk", "balanced"]


def prune(
    model: nn.Module,
    density: float | Fraction | Mapping[str, float | Fraction],
    scores: Scores | Callable[..., Scores] | None = None,
    *,
    scope: Scope = "layer",
    ranking: Ranking = "raw",
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
) -> dict[str, Tensor]:
    """Write zeros into a model wherever `scores` say so, and give the masks.

    Args:
        model: any module; its chosen parameters are changed in place, nothing else is.
        density: the fraction kept; a mapping gives each parameter its own, in layer scope.
        scores: the largest are kept. Tensors by parameter name, or a function of the model that
            makes them (``lambda m: snip(m, batch)``); None is the weights' magnitude.
        scope: "layer" keeps the density in each parameter, "global" in all together by one
            ranking, "erk" and "balanced" in all together with the layers' counts from
            `strongticket.search.ratios`.
        ranking: rank by the "raw" value of a score, or by its "abs".
        include: shell patterns of the parameters to prune, of those with two or more dimensions.
        exclude: patterns of parameters to spare.

    Raises InputError, before anything is written, for what does not fit, SearchError for a score
    that is not finite.
    """
    parameters = chosen(model, include, exclude)
    if scores is None:
        given: Scores = {name: p.detach().abs() for name, p in parameters.items()}
    else:
        given = scores if isinstance(scores, Mapping) else scores(model)
    lacking = [name for name in parameters if name not in given]
    if lacking:
        raise InputError(
            f"scores must be there for each pruned parameter, none for {', '.join(lacking)}; score "
            "them or exclude them"
        )
    used = {name: given[name].detach().float() for name in parameters}
    fitting(model, used, "scores")
    masks = select(used, _keep(used, density, scope), ranking)
    zero(model, masks)
    return masks


def to_torch_prune(model: nn.Module, masks: Mapping[str, Tensor]) -> nn.Module:
    """Hand masks over to ``torch.nn.utils.prune``: `custom_from_mask` for each; gives the model.

    From then on the model has ``weight_orig`` and ``weight_mask`` in place of ``weight``; a tied
    parameter has them in every module that holds it, or the others would train what is pruned.
    """
    parameters = fitting(model, masks, "masks")
    owners: dict[int, list[tuple[nn.Module, str]]] = {}
    for module in plain(model).modules():
        for leaf, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            owners.setdefault(id(parameter), []).append((module, leaf))
    for name, mask in masks.items():
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise InputError(f"masks hold 0 and 1 alone, that of {name} has others")
    for name, mask in masks.items():
        for module, leaf in owners[id(parameters[name])]:
            torch_prune.custom_from_mask(module, leaf, mask)  # type: ignore[no-untyped-call]
    return model


def from_torch_prune(model: nn.Module, *, remove: bool = True) -> dict[str, Tensor]:
    """The masks of a model that ``torch.nn.utils.prune`` has pruned, as bool tensors.

    With `remove` they are made permanent as by ``prune.remove``: the plain parameter is back,
    with its zeros, and the names of the state are those of the plain model. A tied parameter
    comes once, under its first name, and keeps what all of its masks keep.
    """
    masks: dict[str, Tensor] = {}
    first: dict[int, str] = {}
    for name, module in list(plain(model).named_modules()):
        for leaf, buffer in list(module.named_buffers(recurse=False)):
            weight = leaf.removesuffix("_mask")
            if weight == leaf or not hasattr(module, f"{weight}_orig"):
                continue
            whole = plain_name(f"{name}.{weight}" if name else weight)
            one = first.setdefault(id(getattr(module, f"{weight}_orig")), whole)
            kept = buffer.detach() != 0
            masks[one] = masks[one] & kept if one in masks else kept
            if remove:
                torch_prune.remove(module, weight)  # type: ignore[no-untyped-call]
    if not masks:
        raise InputError("no parameter of the model is pruned by torch.nn.utils.prune")
    return masks


def _keep(
    scores: Scores, density: float | Fraction | Mapping[str, float | Fraction], scope: Scope
) -> int | dict[str, int]:
    shapes = {name: tuple(score.shape) for name, score in scores.items()}
    if scope not in ("layer", "global", "erk", "balanced"):
        raise InputError(f"scope is 'layer', 'global', 'erk' or 'balanced', got {scope!r}")
    if isinstance(density, Mapping):
        if scope != "layer":
            raise InputError(f"a density for each parameter needs scope='layer', got {scope!r}")
        return ratios.explicit(shapes, density)
    if scope == "global":
        return keep_count(density, sum(score.numel() for score in scores.values()))
    rules = {"layer": ratios.uniform, "erk": ratios.erk, "balanced": ratios.balanced}
    return rules[scope](shapes, density)
