"""What in a ticket matters: its signs, its magnitudes, its zeros?

The masks of iterative pruning (rounds of `frankle2019_lenet.py`) are trained from other starts:
the kept weights as they were, another initialisation, permuted within the layer, or constants of
one size a layer, each with the initial signs kept and without; and with the pruned weights
frozen at their initial values in place of zero, all of them or those alone whose magnitude grew in
the dense training. Test accuracy at the iteration of the lowest validation loss.

    python experiments/zhou2019_actions.py --quick         # the shipped digits, a minute
    python experiments/zhou2019_actions.py --data FOLDER --short --publish   # docs' results
    python experiments/zhou2019_actions.py --data FOLDER   # the published length of training

Every training is kept in a file, so an interrupted experiment goes on where it stood.

Source: Zhou, Lan, Liu, Yosinski, "Deconstructing lottery tickets: zeros, signs, and the
supermask", NeurIPS 2019, Sections 3 and 4.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from _lottery import (
    OTHER,
    Bench,
    Options,
    bench,
    history,
    steady,
)
from _lottery_means import Mean, mean_of
from _main import judged, places, refused
from _stored import table

from strongticket.cli import show
from strongticket.errors import InputError, StrongticketError
from strongticket.files import write_whole
from strongticket.pruning import Lottery, kept_start, load_state, pruned_values, state_of
from strongticket.pruning.actions import KeptAction, PrunedAction
from strongticket.training import History

NAME = "zhou2019_actions"


@dataclass(frozen=True)
class Action:
    """A start of the kept weights, and what the pruned ones hold."""

    kept: KeptAction
    keep_sign: bool = True
    pruned: PrunedAction = "zero"

    def __str__(self) -> str:
        if self.pruned != "zero":
            return {"freeze": "pruned frozen", "freeze_grown": "pruned frozen if grown"}[
                self.pruned
            ]
        return self.kept.replace("_", " ") + ("" if self.kept == "rewind" else self._sign())

    def _sign(self) -> str:
        return ", signs kept" if self.keep_sign else ""


REWIND = Action("rewind")
KEPT: tuple[KeptAction, ...] = ("reinit", "reshuffle", "signed_constant")
ACTIONS = (
    REWIND,
    *(Action(kept, sign) for kept in KEPT for sign in (True, False)),
    Action("rewind", pruned="freeze"),
    Action("rewind", pruned="freeze_grown"),
)


@dataclass(frozen=True)
class Config(Options):
    """What is run; every field is an option of the command line."""

    out: Path = Path("runs") / NAME
    rounds: tuple[int, ...] = (7, 15)
    """densities 0.21 and 0.036; --quick takes the first alone"""


@dataclass(frozen=True)
class Started:
    """One training of a ticket's masks.

    Attributes:
        setting, data, steps: what is trained, and how long.
        seed, round, density: of the ticket; the kept fraction of all its weights.
        action, kept, keep_sign, pruned: see `strongticket.pruning.actions`.
        early_step, early_accuracy: at the lowest validation loss, on the test set.
        first_accuracy: before any step, on the validation images.
    """

    setting: str
    data: str
    steps: int
    seed: int
    round: int
    density: float
    action: str
    kept: str
    keep_sign: bool
    pruned: str
    early_step: int
    early_accuracy: float
    first_accuracy: float


@dataclass(frozen=True)
class Result:
    """All trainings, and the claims that they are held to."""

    rows: tuple[Started, ...]
    claims: tuple[tuple[str, bool, str], ...]


def run(config: Config) -> Result:
    """Read or train, and compare."""
    setting = config.setting()
    here = bench(setting, config.data, config.runs)
    rounds = config.rounds[:1] if config.quick else config.rounds
    rows = []
    with steady(), show.progress() as progress:
        for seed in range(config.seeds):
            found = here.tickets(seed, max(rounds), progress)
            for index in rounds:
                for action in ACTIONS:
                    progress(f"seed {seed}, round {index}: {action}", 0, 0)
                    seen = trained(here, found, index, seed, action)
                    rows.append(row(here, found, index, seed, action, seen))
    return Result(tuple(rows), claims(rows))


def trained(here: Bench, found: Lottery[History], index: int, seed: int, action: Action) -> History:
    """The training of a round's masks after an action, or its file."""
    one = found.rounds[index]
    if action == REWIND:
        return one.history
    path = here.record(f"action {action}", index, seed)
    if path.exists():
        return history(path)
    lenet = here.setting.lenet()
    fresh = state_of(lenet.model(seed + OTHER)) if action.kept == "reinit" else None
    start = kept_start(action.kept, found.initial, one.masks,
                       keep_sign=action.keep_sign, fresh=fresh, seed=seed)  # fmt: skip
    held = pruned_values(action.pruned, found.initial, found.rounds[0].final, one.masks)
    model = lenet.model(seed)
    load_state(model, start)
    trainer = replace(lenet.trainer(here.data, seed), values=held)
    made = trainer(model, one.masks)
    write_whole(path, json.dumps(made.spec()).encode())
    return made


