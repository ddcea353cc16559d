"""One step of the scores by torch: the same bits as the compiled loop, on any device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from strongticket.search.gate import Moment
from strongticket.search.gates import Nested, TopK
from strongticket.search.method import Method
from strongticket.search.plan import Plan
from strongticket.search.written import Masked

MOVED = ("scores", "momentum_buffer")


def simple(method: Method, plan: Plan) -> bool:
    """Whether the compiled loop makes the whole of the method's gradient."""
    return (
        method.gate.signed is not None
        and method.penalty is None
        and method.gain != "inverse density"
        and not plan.structures
        and not plan.pinned
    )


def writable(method: Method, plan: Plan) -> bool:
    """Whether the compiled loops select and write what the method wants."""
    ranks = isinstance(method.gate, TopK) and method.gain != "inverse density"
    return plan.plain and (ranks or (isinstance(method.gate, Nested) and method.gain == "none"))


def amendable(method: Method, plan: Plan) -> bool:
    """Whether a weight that stays kept, or pruned, from step to step stays as it is."""
    return isinstance(method.gate, TopK) and method.gain == "none" and plan.plain


def gradient(
    method: Method,
    plan: Plan,
    layer: Masked,
    grad: Tensor,
    scores: Tensor,
    gates: Tensor | None,
    at: Moment,
) -> Tensor:
    """The gradient of a parameter's scores, in their shape, float32.

    `grad` is that of the effective weights, `gates` those in force where the engine holds them.
    """
    step = grad.reshape(-1).to(torch.float32) * layer.frozen.to(torch.float32)
    shape = tuple(layer.parameter.shape)
    if method.gain == "inverse density":
        assert gates is not None
        step = step * layer.gain(plan.expand(layer.name, gates, shape))
    if layer.name in plan.structures:
        step = plan.structures[layer.name].reduce(step, shape)
    step = step.reshape(scores.shape)
    slope = method.gate.slope(layer.name, scores, at)
    if slope is not None:
        step *= slope
    if method.penalty is not None:
        step += method.penalty.gradient(layer.name, scores, at)
    if layer.name in at.pinned:
        step = step.masked_fill(at.pinned[layer.name] != 0, 0)
    return step


def move(step: Tensor, state: dict[str, Tensor], group: Mapping[str, Any]) -> None:
    """SGD on the scores, in place."""
    scores = state["scores"]
    # One rounding an operation (no alpha=): the bits of the compiled loop and of every device.
    if decay := float(np.float32(float(group["weight_decay"]))):  # 0 for those below float32
        step = step + scores * decay
    if group["momentum"]:
        speed = state["momentum_buffer"]
        speed.mul_(float(group["momentum"])).add_(step)
        step = step + speed * float(group["momentum"]) if group["nesterov"] else speed
    scores.sub_(step * float(group["lr"]))
