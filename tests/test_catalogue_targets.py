"""The experiment on trained targets, run small: every theorem has its row, and claims can fall."""

from __future__ import annotations

import csv
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from experiment_modules import load

from strongticket import Mask, Network, Ticket, Uniform
from strongticket.errors import ClaimError, ConstructionError, InputError, WidthError
from strongticket.theorems import THEOREMS, Theorem
from strongticket.training import accuracy

rows = load("_catalogue_rows")
targets = load("catalogue_targets")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("catalogue")


@pytest.fixture(scope="module")
def quick(out: Path) -> object:
    return targets.run(targets.Config(out=out, quick=True))


def test_every_constructing_theorem_has_a_case() -> None:
    constructing = {t.key for t in THEOREMS if type(t).construct is not Theorem.construct}
    assert {case.key for case in targets.cases(targets.Config())} == constructing
    assert {case.key for case in targets.cases(targets.Config(quick=True))} == constructing
    names = [case.name for case in targets.cases(targets.Config())]
    assert len(names) == len(set(names))


def test_cases_of_the_folders_that_are_there(tmp_path: Path) -> None:
    constructing = {case.key for case in targets.cases(targets.Config())}
    for name in ("mnist", "fashion-mnist"):
        (tmp_path / name).mkdir()
        found = targets.cases(targets.Config(data=tmp_path, only=f"{name}_*"))
        assert {case.data for case in found} == {name}
        assert {case.key for case in found if case.hidden == (300, 100)} == constructing
    everything = targets.cases(targets.Config(data=tmp_path))
    assert len({case.name for case in everything}) == len(everything)
    assert {case.data for case in everything} == {"digits", *rows.FOLDERS}


def test_quick(quick: object, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(ok for _, ok, _ in quick.claims)  # type: ignore[attr-defined]
    refused = [row for row in quick.rows if not row.certified]  # type: ignore[attr-defined]
    assert [row.limit for row in refused] == ["width"]
    monkeypatch.setattr(rows, "measure", None)  # everything is there: nothing is measured again
    monkeypatch.setattr(sys, "argv", ["catalogue_targets.py", "--quick", "--out", str(out)])
    assert targets.main() == 0
    assert (out / "catalogue_targets.png").stat().st_size > 10_000
    read = list(csv.DictReader((out / "catalogue_targets.csv").read_text("utf-8").splitlines()))
    assert [row["theorem"] for row in read] == [r.theorem for r in quick.rows]  # type: ignore[attr-defined]


def test_a_figure_without_tickets(quick: object, tmp_path: Path) -> None:
    refused = tuple(row for row in quick.rows if not row.certified)  # type: ignore[attr-defined]
    targets.plot(targets.Result(refused, ()), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"bound": 0.6}, 0),
        ({"rechecked": False}, 1),
        ({"attack": 0.5}, 2),
        ({"theorem": "kumar2025_exact"}, 3),
        ({"after": 0.1}, 4),
        ({"limit": "grid"}, 5),
        ({"peak": 4.5}, 6),
    ],
)
def test_every_claim_can_fall(quick: object, changes: dict[str, object], claim: int) -> None:
    first, *others = quick.rows  # type: ignore[attr-defined]
    assert first.theorem == "orseau2020_network"
    found = targets.claims([replace(first, **changes), *others])
    assert [i for i, (_, stands, _) in enumerate(found) if not stands] == [claim]


def test_a_row_of_its_own_process(out: Path) -> None:
    """Its limits on time and memory end in a row that says so, and with it in exit code 1."""
    config = targets.Config(out=out, seconds=60)
    case = rows.Case("kumar2025_exact", "digits", (8,), 0.5, bits=6)
    row = targets.one(case, config)
    assert row.certified
    assert row.bound == 0
    assert row.peak > 0.05
    assert rows.stored(case, out) == row
    assert rows.stored(replace(case, bits=5), out) is None
    rows.store(case, replace(row, why="certificate"), out, rows.PARTIAL)
    cut = rows.cut_short(case, out, "time", "1 s")
    assert (cut.limit, cut.why) == ("time", "the certificate takes more than 1 s")
    with pytest.raises(ClaimError, match="ended before it had drawn a network"):
        rows.cut_short(replace(case, bits=5), out, "time", "1 s")


