r"""Planted tickets: a search problem whose perfect answer is known.

The target of the search **is** a sparse subnetwork of the very random network that is searched:
the teacher is the network under a hidden random mask, and its outputs are the labels. So the
perfect ticket exists exactly, no weight is overwritten, and every search runs as it is. What a
search finds is then scored by the planted connections that it recovered, by how many of its own
are planted, and by its distance to the teacher as a function, which is 0 for the planted mask.

The planted mask holds effective weights only (each on a path from an input to an output), so that
all of them can matter. Other masks may compute the same function on the data: a connection into
a unit that never fires does nothing. Therefore the functional distance is always given beside the
recovered connections. The idea of tickets of known sparsity is that of Fischer, Burkholz, "Plant
'n' Seek: can you find the winning ticket?", ICLR 2022; their planting by overwriting weights, for
pruning with training, is `strongticket.analysis.plant_target`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from strongticket import philox
from strongticket.analysis._masks import Kept, arrays
from strongticket.analysis._recovery import Recovery, recovery
from strongticket.analysis._retrain import as_module
from strongticket.errors import InputError
from strongticket.graph import effective
from strongticket.networks import MLP, Network
from strongticket.search.selection import keep_count
from strongticket.tickets import Mask, Ticket

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Planted:
    """A network, and the hidden ticket in it that is the target.

    `ticket` is the perfect answer; `drawn` counts the weights of the mask as it was drawn, before
    those on no path were taken out. `model` is a module of the architecture where strongticket
    cannot build it.
    """

    ticket: Ticket
    drawn: int
    model: nn.Module | None = None

    @property
    def network(self) -> Network:
        """The frozen random network to search in."""
        return self.ticket.network

    @property
    def mask(self) -> Mask:
        """The hidden mask."""
        return self.ticket.mask

    @property
    def densities(self) -> dict[str, float]:
        """The planted fraction of every parameter: what a search may be told."""
        return {name: entries.density for name, entries in self.mask.items()}

    def teacher(self) -> nn.Module:
        """The planted network, in evaluation mode; it computes the target exactly."""
        return as_module(self.ticket, self.model).eval()

    def labels(self, x: Tensor) -> Tensor:
        """The teacher's outputs."""
        with torch.no_grad():
            out: Tensor = self.teacher()(x)
        return out

    def score(
        self,
        found: Kept,
        x: Tensor | None = None,
        loss: Loss = nn.functional.mse_loss,
    ) -> Recovery:
        """How much of the planted ticket `found` is, as a mask and as a function of `x`.

        Args:
            found: a ticket of the same network, or masks of its shapes.
            x: inputs on which both are run; without them the functional numbers are None.
            loss: of (outputs, the teacher's outputs); mean squared error by default. For a
                classifier ``lambda y, t: cross_entropy(y, t.argmax(1))``.

        Raises InputError for a ticket of another network.
        """
        if isinstance(found, Ticket) and found.network != self.network:
            raise InputError(
                "a found ticket must be of the network in which the target was planted; it is of "
                f"seed {found.network.seed}, the planted one of seed {self.network.seed}"
            )
        masks = arrays(found)
        if x is None:
            return recovery(self.mask, masks)
        if isinstance(found, Ticket):
            ticket = found
        else:
            ticket = Ticket(self.network, Mask.dense(masks), self.ticket.buffers)
        student = as_module(ticket, self.model).eval()
        with torch.no_grad():
            return recovery(self.mask, masks, student(x), self.labels(x), loss)


