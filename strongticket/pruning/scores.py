r"""Scores at initialisation (or at any other time): what a weight is worth before training.

Every function takes a model and gives {parameter name: float32 tensor of its shape}; a mask keeps
the **largest values**. None changes the model: not its weights, not its norm statistics, not its
gradients, not its mode. With W the weights, G the gradient of the loss with respect to them and H
the Hessian:

==================  ===========================================  ===========================
`magnitude`         :math:`|W|`                                  Han et al. 2015
`random_scores`     uniform in [0, 1)                            the control of all others
`gradient`          :math:`|G|`                                  a baseline
`snip`              :math:`|G \odot W|`                          Lee et al., ICLR 2019
`grasp`             :math:`W \odot H G`                          Wang et al., ICLR 2020
`synflow`           :math:`|W| \odot \partial R / \partial |W|`  Tanaka et al., NeurIPS 2020
==================  ===========================================  ===========================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from strongticket import philox
from strongticket.errors import InputError
from strongticket.networks._sample import named_parameters
from strongticket.pruning._chosen import call, chosen, copies
from strongticket.search.selection import check_finite, keep_count, select, whole

Batch = tuple[Any, Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]
Scores = dict[str, Tensor]


def magnitude(
    model: nn.Module, *, include: Sequence[str] = ("*",), exclude: Sequence[str] = ()
) -> Scores:
    """The magnitude of each weight.

    Sources: Janowsky, Physical Review A 39, 1989; Han, Pool, Tran, Dally, "Learning both weights
    and connections for efficient neural networks", NeurIPS 2015.
    """
    parameters = chosen(model, include, exclude)
    return {name: p.detach().abs().float() for name, p in parameters.items()}


def random_scores(
    model: nn.Module, seed: int, *, include: Sequence[str] = ("*",), exclude: Sequence[str] = ()
) -> Scores:
    """Independent uniform scores of 24 bits, a function of (seed, parameter name, index)."""
    made = {}
    for name, p in chosen(model, include, exclude).items():
        words = philox.words(seed, philox.stream("random scores", name), 0, p.numel())
        uniform = torch.from_numpy((words >> 8).astype("float32")) * 2.0**-24
        made[name] = uniform.reshape(p.shape).to(p.device)
    return made


def gradient(
    model: nn.Module,
    batch: Batch,
    *,
    loss: Loss = nn.functional.cross_entropy,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
) -> Scores:
    """The magnitude of the loss's gradient, on one batch of (inputs, targets)."""
    grads, _ = _gradients(model, batch, loss, include, exclude)
    return _finite({name: grad.abs() for name, grad in grads.items()})


def snip(
    model: nn.Module,
    batch: Batch,
    *,
    loss: Loss = nn.functional.cross_entropy,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
) -> Scores:
    r"""Connection sensitivity: how much the loss moves as a weight's mask leaves 1.

    .. math:: \Bigl|\frac{\partial \ell(m \odot W)}{\partial m}\Bigr|_{m = 1} = |G \odot W|.

    The paper divides by the sum of all scores, which changes no rank, and is not done here. The
    model is scored as it is, with the weights that it has and in the mode (training or
    evaluation) that it is in; a published code scores a copy that it re-initialises.

    Source: Lee, Ajanthan, Torr, "SNIP: single-shot network pruning based on connection
    sensitivity", ICLR 2019, equation (5).
    """
    grads, weights = _gradients(model, batch, loss, include, exclude)
    return _finite({name: (grad * weights[name]).abs() for name, grad in grads.items()})


def grasp(
    model: nn.Module,
    batch: Batch,
    *,
    temperature: float = 200.0,
    loss: Loss = nn.functional.cross_entropy,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
) -> Scores:
    r"""Gradient signal preservation, with the sign turned so that the largest scores are kept.

    Removing the weights :math:`\theta_q` changes the squared norm of the gradient by
    :math:`-2\,\theta_q (H g)_q` to first order. The paper calls :math:`S = -\theta \odot H g`
    the importance of *removal* and prunes the largest S, so that the gradient's norm falls
    least; here the score is

    .. math:: -S = \theta \odot H g, \qquad g = \nabla_\theta\, \ell(f_\theta(x) / T).

    Scores may be negative: rank them by value. The derivatives are taken with respect to the
    scored parameters only. Take a batch with some examples of each class (the paper: ten); the
    model must be twice differentiable by autograd in its present mode.

    Source: Wang, Zhang, Grosse, "Picking winning tickets before training by preserving gradient
    flow", ICLR 2020, equation (8); T = 200 is that of the authors' code.
    """
    if not temperature > 0:
        raise InputError(f"temperature must be > 0, got {temperature!r}")
    inputs, targets = batch
    weights, parameters, buffers = _variables(model, include, exclude)
    value = loss(call(model, inputs, {**parameters, **weights}, buffers) / temperature, targets)
    first = torch.autograd.grad(
        value, list(weights.values()), create_graph=True, materialize_grads=True
    )
    inner = torch.stack([(g * g.detach()).sum() for g in first]).sum()
    second = torch.autograd.grad(inner, list(weights.values()), materialize_grads=True)
    pairs = zip(weights.items(), second, strict=True)
    return _finite({name: weight.detach() * hg for (name, weight), hg in pairs})