def test_a_process_without_memory_or_time(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = rows.Case("malach2020_weights", "digits", (4,), 0.5, unit=True)
    monkeypatch.setattr(targets.subprocess, "run", lambda *a, **k: Ended(-24))
    rows.store(
        case, rows.Row(case.key, "digits", "64-4-10", 0.5, why="construction"), out, ".partial.json"
    )
    row = targets.one(case, targets.Config(out=out, seconds=7))
    assert (row.limit, row.why) == ("time", "the construction takes more than 7 s")
    monkeypatch.setattr(targets.subprocess, "run", lambda *a, **k: Ended(-6))
    assert targets.one(case, targets.Config(out=out, gib=2)).why.endswith("more than 2 GiB")


class Ended:
    def __init__(self, returncode: int) -> None:
        self.returncode = returncode


def test_refusals_have_one_word() -> None:
    grid = InputError(
        "epsilon asks for finer than the 24-bit grid; the finest epsilon is about 0.12. T"
    )
    assert rows.refusal(grid) == ("grid", "24-bit weights prove no less than 0.12")
    assert rows.refusal(WidthError("too wide; draw less")) == ("width", "too wide")
    with pytest.raises(InputError) as wide:
        Network.mlp((1 << 32, 1 << 32, 1), laws=Uniform(), seed=0)
    assert rows.refusal(wide.value) == ("width", "a random layer of 2^63 weights or more")
    assert rows.refusal(MemoryError())[0] == "memory"
    assert rows.refusal(InputError("no biases: use another"))[0] == "hypothesis"
    assert rows.refusal(ConstructionError("missed"))[0] == "ConstructionError"


def test_prepared_targets() -> None:
    data = rows.digits()
    layers = [(np.array([[0.3, -2.0, 0.4]], np.float32), None)]
    target = rows.Target(layers, rows.Box(0.0, 1.0))
    made = rows.prepared(rows.Case("k", "digits", (), 0.5, bits=2, live=2, unit=True), target)
    assert np.allclose(made.weights[0] * math.hypot(2, 0.5), [[0, -2, 0.5]], rtol=1e-5)
    unit = rows.inputs(rows.Case("k", "digits", (), 0.5, unit=True), data)
    assert np.linalg.norm(unit.test_x, axis=1).max() <= 1


def test_pruned_networks_are_multiplied_out_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sparse products against torch's, on labels that few networks get right."""
    rng = np.random.default_rng(0)
    network = Network.mlp((3, 40, 9, 4), biases=True, laws=Uniform(), seed=1)
    bits = {p.name: rng.random(p.shape) < 0.4 for p in network.parameters}
    bits["layers.0.weight"] &= np.arange(3) == np.arange(40)[:, None] % 3  # one input a neuron
    bits["layers.1.weight"][:, 5] = False  # a neuron that nothing reads
    ticket = Ticket(network, Mask.dense(bits))
    module = ticket.compact()
    x = rng.random((500, 3), np.float32)
    images = replace(rows.digits(), test_x=x, test_y=rng.integers(0, 4, 500))
    assert {type(layer).__name__ for layer in module.layers} == {"GatherScale", "Linear"}
    assert rows.sparse_layers(ticket)[0][0][0].shape[0] < 40
    assert rows.pruned_accuracy(ticket, images) == accuracy(module, images)
    monkeypatch.setattr(rows, "HELD", 80)  # two images at a time
    monkeypatch.setattr(rows, "TABLE", 20)  # all neurons of the widest layer are sorted
    assert rows.pruned_accuracy(ticket, images) == accuracy(module, images)


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither of the folders"):
        targets.cases(targets.Config(data=tmp_path))
    with pytest.raises(InputError, match="no row's name"):
        targets.cases(targets.Config(only="nothing"))
    with pytest.raises(InputError, match="mnist needs --data"):
        rows.images("mnist", None)
