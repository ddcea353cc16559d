r"""Controls: what a mask must beat before one may say that the mask matters.

Each keeps the exact number of weights of every layer and changes one thing:

=============  =================  =================  ==============================
control        which connections  values kept        what it tests
=============  =================  =================  ==============================
`random_mask`  drawn anew         of the new places  anything beyond layer counts
`shuffled`     permuted           of the new places  structure within the layer
`rearranged`   drawn anew         moved along        structure, at equal values
`redrawn`      the same           drawn anew         the values, at equal structure
`inverted`     the worst          of the new places  that the scores rank anything
=============  =================  =================  ==============================

They take and give a `Ticket`, a `Mask`, or a plain mapping of bool tensors or arrays. What a ticket
does to the weights that it keeps (signs, multiples, redraws) moves with its entries. All
randomness is a `seed` of words of the package's own generator, one stream a layer, so a control
is the same everywhere and a layer's does not depend on the others. Frankle et al., "Pruning
neural networks at initialization: why are we missing the mark?", ICLR 2021, show why they belong
to every result: scores at initialisation lose nothing when shuffled.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from strongticket import philox
from strongticket.errors import InputError
from strongticket.networks import MLP, Network
from strongticket.networks._network import DENSE_LIMIT
from strongticket.search.ratios import same_as
from strongticket.search.selection import Ranking, select
from strongticket.tickets import Mask, Reading, Ticket

Bits = NDArray[np.bool_]
Places = NDArray[np.int64]
Within = Literal["layer", "outputs", "inputs", "units"]
Kept = TypeVar("Kept", Ticket, Mask, Mapping[str, Tensor], Mapping[str, NDArray[np.bool_]])


def random_mask(kept: Kept, seed: int) -> Kept:
    """A mask drawn uniformly among all that keep as many weights of each layer."""

    def draw(name: str, places: Places) -> Places:
        order = _permutation(seed, f"random mask/{name}", places.size)
        kept = np.count_nonzero(places)
        new = np.zeros(places.size, np.int64)
        new[order[:kept]] = np.arange(1, kept + 1)
        return new.reshape(places.shape)

    return _changed(kept, draw, {"control": "random mask", "control_seed": seed})


def shuffled(kept: Kept, seed: int, *, within: Within = "layer") -> Kept:
    """The mask's entries in random order, within each layer.

    ``within="layer"`` permutes all entries of a layer: the same law as `random_mask`. "outputs"
    permutes the entries of each output unit (first axis), which keeps its number of inputs;
    "inputs" those of each input unit (second axis). "units" permutes whole output units and
    whole input units: the layer's graph stays as it is, up to the names of its units.
    """
    if within not in ("layer", "outputs", "inputs", "units"):
        raise InputError(f"within is 'layer', 'outputs', 'inputs' or 'units', got {within!r}")

    def draw(name: str, places: Places) -> Places:
        if within == "layer":
            order = _permutation(seed, f"shuffle/{name}", places.size)
            return places.reshape(-1)[order].reshape(places.shape)
        if places.ndim < 2:
            raise InputError(f"within={within!r} needs two axes, {name} has shape {places.shape}")
        if within == "units":
            rows = _permutation(seed, f"shuffle outputs/{name}", places.shape[0])
            columns = _permutation(seed, f"shuffle inputs/{name}", places.shape[1])
            return places[rows][:, columns]
        table = places if within == "outputs" else places.swapaxes(0, 1)
        flat = table.reshape(len(table), -1)
        order = np.argsort(
            _keys(seed, f"shuffle {within}/{name}", places.size).reshape(flat.shape), axis=1
        )
        new = np.take_along_axis(flat, order, axis=1).reshape(table.shape)
        return new if within == "outputs" else new.swapaxes(0, 1)

    return _changed(kept, draw, {"control": f"shuffled {within}", "control_seed": seed})


def redrawn(ticket: Ticket, seed: int) -> Ticket:
    """The same mask over the network of another `seed`: the same laws, other weights."""
    if seed == ticket.network.seed:
        raise InputError(f"re-drawn weights need another seed than the ticket's own, got {seed}")
    old = ticket.network
    network = Network(old.architecture, old.parameters, seed)
    return replace(
        ticket,
        network=network,
        provenance={**ticket.provenance, "control": "redrawn", "control_seed": seed},
    )


def inverted(scores: Mapping[str, Tensor], kept: Kept, ranking: Ranking | None = None) -> Kept:
    """The mask of the smallest `scores`, as many of each layer.

    `ranking`: by value ("raw") or by magnitude ("abs"); None takes that of the search that found
    the ticket, and "raw" for any other mask.

    InputError for a ticket with redrawn or multiplied weights: it does not say what the weights
    that it prunes would be.
    """
    if isinstance(kept, Ticket) and (kept.reading.rounds or kept.reading.multiples):
        raise InputError(
            "the ticket redraws or multiplies the weights that it keeps, and does not say what it "
            "would make of those that it prunes: it has no inverted control; leave scores out"
        )
    if ranking is None:
        ranking = "abs" if isinstance(kept, Ticket) and _ranked_by_abs(kept) else "raw"
    if ranking not in ("abs", "raw"):
        raise InputError(f"ranking is 'abs' or 'raw', got {ranking!r}")
    arrays = _arrays(kept)
    if set(arrays) != set(scores):
        raise InputError(f"scores must name {sorted(arrays)}, got {sorted(scores)}")
    for name, bits in arrays.items():
        if tuple(scores[name].shape) != bits.shape:
            raise InputError(f"the scores of {name} need shape {bits.shape}")
    worst = {n: -(s.float().abs() if ranking == "abs" else s.float()) for n, s in scores.items()}
    new = select(worst, same_as(_masks(kept)), "raw")

    def worst_places(name: str, places: Places) -> Places:
        return _places(new[name].cpu().numpy())

    return _changed(kept, worst_places, {"control": "inverted"})


def _ranked_by_abs(ticket: Ticket) -> bool:
    return ticket.provenance.get("ranking") == "abs"


def rearranged(
    masks: Mapping[str, Tensor], weights: Mapping[str, Tensor], seed: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Every kept connection, with the value that it carries, at a new place of its layer.

    The new places are drawn uniformly, and which value goes to which place as well: the layer's
    kept values are exactly those of the ticket, in another graph. (A shuffled mask instead keeps
    the values that the new places hold, whose law is that of the initialisation and not that of
    the weights which a search or training picked.)

    Args:
        masks: bool tensors by parameter name.
        weights: the values, for at least the same names; other entries are handed on.
        seed: of the new places.

    Returns:
        The new masks, and the weights with zero where nothing is kept.
    """
    new_masks: dict[str, Tensor] = {}
    new_weights = {name: weight.detach().clone() for name, weight in weights.items()}
    for name, mask in masks.items():
        if name not in weights or weights[name].shape != mask.shape:
            raise InputError(f"weights must hold {name} with shape {tuple(mask.shape)}")
        order = torch.from_numpy(_permutation(seed, f"rearrange/{name}", mask.numel()))
        values = weights[name].detach()[mask]
        places = order[: values.numel()].to(mask.device)  # in random order, so values are as well
        flat = torch.zeros(mask.numel(), dtype=values.dtype, device=values.device)
        flat[places] = values
        bits = torch.zeros(mask.numel(), dtype=torch.bool, device=mask.device)
        bits[places] = True
        new_masks[name] = bits.reshape(mask.shape)
        new_weights[name] = flat.reshape(mask.shape)
    return new_masks, new_weights


