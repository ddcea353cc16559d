r"""Statistics of norms, estimated anew: those in a model belong to the masks of earlier steps.

While a search runs, a batch norm averages exponentially over batches that other masks saw. So
before a ticket is made, its statistics are best estimated anew under the mask that it holds:

.. math:: \hat\mu = \frac{1}{B} \sum_{b=1}^{B} \mu_b, \qquad
          \hat\sigma^2 = \frac{1}{B} \sum_{b=1}^{B} \sigma^2_b,

over B batches, with :math:`\sigma^2_b` the unbiased variance, as torch does for ``momentum=None``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from strongticket.errors import InputError
from strongticket.networks._sample import plain, plain_name


@torch.no_grad()
def reestimate(
    model: nn.Module,
    batches: Iterable[Any],
    forward: Callable[[Any], Any] | None = None,
) -> int:
    """Replace the running statistics of `model`'s norms by means over `batches`; how many norms.

    Arguments:
        model: any module; those of its norms that keep running statistics are batch norms of any
            kind, and instance norms that were asked to. Without one, no batch is looked at.
        batches: inputs on the model's device: a tensor, a sequence whose first entry is the input
            (as a loader of pairs gives), or a mapping of keyword arguments. Each batch counts
            alike, whatever its size.
        forward: calls the model with a batch, where the rule above does not fit.

    The norms normalise by each batch as in training; all else is in evaluation mode, so dropout
    is off and no random number is drawn. Parameters, modes and momenta are as before. Raises
    InputError, the old statistics put back, if there is no batch, or if a statistic is no longer
    finite; any other error puts them back as well.

    Call it inside ``with search.evaluating():`` where gates are soft or drawn, since a ticket then
    holds other weights than the model does.
    """
    norms = {plain_name(n): m for n, m in plain(model).named_modules() if tracking(m)}
    if not norms:
        return 0
    if isinstance(batches, Tensor):
        raise InputError(
            f"batches are a list or a loader of batches, got one tensor of shape "
            f"{tuple(batches.shape)}; give [x], or x.split(128)"
        )
    before = {name: [b.clone() for b in norm.buffers()] for name, norm in norms.items()}
    call = forward or (lambda batch: _call(model, batch))
    try:
        with _averaging(model, list(norms.values())):
            count = 0
            for batch in batches:
                call(batch)
                count += 1
        if not count:
            raise InputError("norm statistics are means over batches: one is needed at least")
        for name, norm in norms.items():
            if not all(bool(b.isfinite().all()) for b in norm.buffers()):
                raise InputError(f"the statistics of {name!r} became NaN or infinite")
    except BaseException:
        for name, norm in norms.items():
            for buffer, old in zip(norm.buffers(), before[name], strict=True):
                buffer.copy_(old)
        raise
    return len(norms)


def tracking(module: nn.Module) -> bool:
    """Whether a module is a norm that keeps running statistics."""
    return isinstance(module, _NormBase) and module.running_mean is not None


@contextmanager
def _averaging(model: nn.Module, norms: list[_NormBase]) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    momenta = [(norm, norm.momentum) for norm in norms]
    for module, _ in modes:
        module.training = False
    for norm in norms:
        norm.reset_running_stats()
        norm.training, norm.momentum = True, None
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for norm, momentum in momenta:
            norm.momentum = momentum


def _call(model: nn.Module, batch: Any) -> None:
    if isinstance(batch, Mapping):
        model(**batch)
        return
    inputs = batch if isinstance(batch, Tensor) else batch[0]
    model(inputs)
