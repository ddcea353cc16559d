r"""Planting by overwriting: a known sparse network hidden in a trainable random one.

For pruning with training and for scores at initialisation, whose weights are nobody's frozen
function of a seed: random weights stay everywhere but on the target's connections, and the
target's biases replace those of its units. Hidden units of a ReLU network may be scaled, in and
out, without a change of the function; here each is scaled by a power of two, so exactly, to the
spread of the weights around it, or magnitudes would give the ticket away. The output layer takes
up what is left. After Fischer, Burkholz, "Plant 'n' Seek", ICLR 2022, whose algorithm matches
each unit to the most similar one; ours places them at random.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from strongticket import philox
from strongticket.activations import RELU
from strongticket.analysis._masks import Kept, arrays
from strongticket.analysis._planted import Loss
from strongticket.analysis._recovery import Recovery, recovery
from strongticket.errors import InputError
from strongticket.networks._sample import plain, plain_name
from strongticket.pruning import state_of
from strongticket.pruning._states import zero
from strongticket.targets import Target


@dataclass(frozen=True, eq=False)
class PlantedModel:
    """The `state` of a model in which a target is hidden, and the true masks of its weights.

    Biases are not masked: those of units outside of the ticket reach nothing that it keeps.
    """

    target: Target
    masks: Mapping[str, Tensor]
    state: Mapping[str, Tensor]

    @property
    def density(self) -> float:
        """The planted fraction of all weights."""
        kept = sum(int(mask.sum()) for mask in self.masks.values())
        return kept / sum(mask.numel() for mask in self.masks.values())

    def score(
        self,
        found: Kept,
        model: nn.Module | None = None,
        x: Tensor | None = None,
        loss: Loss = nn.functional.mse_loss,
    ) -> Recovery:
        """How much of the planted ticket `found` is.

        With a `model`, trained or not, its outputs at `x` under the found masks are set beside the
        target's; the model itself is not written.
        """
        if model is None or x is None:
            return recovery(self.masks, found)
        masks = {name: torch.from_numpy(bits.copy()) for name, bits in arrays(found).items()}
        pruned = copy.deepcopy(model).eval()
        zero(pruned, masks)
        with torch.no_grad():
            outputs = pruned(x)
        wanted = torch.from_numpy(self.target(x.cpu().numpy())).to(outputs)
        return recovery(self.masks, masks, outputs, wanted, loss)


def plant_target(
    model: nn.Module, target: Target, seed: int, *, scale: bool = True
) -> PlantedModel:
    """Write a sparse target into a model's random weights, at random units.

    Args:
        model: Linear layers with ReLU between them, as many as the target has, as wide or wider;
            changed in place. A layer needs a bias where the target's has one.
        target: a ReLU network; its weights that are not 0 are the ticket.
        seed: of the places of its hidden units, 64 bits.
        scale: move each hidden unit's weights to the spread of the model's, by powers of two.

    The model under the masks computes the target: exactly, but for the order of float sums.
    """
    if target.activation != RELU:
        raise InputError(f"planting needs a ReLU target, got one of {target.activation}")
    linears = [
        (plain_name(f"{name}.weight" if name else "weight"), module)
        for name, module in plain(model).named_modules()
        if isinstance(module, nn.Linear)
    ]
    _check(linears, target)
    places = [np.arange(target.widths[0])]
    for i, ((_, layer), width) in enumerate(zip(linears, target.widths[1:], strict=True)):
        order = _order(seed, f"layer {i}", layer.out_features)[:width]
        places.append(np.arange(width) if i == target.depth - 1 else order)
    masks = {}
    before = np.ones(target.widths[0])
    with torch.no_grad():
        for i, (name, layer) in enumerate(linears):
            weight = target.weights[i].astype(np.float64) / before
            bias = np.zeros(len(weight)) if target.biases[i] is None else target.biases[i]
            factor = np.ones(len(weight))
            if scale and i < target.depth - 1:
                factor = _powers(
                    weight, float(layer.weight.std()) if layer.weight.numel() > 1 else 1
                )
            rows, columns = np.nonzero(weight)
            at = torch.from_numpy(places[i + 1][rows]), torch.from_numpy(places[i][columns])
            values = (weight * factor[:, None])[rows, columns]
            layer.weight[at] = torch.from_numpy(values).to(layer.weight)
            if layer.bias is not None:
                moved = torch.from_numpy(np.asarray(bias, np.float64) * factor)
                layer.bias[torch.from_numpy(places[i + 1])] = moved.to(layer.bias)
            mask = torch.zeros_like(layer.weight, dtype=torch.bool)
            mask[at] = True
            masks[name] = mask
            before = factor
    return PlantedModel(target, masks, state_of(model))


def _check(linears: list[tuple[str, nn.Linear]], target: Target) -> None:
    widths = [m.out_features for _, m in linears]
    inside = [linears[0][1].in_features, *widths] if linears else []
    fits = len(linears) == target.depth and all(
        a.out_features == b.in_features for (_, a), (_, b) in itertools.pairwise(linears)
    )
    if not (
        fits
        and inside[0] == target.widths[0]
        and inside[-1] == target.widths[-1]
        and all(w >= t for w, t in zip(inside, target.widths, strict=True))
    ):
        raise InputError(
            f"the target of widths {target.widths} needs a model of as many Linear layers in a "
            f"row, with the same inputs and outputs and no narrower; got widths {inside}"
        )
    for i, (name, layer) in enumerate(linears):
        biased = isinstance(layer.bias, Tensor)
        if not biased and target.biases[i] is not None:
            raise InputError(f"layer {i} of the target has a bias, the layer of {name} has none")


def _powers(weight: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
    """A power of two for each row that brings its weights near `spread`, 1 for rows of zeros."""
    found = np.ones(len(weight))
    for i, row in enumerate(weight):
        values = row[row != 0]
        if values.size and spread > 0:
            size = math.sqrt(float((values**2).mean()))
            found[i] = 2.0 ** round(math.log2(spread / size))
    return found


def _order(seed: int, purpose: str, count: int) -> NDArray[np.int64]:
    words = philox.words(seed, philox.stream("planted target", purpose), 0, 2 * count)
    keys = words[0::2].astype(np.uint64) | words[1::2].astype(np.uint64) << np.uint64(32)
    return np.argsort(keys, kind="stable")