def plant(
    network: Network,
    density: float | Fraction | Mapping[str, float | Fraction],
    seed: int,
    *,
    units: Sequence[int] | None = None,
    model: nn.Module | None = None,
    layers: Sequence[str] | None = None,
    buffers: Mapping[str, NDArray[Any]] | None = None,
) -> Planted:
    """Hide a random sparse ticket in a network: the target of a search with a known answer.

    The mask is drawn uniformly among all that keep ``keep_count(density, n)`` of the n weights
    of each parameter, then cut to its effective weights (`strongticket.graph.effective`).

    Args:
        network: a `Network.mlp`, or `Network.sample` of a model.
        density: the fraction kept of each parameter, or of each its own.
        seed: of the mask, 64 bits; independent of the network's.
        units: for an MLP, plant within this many units of each hidden layer, drawn at random; the
            density is then that among their connections. So extreme sparsity stays connected.
        model: a module of the architecture, where the network is of a user's own model; its
            buffers (norm statistics) are the planted network's unless `buffers` are given.
        layers: for a user's own model, the weights' names in the order in which the input passes
            them. Without it nothing is known of its paths, and the mask stays as drawn.
        buffers: of the planted ticket.

    Raises InputError if no path is left: raise the density, give `units`, or take another seed.
    """
    shapes = {name: network[name].shape for name in network.masked}
    given = density if isinstance(density, Mapping) else dict.fromkeys(shapes, density)
    if set(given) != set(shapes):
        raise InputError(f"density must name {sorted(shapes)}, got {sorted(given)}")
    places = _places(network, units, seed)
    bits = {}
    for name, shape in shapes.items():
        within = places[name] if places is not None else np.arange(int(np.prod(shape)))
        keep = keep_count(given[name], within.size)
        flat = np.zeros(int(np.prod(shape)), np.bool_)
        flat[within[_order(seed, f"mask/{name}", within.size)[:keep]]] = True
        bits[name] = flat.reshape(shape)
    drawn = Mask.dense(bits)
    mlp = isinstance(network.architecture, MLP)
    if not mlp and model is None:
        model = network.model
    mask = drawn
    if mlp or layers is not None:
        if layers is not None and set(layers) != set(shapes):
            raise InputError(f"layers must name all of {sorted(shapes)}, got {sorted(layers)}")
        cut = effective(Ticket(network, drawn) if mlp else drawn, layers)
        mask = Mask({name: cut[name] for name in shapes})
        if not mask.kept:
            raise InputError(
                f"a planted ticket needs a path from an input to an output, a mask of "
                f"{drawn.kept} weights has none; raise density, give units=, or another seed"
            )
    held = {} if buffers is None else dict(buffers)
    if buffers is None and not mlp and model is not None:
        from strongticket.search.buffers import arrays as buffer_arrays

        held = dict(buffer_arrays(model))
    provenance = {"planted": {"seed": seed, "drawn": drawn.kept}}
    return Planted(Ticket(network, mask, held, provenance), drawn.kept, None if mlp else model)


def _order(seed: int, purpose: str, count: int) -> NDArray[np.int64]:
    words = philox.words(seed, philox.stream("planted", purpose), 0, 2 * count)
    keys = words[0::2].astype(np.uint64) | words[1::2].astype(np.uint64) << np.uint64(32)
    return np.argsort(keys, kind="stable")


def _places(
    network: Network, units: Sequence[int] | None, seed: int
) -> dict[str, NDArray[np.int64]] | None:
    """Flat indices of the weights between chosen units."""
    if units is None:
        return None
    architecture = network.architecture
    if not isinstance(architecture, MLP):
        raise InputError("units= is for a Network.mlp; give a density for each parameter")
    widths = architecture.widths
    if len(units) != architecture.depth - 1 or any(
        not 1 <= n <= w for n, w in zip(units, widths[1:-1], strict=False)
    ):
        raise InputError(
            f"units must give a number for each hidden layer, of widths {widths[1:-1]}, got {units}"
        )
    chosen = [np.arange(widths[0])]
    for i, count in enumerate(units, 1):
        chosen.append(np.sort(_order(seed, f"units/{i}", widths[i])[:count]))
    chosen.append(np.arange(widths[-1]))
    found = {}
    for i in range(architecture.depth):
        rows, columns = chosen[i + 1], chosen[i]
        found[f"layers.{i}.weight"] = (rows[:, None] * widths[i] + columns).reshape(-1)
        if architecture.biases[i]:
            found[f"layers.{i}.bias"] = rows
    return found