def synflow(
    model: nn.Module,
    example: Tensor,
    density: float | Fraction,
    *,
    rounds: int = 100,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
) -> Scores:
    r"""Synaptic flow, pruned in rounds on an exponential schedule, ranked over all layers.

    Round t of T keeps ``keep_count(density ** (t / T), N)`` weights, those with the largest
    `synaptic_flow` given what the rounds before have left. The result ranks: a weight that is
    still there has its last flow, divided by the largest, and one that round t removed t - 1 - T.
    So ``select(scores, keep_count(density, N), "raw")`` is exactly the mask of the last round.

    Of `example`, a batch of inputs, only the shape and the device count, or, where it holds
    integers (tokens, categories), all of it, see `synaptic_flow`. The paper takes 100 rounds.

    Source: Tanaka, Kunin, Yamins, Ganguli, "Pruning neural networks without any data by
    iteratively conserving synaptic flow", NeurIPS 2020, Algorithm 1.
    """
    rounds = whole("rounds must be an integer", rounds, 1)
    parameters = chosen(model, include, exclude)
    total = sum(p.numel() for p in parameters.values())
    last = keep_count(density, total)
    alive = {name: torch.ones_like(p, dtype=torch.bool) for name, p in parameters.items()}
    rank = {name: torch.zeros(p.shape, device=p.device) for name, p in parameters.items()}
    for t in range(1, rounds + 1):
        keep = last if t == rounds else keep_count(float(density) ** (t / rounds), total)
        flow = synaptic_flow(model, example, masks=alive, include=include, exclude=exclude)
        largest = max(max(float(f.max()) for f in flow.values()), 5e-324)
        scaled = {n: (f / largest).float() for n, f in flow.items()}
        rank = {n: torch.where(alive[n], scaled[n], rank[n]) for n in rank}
        kept = select(rank, max(keep, last), "raw")
        for name in rank:
            gone = alive[name] & ~kept[name]
            rank[name][gone] = float(t - 1 - rounds)
            alive[name] = kept[name]
    return rank


def synaptic_flow(
    model: nn.Module,
    example: Tensor,
    *,
    masks: Mapping[str, Tensor] | None = None,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
) -> Scores:
    r"""One round of synaptic flow, float64: :math:`|W| \odot |\partial R / \partial |W||`.

    R is the sum of the outputs of the network whose every parameter and buffer is replaced by
    its magnitude, on an input of ones, in evaluation mode. Without biases and norms the flows
    into each hidden unit add up to the flows out of it, so every layer has the same sum, R.
    Where R can fall as a weight grows (layer norm, attention) the flow's magnitude is taken, as
    the authors' code does.

    `masks` says which weights are left. No data, no loss; the model must take float64 inputs.
    Inputs that are integers have no magnitude: they are taken as `example` gives them, and rows
    of an embedding that they do not name have no flow. Give all of them once.
    """
    parameters = chosen(model, include, exclude)
    masks = masks or {}
    own, buffers = copies(model)
    wide = {n: _magnitude64(p) for n, p in own.items()}
    for name, mask in masks.items():
        wide[name] = wide[name] * mask
    variables = {name: wide[name].requires_grad_() for name in parameters}
    norms = {name: _magnitude64(b) for name, b in buffers.items()}
    given = example
    if example.is_floating_point():
        given = torch.ones(1, *example.shape[1:], dtype=torch.float64, device=example.device)
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        out = call(model, given, {**wide, **variables}, norms).sum()
    finally:
        for module, mode in modes.items():
            module.training = mode
    grads = torch.autograd.grad(out, list(variables.values()), materialize_grads=True)
    pairs = zip(variables.items(), grads, strict=True)
    return _finite({name: w.detach() * grad.abs() for (name, w), grad in pairs}, narrow=False)


def _magnitude64(tensor: Tensor) -> Tensor:
    """The magnitude in float64; integers (counters of norms) stay as they are."""
    return tensor.detach().abs().double() if tensor.is_floating_point() else tensor


def _variables(
    model: nn.Module, include: Sequence[str], exclude: Sequence[str]
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Fresh leaves for the scored parameters, and copies of all others and of the buffers."""
    names = chosen(model, include, exclude)
    parameters, buffers = copies(model)
    weights = {name: parameters[name].clone().requires_grad_() for name in names}
    return weights, parameters, buffers


def _gradients(
    model: nn.Module, batch: Batch, loss: Loss, include: Sequence[str], exclude: Sequence[str]
) -> tuple[dict[str, Tensor], dict[str, nn.Parameter]]:
    inputs, targets = batch
    weights, parameters, buffers = _variables(model, include, exclude)
    value = loss(call(model, inputs, {**parameters, **weights}, buffers), targets)
    grads = torch.autograd.grad(value, list(weights.values()), materialize_grads=True)
    found = dict(zip(weights, grads, strict=True))
    named = dict(named_parameters(model))
    return found, {name: named[name] for name in found}


def _finite(scores: Scores, *, narrow: bool = True) -> Scores:
    check_finite(scores)
    return {n: (s.detach().float() if narrow else s.detach()) for n, s in scores.items()}
