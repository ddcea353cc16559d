r"""The temperature of the loss: a mask cannot scale its outputs, so the loss must.

Kept weights have the sizes that they were drawn with, and at density d each layer's sums shrink by
:math:`\sqrt d`. Logits of three layers at d = 0.02 are some 0.003 of the dense ones; cross-entropy
then sees a classifier that is never sure, and every gradient pulls alike. Dividing the logits by
their size under a random mask,

.. math:: \ell(x, y) = \operatorname{CE}(f(x) / T, y), \qquad
          T^2 = \operatorname{mean}_{x, j} f_{M}(x)_j^2,\quad M \text{ random, as many kept},

undoes that. It is the loss alone that changes: tickets, outputs and the predicted class are those
of the model. In networks without biases it does what the "scaled" weights of Ramanujan et al.
2020, Section 3 (a standard deviation divided by :math:`\sqrt d`) do to a layer, for any gate, and a
search with it does not depend on the scale of the frozen weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.func import functional_call

from strongticket.errors import InputError
from strongticket.networks._sample import named_parameters, plain
from strongticket.search.controls import random_mask
from strongticket.search.engine import MaskSearch


@torch.no_grad()
def temperature(search: MaskSearch, x: Tensor, seed: int = 0) -> float:
    """Root mean square of the outputs at `x` under a random mask with the search's counts.

    Args:
        search: its layers' counts at this moment are taken, so call it again where they change
            (a ramp, Gem-Miner): once an epoch will do.
        x: some training inputs, on the model's device.
        seed: of the random mask.

    Returns:
        The temperature, > 0; 1 where a random mask lets nothing through, as no scale helps there.

    The model is not written, nor are its norms' statistics. Raises InputError where its outputs
    are no numbers.
    """
    live = search.network.model
    if live is None:
        raise InputError("a temperature is of a live model, and the search's is gone")
    model = plain(live)
    held: dict[str, Tensor] = {name: b.detach().clone() for name, b in model.named_buffers()}
    masks = random_mask(search.masks(), seed)
    for name, parameter in named_parameters(model):
        if name in masks:
            drawn = torch.from_numpy(search.network.weights(name).copy()).to(parameter)
            held[name] = drawn * masks[name].to(parameter.device)
    outputs: Tensor = functional_call(model, held, (x,))
    size = math.sqrt(float(outputs.float().square().mean()))
    if not math.isfinite(size):
        raise InputError("a temperature needs finite outputs; look at the inputs' scale")
    return size or 1.0
