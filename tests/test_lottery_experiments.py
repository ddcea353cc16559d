"""The lottery-ticket experiments, run small; their claims can fall, and their files are whole."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from experiment_modules import EXPERIMENTS, load
from torch import Tensor

from strongticket.errors import FileError, InputError
from strongticket.pruning import state_of
from strongticket.training import Trainer

ROOT = Path(__file__).parents[1]


shared = load("_lottery")
averages = load("_lottery_means")
tickets = load("frankle2019_lenet")
weights = load("frankle2019_weights")
criteria = load("zhou2019_criteria")
actions = load("zhou2019_actions")
plane = load("information_plane")

TINY = shared.Setting(
    "quick", (64, 16, 12, 10), steps=30, every=10, rate=1e-2, validation=100, compared=(7,)
)
TINY = replace(TINY, rounds=7)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of trained rounds for all of these tests."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "QUICK", TINY)


def run_main(
    module: ModuleType, result: object, place: Path, monkeypatch: pytest.MonkeyPatch
) -> int:
    """The command on a result that is there already."""
    monkeypatch.setattr(module, "run", lambda config: result)
    monkeypatch.setattr(sys, "argv", [f"{module.NAME}.py", "--quick", "--out", str(place)])
    code: int = module.main()
    assert (place / f"{module.NAME}.png").stat().st_size > 10_000
    return code


def all_hold(claims: tuple[tuple[str, bool, str], ...]) -> bool:
    return all(stands for _, stands, _ in claims)


def stored(name: str, row: Any) -> list[Any]:
    """The committed table, as rows."""
    kinds = {"int": int, "float": float, "str": str, "bool": lambda text: text == "True"}
    text = (EXPERIMENTS / "results" / f"{name}.csv").read_text("utf-8").splitlines()
    return [
        row(**{f.name: kinds[f.type](one[f.name]) for f in fields(row)})
        for one in csv.DictReader(text)
    ]


def test_means() -> None:
    one = averages.mean_of([1.0, 2.0, 3.0])
    assert (one.mean, one.count) == (2.0, 3)
    assert one.half == pytest.approx(4.302653 / 3**0.5)  # t of two degrees of freedom, 97.5 %
    assert one.low == pytest.approx(2 - one.half)
    with pytest.raises(InputError, match="two seeds"):
        averages.mean_of([1.0])


def test_steady_leaves_no_trace() -> None:
    small = torch.tensor([1e-39])
    with shared.steady():
        assert torch.get_num_threads() == 1
        assert float(small * 0.5) == 0.0
    assert float(small * 0.5) > 0.0


def test_tickets(tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tickets.Config(quick=True, seeds=2, runs=runs)
    result = tickets.run(config)
    assert len(result.trained) == 2 * (8 + 3)
    by = {(r.seed, r.method, r.round): r for r in result.trained}
    for name in shared.CONTROLS:
        assert by[0, name, 7].density == by[0, "ticket", 7].density
    assert by[0, "ticket", 0].density == 1
    assert by[1, "ticket", 7].density == pytest.approx(0.8**7, abs=0.05)
    assert all(r.steps == 30 and 0 <= r.early_step <= 30 for r in result.trained)
    assert all(r.reached == -1 for r in result.trained if r.round not in TINY.compared)

    def no(*args: object) -> None:
        raise AssertionError("what is there is not trained again")

    monkeypatch.setattr(Trainer, "__call__", no)
    assert tickets.run(config) == result
    assert run_main(tickets, result, tmp_path, monkeypatch) in (0, 1)
    rows = (tmp_path / "frankle2019_lenet.csv").read_text("utf-8").splitlines()
    assert len(list(csv.DictReader(rows))) == len(result.trained)
    assert (tmp_path / "frankle2019_lenet_means.csv").exists()


def made_up(accuracies: Mapping[tuple[str, int], float], reached: int = 10) -> list[Any]:
    return [
        tickets.Trained(
            setting="quick",
            data="none",
            steps=100,
            every=10,
            seed=seed,
            method=method,
            round=index,
            density=0.8**index,
            early_step=50,
            early_loss=0.1,
            early_accuracy=accuracy + 0.001 * seed,
            final_accuracy=accuracy,
            reached=reached if method == "ticket" else 50,
        )
        for seed in range(5)
        for (method, index), accuracy in accuracies.items()
    ]


def test_claims_about_tickets_can_fall() -> None:
    good = {
        ("ticket", 0): 0.97,
        ("ticket", 7): 0.97,
        ("re-initialised", 7): 0.95,
        ("rearranged", 7): 0.94,
        ("one shot", 7): 0.96,
    }
    assert all_hold(tickets.claims(made_up(good)))
    for index, change in enumerate(
        ({("ticket", 7): 0.967}, {("re-initialised", 7): 0.968}, {("rearranged", 7): 0.968})
    ):
        found = [stands for _, stands, _ in tickets.claims(made_up({**good, **change}))]
        assert not found[index]
    for late in (50, -1):
        assert not tickets.claims(made_up(good, reached=late))[3][1]


def test_controls_change_one_thing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = shared.bench(TINY, None, runs)
    with shared.steady():
        found = place.tickets(0, 7, lambda *_: None)
    ticket = found.rounds[7]
    seen: list[tuple[Any, dict[str, Tensor]]] = []

    def spy(model: object, state: Any, masks: Any, train: Trainer) -> object:
        assert train.seed == 0
        seen.append((state, dict(masks)))
        return ticket.history

    monkeypatch.setattr(shared, "retrain", spy)
    monkeypatch.setattr(shared.Bench, "seed_folder", lambda self, seed: runs / f"none-{seed}")
    (runs / "none-0").mkdir()
    for name in shared.CONTROLS:
        place.control(name, found, 7, 0)
    (once, drawn, moved) = seen
    other = state_of(TINY.lenet().model(1000))
    for name, mask in ticket.masks.items():
        kept = int(mask.sum())
        assert torch.equal(once[0][name], found.initial[name])
        dense = found.rounds[0].final[name].abs().flatten()
        assert set(dense[once[1][name].flatten()].tolist()) == set(
            dense.sort(descending=True).values[:kept].tolist()
        )
        assert torch.equal(drawn[1][name], mask)
        assert torch.equal(drawn[0][name], other[name])
        assert not torch.equal(moved[1][name], mask)
        values = found.initial[name][mask].sort().values
        assert torch.equal(moved[0][name][moved[1][name]].sort().values, values)
    with pytest.raises(InputError, match="a control is one of"):
        place.control("shuffled", found, 7, 0)
    (runs / "none-0" / "rearranged-007.json").write_text("{")
    with pytest.raises(FileError, match="no history"):
        place.control("rearranged", found, 7, 0)


def test_folders_are_of_one_run(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shared.bench(TINY, None, runs).place
    assert shared.bench(TINY, None, runs).place == first
    assert shared.bench(replace(TINY, rounds=9), None, runs).place == first  # it only goes on
    for other in (replace(TINY, rate=1e-3), replace(TINY, validation=99)):
        assert shared.bench(other, None, runs).place != first
    images = shared.digits()
    brighter = replace(images, train_x=images.train_x * np.float32(1.5))
    monkeypatch.setattr(shared, "digits", lambda: brighter)
    assert shared.bench(TINY, None, runs).place != first


def test_without_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for module in (tickets, weights, criteria, actions):
        out = tmp_path / module.NAME
        monkeypatch.setattr(sys, "argv", [module.NAME, "--short", "--out", str(out)])
        assert module.main() == 2
        assert "--data FOLDER" in capsys.readouterr().err
        assert not list(out.iterdir())


def test_kept_weights(tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = weights.run(weights.Config(quick=True, seeds=2, runs=runs))
    assert len(result.rows) == 2 * 8 * 2 * 3
    dense = [r for r in result.rows if (r.round, r.values, r.layer) == (0, "initial", "0.weight")]
    assert all(r.count == 64 * 16 and abs(r.sarle - 1 / 3) < 0.05 for r in dense)
    assert all(r.density == 1 for r in dense)
    last = [r for r in result.rows if r.round == 7 and r.layer == "0.weight"]
    assert all(r.count == round(r.density * 64 * 16) < 64 * 16 for r in last)
    found = shared.bench(TINY, None, runs).tickets(1, 7, lambda *_: None)
    mask = found.rounds[7].masks["0.weight"]
    for row in (r for r in last if r.seed == 1):
        state = found.initial if row.values == "initial" else found.rounds[7].final
        assert row.deviation == pytest.approx(float(state["0.weight"][mask].std()), rel=1e-2)
    assert run_main(weights, result, tmp_path, monkeypatch) in (0, 1)

    def claims(**change: float) -> list[bool]:
        rows = [
            replace(
                r,
                **{
                    "sarle": 0.33 if not r.round else 0.6 + 0.01 * r.round + 1e-4 * r.seed,
                    "centre": 0.1,
                    **(change if r.round == 7 else {}),
                },
            )
            for r in result.rows
        ]
        return [stands for _, stands, _ in weights.claims(rows)]

    assert claims() == [True] * 7
    assert claims(sarle=0.3) == [False] * 7
    assert claims(centre=0.26) == [True] * 3 + [False] * 3 + [True]


def test_criteria(tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = criteria.Config(quick=True, seeds=2, runs=runs, densities=(0.6, 0.2))
    result = criteria.run(config)
    assert len(result.rows) == 2 * 10 * 2 * 2
    by = {(r.seed, r.criterion, r.density, r.values): r for r in result.rows}
    assert by[0, criteria.SUPER, 0.2, "initial"].same_sign == 1
    assert run_main(criteria, result, tmp_path, monkeypatch) in (0, 1)

    # One entry again, by numpy alone.
    place = shared.bench(TINY, None, runs)
    found = place.tickets(0, 0, lambda *_: None)
    y = place.data.test_x.numpy().astype(np.float64)
    kept = same = 0
    for layer in (0, 2, 4):
        start = found.initial[f"{layer}.weight"].numpy().astype(np.float64)
        trained = found.rounds[0].final[f"{layer}.weight"].numpy()
        end = np.abs(trained)
        keep = int(0.6 * end.size + 0.5)
        mask = end >= np.sort(end.ravel())[-keep]
        kept += keep
        same += int((np.sign(start) == np.sign(trained))[mask].sum())
        y = y @ (np.sign(start) * start.std() * mask).T
        y = np.maximum(y, 0) if layer < 4 else y
    right = float((y.argmax(1) == place.data.test_y.numpy()).mean())
    row = by[0, "large_final", 0.6, "signed constant"]
    assert row.accuracy == pytest.approx(right, abs=1.1 / len(y))
    assert row.same_sign == same / kept < 1


def test_claims_about_criteria_can_fall() -> None:
    def claims(best: float, plain: float, random: float, constant: float) -> list[bool]:
        level = {criteria.SUPER: best, "large_final": plain, "random": random}
        rows = [
            criteria.Masked(
                setting="quick",
                data="none",
                steps=1,
                seed=seed,
                criterion=name,
                density=density,
                values=values,
                same_sign=0.5,
                accuracy=(constant if values != "initial" else level.get(name, 0.1)) + 1e-3 * seed,
                trained=0.9,
            )
            for seed in range(3)
            for name in criteria.NAMES
            for density in (0.5, 0.1)
            for values in criteria.VALUES
        ]
        return [stands for _, stands, _ in criteria.claims(rows)]

    assert claims(0.8, 0.5, 0.1, 0.9) == [True] * 4
    assert claims(0.1, 0.05, 0.1, 0.9) == [False, False, False, True]
    assert claims(0.5, 0.5, 0.1, 0.3) == [True, False, True, False]


def test_information(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = plane.Config(steps=40, rounds=1, keep=0.4, seeds=2, hidden=(8, 4))
    result = plane.run(config)
    steps = sorted(plane.moments(40))
    assert steps[0] == 0
    assert steps[-1] == 40
    assert len(result.rows) == 2 * 3 * 2 * len(steps)
    claims = {name.split()[0]: ok for name, ok, _ in result.claims}
    assert claims["no"]
    assert run_main(plane, result, tmp_path, monkeypatch) in (0, 1)

    def stands(method: str, step: int, **change: float) -> list[bool]:
        level = {0: 1.0, 40: 3.0}
        rows = [
            replace(
                r,
                **{
                    "of_input": 5.0,
                    "of_label": level.get(r.step, 2.0) + (0.1 if r.method == "ticket" else 0.0),
                    "label": 3.3,
                    **(change if (r.method, r.step) == (method, step) else {}),
                },
            )
            for r in result.rows
        ]
        return [ok for _, ok, _ in plane.claims(rows)]

    assert stands("", 0) == [True] * 4
    assert stands("dense", 0, of_label=3.4) == [False, False, True, False]
    assert stands("ticket", 40, of_label=2.9) == [True, True, False, True]
    assert stands("ticket", 0, of_label=0.9) == [True, True, True, False]
    assert stands("ticket", 40, of_input=20.0)[0] is False


def test_actions(tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = actions.Config(quick=True, seeds=2, runs=runs)
    result = actions.run(config)
    names = [str(action) for action in actions.ACTIONS]
    assert len(set(names)) == 9
    assert [(r.seed, r.action) for r in result.rows] == [(s, n) for s in range(2) for n in names]
    assert run_main(actions, result, tmp_path, monkeypatch) in (0, 1)
    # What is remembered is what was trained; the start is what the action says.
    here = shared.bench(TINY, None, runs)
    found = here.tickets(0, 7, lambda *_: None)
    action = actions.Action("rewind", pruned="freeze")
    path = here.record(f"action {action}", 7, 0)
    before = path.read_bytes()
    path.unlink()
    with shared.steady():
        seen = actions.trained(here, found, 7, 0, action)
    assert path.read_bytes() == before
    model = TINY.lenet().model(0)
    model.load_state_dict(found.initial)  # nothing is pruned before the first step: all frozen
    model.eval()
    right = (model(here.data.valid_x).argmax(1) == here.data.valid_y).float().mean()
    assert seen.evaluations[0].accuracy == pytest.approx(float(right))


def test_claims_about_actions_can_fall() -> None:
    row = stored("zhou2019_actions", actions.Started)[0]
    level = {str(a): 0.9 if a.keep_sign else 0.8 for a in actions.ACTIONS}
    level |= {"pruned frozen": 0.7, "pruned frozen if grown": 0.9}

    def claims(**change: float) -> list[bool]:
        values = level | {name.replace("_", " "): value for name, value in change.items()}
        rows = [
            replace(row, seed=s, action=name, early_accuracy=value + 1e-3 * s)
            for name, value in values.items()
            for s in range(3)
        ]
        return [stands for _, stands, _ in actions.claims(rows)]

    assert claims() == [True] * 4
    assert claims(reinit=0.9) == [False, True, True, True]
    assert claims(reshuffle=0.899) == [True, False, True, True]
    assert claims(signed_constant=0.95) == [True, True, False, True]
    assert claims(pruned_frozen=0.9) == [True, True, True, False]


@pytest.mark.parametrize(
    "module", [tickets, weights, criteria, actions, plane], ids=lambda m: m.NAME
)
def test_the_stored_tables_hold_the_claims(module: ModuleType) -> None:
    row = {
        tickets: "Trained",
        weights: "Kept",
        criteria: "Masked",
        actions: "Started",
        plane: "Known",
    }[module]
    rows = stored(module.NAME, getattr(module, row))
    assert {r.seed for r in rows} == set(range(5))
    assert all_hold(module.claims(rows))