@dataclass(frozen=True)
class ControlRow:
    """What one control was worth: a value for each seed."""

    name: str
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float:
        """The sample standard deviation over the seeds; 0 for a single value."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0


@dataclass(frozen=True)
class Controls:
    """A ticket's value beside those of its controls; prints as a table."""

    rows: tuple[ControlRow, ...]

    def __getitem__(self, name: str) -> ControlRow:
        """The row of that name; "ticket" is the ticket itself."""
        for row in self.rows:
            if row.name == name:
                return row
        raise InputError(f"no control {name!r}; there are {[row.name for row in self.rows]}")

    def __repr__(self) -> str:
        wide = max(len(row.name) for row in self.rows)
        lines = [f"{'':{wide}}  {'mean':>10}  {'spread':>10}  seeds"]
        lines += [
            f"{row.name:{wide}}  {row.mean:10.4f}  {row.spread:10.4f}  {len(row.values)}"
            for row in self.rows
        ]
        return "\n".join(lines)


def controls(
    ticket: Ticket,
    evaluate: Callable[[nn.Module], float],
    *,
    model: nn.Module | None = None,
    scores: Mapping[str, Tensor] | None = None,
    seeds: Sequence[int] = (1, 2, 3, 4, 5),
) -> Controls:
    """Evaluate a ticket and all its controls by the user's own `evaluate`.

    Args:
        ticket: the ticket under test.
        evaluate: the value of a module, for example its test accuracy. Norm statistics in the
            module are those of the ticket; where the model has some, estimate them anew first.
        model: a module of the ticket's architecture, needed where strongticket cannot build it;
            it is copied, never written.
        scores: the scores that the ticket was selected by, for the row "inverted".
        seeds: one value of each random control a seed.
    """
    if not seeds:
        raise InputError("controls need one seed or more")

    def value(one: Ticket) -> float:
        if model is None and isinstance(one.network.architecture, MLP):
            return float(evaluate(one.module()))
        if model is None:
            raise InputError("controls of a ticket of your own model need model=")
        return float(evaluate(one.into(copy.deepcopy(model))))

    made: dict[str, list[Ticket]] = {
        "ticket": [ticket],
        "random mask": [random_mask(ticket, seed) for seed in seeds],
        "shuffled": [shuffled(ticket, seed) for seed in seeds],
        "shuffled outputs": [shuffled(ticket, seed, within="outputs") for seed in seeds],
        "units permuted": [shuffled(ticket, seed, within="units") for seed in seeds],
        "re-drawn weights": [redrawn(ticket, _other(ticket, seed)) for seed in seeds],
    }
    if any(len(entries.shape) < 2 for entries in ticket.mask.values()):
        del made["shuffled outputs"], made["units permuted"]  # masked biases have no two axes
    if scores is not None:
        made["inverted"] = [inverted(scores, ticket)]
    rows = (ControlRow(name, tuple(value(t) for t in these)) for name, these in made.items())
    return Controls(tuple(rows))