def row(
    here: Bench, found: Lottery[History], index: int, seed: int, action: Action, seen: History
) -> Started:
    """The training in plain values."""
    best = seen.early_stop
    if best.test_accuracy is None:
        raise InputError("the trainer must test where the validation loss is lowest")
    return Started(
        setting=here.setting.name,
        data=here.data_name,
        steps=here.setting.steps,
        seed=seed,
        round=index,
        density=found.rounds[index].density,
        action=str(action),
        kept=action.kept,
        keep_sign=action.keep_sign,
        pruned=action.pruned,
        early_step=best.step,
        early_accuracy=best.test_accuracy,
        first_accuracy=seen.evaluations[0].accuracy,
    )


def mean(rows: Sequence[Started], action: Action, index: int) -> Mean:
    """The accuracy at early stopping over the seeds."""
    wanted = (str(action), index)
    return mean_of([r.early_accuracy for r in rows if (r.action, r.round) == wanted])


def claims(rows: Sequence[Started]) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured), at the smallest density."""
    last = max(r.round for r in rows)
    at = f"density {next(r.density for r in rows if r.round == last):.2g}"
    found = []
    for kept in KEPT:
        signed, unsigned = (mean(rows, Action(kept, sign), last) for sign in (True, False))
        found.append(
            (
                f"{at}: {kept.replace('_', ' ')} does better with the initial signs, "
                "intervals apart",
                signed.low > unsigned.high,
                f"{signed.percent()}, without {unsigned.percent()}",
            )
        )
    rewind = mean(rows, REWIND, last)
    frozen = mean(rows, Action("rewind", pruned="freeze"), last)
    found.append(
        (
            f"{at}: pruned weights do better at zero than frozen, intervals apart",
            rewind.low > frozen.high,
            f"{rewind.percent()}, frozen {frozen.percent()}",
        )
    )
    return tuple(found)


def plot(result: Result, path: Path) -> None:
    """Accuracy after every action, each seed a dot, a panel a density."""
    from matplotlib.figure import Figure

    rounds = sorted({r.round for r in result.rows})
    names = [str(action) for action in ACTIONS]
    figure = Figure(figsize=(4.8 * len(rounds) + 1.2, 3.8), layout="constrained")
    for axes, index in zip(figure.subplots(1, len(rounds), squeeze=False)[0], rounds, strict=True):
        for i, name in enumerate(reversed(names)):
            mine = [r for r in result.rows if (r.round, r.action) == (index, name)]
            color = "C0" if mine[0].keep_sign and mine[0].pruned == "zero" else "C1"
            color = "C2" if mine[0].pruned != "zero" else color
            axes.plot([100 * r.early_accuracy for r in mine], [i] * len(mine), "o",
                      color=color, ms=4, alpha=0.7)  # fmt: skip
        axes.axvline(100 * mean(result.rows, REWIND, index).mean, color="0.6", lw=0.8, ls=":")
        axes.set_yticks(range(len(names)), list(reversed(names)), fontsize=7)
        axes.set(
            title=f"density {mine[0].density:.2g}", xlabel="test accuracy at early stopping, %"
        )
        axes.grid(axis="x", lw=0.3)
    first = result.rows[0]
    figure.suptitle(
        f"{first.data}, {first.steps:,} iterations ({first.setting} setting): signs kept (blue), "
        "not kept (orange), pruned weights frozen (green)",
        fontsize=9,
    )
    figure.savefig(path, dpi=150)


def main() -> int:
    """Run, print, store; exit code 1 where a claim does not stand."""
    config = tyro.cli(Config, description=__doc__)
    if config.quick:
        config = replace(config, seeds=min(config.seeds, 3))
    try:
        tables, figures = places(config)
        result = run(config)
    except StrongticketError as error:
        return refused(error)
    write_whole(tables / f"{NAME}.csv", table(result.rows))
    plot(result, figures / f"{NAME}.png")
    rounds = sorted({r.round for r in result.rows})
    lines = [
        (str(action), *(mean(result.rows, action, index).percent() for index in rounds))
        for action in ACTIONS
    ]
    densities = [next(r.density for r in result.rows if r.round == i) for i in rounds]
    columns = ("start", *(f"density {density:.2g}" for density in densities))
    show.table(f"test accuracy at early stopping, {config.setting().name} setting", columns, lines)
    return judged(result.claims)


if __name__ == "__main__":
    raise SystemExit(main())
