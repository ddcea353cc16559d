r"""Lottery tickets with training: train, prune by what the weights became, go back, train again.

`lottery` is one function for the whole family. In every round it trains, scores the weights that
are left by a mask criterion (their final magnitude), keeps a fraction of them, and goes back in
one of three ways:

* ``back="weights"``: weights and buffers return to what they were after `rewind` iterations, and
  training runs from there: to the initial weights at ``rewind=0`` (Frankle, Carbin, "The lottery
  ticket hypothesis", ICLR 2019), late rewinding above (Frankle, Dziugaite, Roy, Carbin, "Linear
  mode connectivity and the lottery ticket hypothesis", ICML 2020);
* ``back="rate"``: weights stay and the learning rate returns to that of iteration `rewind`
  (learning-rate rewinding: Renda, Frankle, Carbin, "Comparing rewinding and fine-tuning in neural
  network pruning", ICLR 2020);
* ``back="nothing"``: weights stay and training goes on for `tune` iterations beyond the end, at
  the last rate (fine-tuning, as in Han et al., NeurIPS 2015).

One-shot pruning is ``rounds=1``, or `one_shot` for many densities at the price of one dense
training. `retrain` trains any weights under any masks: what controls and baselines from scratch
need.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from strongticket.pruning._chosen import chosen, fitting
from strongticket.pruning._plan import Back, Scope, Share, best, cut, shares_of, span
from strongticket.pruning._rounds import Rounds
from strongticket.pruning._states import Masks, State, check_zero, load_state, state_of, zero
from strongticket.pruning.criteria import Criterion, criterion
from strongticket.search.selection import whole

H = TypeVar("H")
H_co = TypeVar("H_co", covariant=True)


class Train(Protocol[H_co]):
    """Train a model in place; `strongticket.training.Trainer` is one, a user's function another.

    It runs the iterations from `start` to before `stop` of its schedule (None: to the end), with a
    fresh optimizer, and holds the weights outside of `masks` at zero: ``with
    strongticket.training.hold(model, optimizer, masks)`` does that in any loop. `stop` beyond
    the end asks for more iterations at the last rate. What it gives is kept as the history.
    """

    def __call__(self, model: nn.Module, masks: Masks, start: int, stop: int | None) -> H_co:
        """Train and give the history."""


@dataclass(frozen=True, eq=False)
class Round(Generic[H]):
    """One training and the masks under which it ran; round 0 is dense, with no masks cut.

    `kept` counts the weights by parameter, `final` is the model's state after the training.
    """

    index: int
    masks: Masks
    history: H
    final: State

    @property
    def kept(self) -> dict[str, int]:
        """The number of kept weights of each parameter."""
        return {name: int(mask.sum()) for name, mask in self.masks.items()}

    @property
    def densities(self) -> dict[str, float]:
        """The kept fraction of each parameter."""
        return {name: kept / self.masks[name].numel() for name, kept in self.kept.items()}

    @property
    def density(self) -> float:
        """The kept fraction of all prunable weights."""
        return sum(self.kept.values()) / sum(mask.numel() for mask in self.masks.values())


@dataclass(frozen=True, eq=False)
class Lottery(Generic[H]):
    """All rounds, dense one first, and the states that they started from.

    `initial` is the model's state before any training, `rewound` that after the iterations to
    which late rewinding goes back (the same where it goes back to the start).
    """

    rounds: tuple[Round[H], ...]
    initial: State
    rewound: State
    rewind: int = field(default=0)

    def at(self, density: float) -> Round[H]:
        """The round whose density is the nearest to `density`, by ratio."""
        return min(self.rounds, key=lambda r: max(r.density / density, density / r.density))


def lottery(
    model: nn.Module,
    train: Train[H],
    *,
    rounds: int,
    keep: Share = 0.8,
    keep_of: Mapping[str, Share] | None = None,
    scope: Scope = "layer",
    back: Back = "weights",
    rewind: int = 0,
    end: int | None = None,
    tune: int | None = None,
    by: str | Criterion = "large_final",
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
    folder: str | os.PathLike[str] | None = None,
    progress: Callable[[Round[H]], None] | None = None,
) -> Lottery[H]:
    """Iterative pruning with training: `rounds` rounds after the dense one.

    Args:
        model: any module, with its initial weights in; left with the last round's final state.
        train: see `Train`; called once a round, and once more for the dense iterations before
            `rewind`.
        rounds: how often to prune.
        keep: the fraction of the weights left that a round keeps: ``keep_count(keep, left)`` of
            each layer, or of all together with ``scope="global"``.
        keep_of: another fraction for layers whose name matches a shell pattern, as the output
            layer; the first that matches. Not with a global scope.
        scope: rank within each "layer", or all weights together ("global").
        back: what each round goes back to, see the module.
        rewind: iteration that weights or rate go back to.
        end: the last iteration of the schedule, where the history of fine-tuning starts; needed
            by ``back="nothing"`` only.
        tune: iterations of fine-tuning; needed by ``back="nothing"`` only.
        by: a mask criterion, as a name or a function of (initial, final) weights.
        include: shell patterns of the parameters to prune, of those with two or more
            dimensions; each pattern must match something.
        exclude: patterns of parameters to spare.
        folder: keep every finished round there, in files that are whole or absent, and resume
            from what is there. The folder must be of the same initial weights and arguments;
            that `train` does what it did is for the caller to see to.
        progress: called after each round, also for those read from `folder`.

    Raises InputError for arguments that do not fit each other or the model, FileError for a
    folder of another run.
    """
    whole("rounds must be an integer", rounds, 0)
    whole("rewind must be an integer", rewind, 0)
    start, stop = span(back, rewind, end, tune)
    parameters = chosen(model, include, exclude)
    shares = shares_of(parameters, keep, keep_of or {}, scope)
    score = criterion(by) if isinstance(by, str) else by
    initial = state_of(model)
    settings = {
        "keep": {name: str(share) for name, share in shares.items()},
        "scope": scope,
        "back": [back, rewind, -1 if end is None else end, -1 if tune is None else tune],
        "by": by if isinstance(by, str) else getattr(by, "__qualname__", type(by).__name__),
    }
    files = None if folder is None else Rounds(folder, initial, settings)

    def report(one: Round[H]) -> Round[H]:
        if progress is not None:
            progress(one)
        return one

    masks: Masks = {n: torch.ones_like(p, dtype=torch.bool) for n, p in parameters.items()}
    rewound: State = initial
    found: list[Round[H]] = []
    stored = None if files is None else files.start()
    if stored is not None:
        rewound = stored
    elif back == "weights" and rewind:
        train(model, {}, 0, rewind)
        rewound = state_of(model)
    if files is not None and stored is None:
        files.save_start(rewound)

    for index in range(rounds + 1):
        if index:
            last = found[-1]
            masks = cut(masks, score, initial, last.final, shares, scope)
        saved = None if files is None else files.load(index, masks)
        if saved is not None:
            history, final = saved
            found.append(report(Round(index, masks, history, final)))
            continue
        dense_start = rewind if back == "weights" else 0
        load_state(model, rewound if back == "weights" or not index else found[-1].final)
        zero(model, masks)
        begin, until = (dense_start, end) if not index else (start, stop)
        history = train(model, masks if index else {}, begin, until)
        check_zero(model, masks)
        one = Round(index, masks, history, state_of(model))
        if files is not None:
            files.save(index, masks, history, one.final)
        found.append(report(one))
    load_state(model, found[-1].final)
    return Lottery(tuple(found), initial, rewound, rewind)


def one_shot(
    dense: Round[H],
    initial: State,
    keep: int | Mapping[str, int],
    *,
    by: str | Criterion = "large_final",
) -> dict[str, Tensor]:
    """The masks of one-shot pruning, from one dense training (round 0 of a `lottery`).

    `initial` is the state before that training. `keep` counts the weights to keep, of each
    parameter or of all together: ``found.rounds[r].kept`` gives masks to set beside round r's,
    and `strongticket.search.ratios` makes counts by rules. Give the masks to `retrain`.
    """
    score = criterion(by) if isinstance(by, str) else by
    return best(dense.masks, score, initial, dense.final, keep)


def retrain(
    model: nn.Module,
    state: State,
    masks: Masks,
    train: Train[H],
    *,
    start: int = 0,
    stop: int | None = None,
) -> H:
    """Load `state`, apply `masks`, train from iteration `start`; gives the history.

    With the initial state: a winning ticket's training. With another initialisation: the random
    re-initialisation control, and the baseline from scratch where the masks keep all.
    """
    fitting(model, masks, "masks")
    load_state(model, state)
    zero(model, masks)
    history = train(model, masks, start, stop)
    check_zero(model, masks)
    return history