def _other(ticket: Ticket, seed: int) -> int:
    """A seed of the whole 64 bits for a control, so that small numbers do not meet the ticket's."""
    low, high = philox.words(seed, philox.stream("controls", "re-drawn weights"), 0, 2).tolist()
    made = low | high << 32
    return int(made if made != ticket.network.seed else made ^ 1)


def _keys(seed: int, purpose: str, count: int) -> NDArray[np.uint64]:
    words = philox.words(seed, philox.stream("controls", purpose), 0, 2 * count)
    # 64 bits an entry: two equal keys are as good as impossible.
    return words[0::2].astype(np.uint64) | words[1::2].astype(np.uint64) << np.uint64(32)


def _permutation(seed: int, purpose: str, count: int) -> NDArray[np.int64]:
    return np.argsort(_keys(seed, purpose, count), kind="stable")


def _masks(kept: Ticket | Mask | Mapping[str, Any]) -> Any:
    return kept.mask if isinstance(kept, Ticket) else kept


def _arrays(kept: Ticket | Mask | Mapping[str, Any]) -> dict[str, Bits]:
    """Name -> bool array, of any kind of masks."""
    found = {}
    for name, mask in _masks(kept).items():
        if isinstance(mask, Tensor):
            bits = mask.detach().cpu().numpy()
        elif isinstance(kept, (Ticket, Mask)):
            if mask.total > DENSE_LIMIT:
                raise InputError(
                    f"controls make dense masks of at most {DENSE_LIMIT:,} entries, {name} has "
                    f"{mask.total:,}"
                )
            bits = mask.dense()
        else:
            bits = np.asarray(mask)
        if bits.dtype != np.bool_:
            raise InputError(f"the mask of {name} must be bool, got {bits.dtype}")
        found[name] = bits
    if not found:
        raise InputError("a control needs the mask of one parameter or more, got none")
    return found


def _places(bits: Bits) -> Places:
    """1, 2, ... where something is kept, in index order, and 0 elsewhere."""
    places = np.zeros(bits.shape, np.int64)
    places[bits] = np.arange(1, np.count_nonzero(bits) + 1)
    return places


def _changed(kept: Kept, new: Callable[[str, Places], Places], note: Mapping[str, Any]) -> Kept:
    """A value of the same kind with `new` masks, and their origin noted where there is a place.

    Where a ticket has numbers for what it keeps (rounds, multiples), they move along.
    """
    places = {name: new(name, _places(bits)) for name, bits in _arrays(kept).items()}
    arrays = {name: np.ascontiguousarray(where > 0) for name, where in places.items()}
    if isinstance(kept, Ticket):
        provenance = {**kept.provenance, **note, "control_of": kept.ticket_id}
        old = kept.reading
        rounds, multiples = (
            {name: given[places[name][arrays[name]] - 1] for name, given in numbers.items()}
            for numbers in (old.rounds, old.multiples)
        )
        reading = Reading(rounds, multiples, old.gain)
        return replace(kept, mask=Mask.dense(arrays), provenance=provenance, reading=reading)
    if isinstance(kept, Mask):
        return Mask.dense(arrays)
    like: dict[str, Any] = {
        name: torch.from_numpy(bits).to(kept[name].device)
        if isinstance(kept[name], Tensor)
        else bits
        for name, bits in arrays.items()
    }
    return like
