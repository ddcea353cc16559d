"""The experiments, run small; at full size they are commands of their own."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from experiment_modules import EXPERIMENTS, load

from strongticket.datasets import digits
from strongticket.errors import FileError
from strongticket.targets import Box, Target
from strongticket.tickets import Ticket
from strongticket.verify import recheck
from strongticket.verify._recheck._errors import in_words

mnist = load("pensia2020_mnist")
bars = load("benchmarks/bars")


def test_certificates_at_scale_run_quick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The digits and one small network, by `--quick`: every bound above its attack, in order."""
    pytest.importorskip("cvxpy")
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    scale = load("certificates_scale")
    config = scale.Config(out=tmp_path / "out", quick=True, seconds=1.0)
    rows: list[Any] = []
    run = scale.run
    monkeypatch.setattr(scale, "run", lambda given: rows.extend(run(given)) or rows)
    assert scale.main(config) == 0
    assert {p.name for p in config.out.iterdir()} == {
        "certificates_scale.csv",
        "certificates_scale.png",
        "proof.json",
    }
    instances = {row.instance for row in rows}
    assert len(instances) == 4  # even, best and planted errors of the digits, and one 10-16-3
    assert len((config.out / "certificates_scale.csv").read_text("utf-8").splitlines()) > len(rows)
    printed = capsys.readouterr().out
    for name in instances:
        ratios = {row.method: row.ratio for row in rows if row.instance == name}
        assert 1 <= ratios["spectral relaxation"] <= ratios["weight error"]
        assert name in printed
    for method in (*scale.METHODS, "maximum"):
        low = [replace(r, bound=r.attack / 2) if r.method == method else r for r in rows]
        assert not scale.holds(low)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The digits, blown up to 16 x 16, as the four idx files of MNIST."""
    data = digits()
    place = tmp_path / "data"
    place.mkdir()
    for name, x, y in (
        ("train", data.train_x[:400], data.train_y[:400]),
        ("t10k", data.test_x[:100], data.test_y[:100]),
    ):
        small = np.rint(x.reshape(-1, 8, 8) * 255).astype(np.uint8)
        large = small.repeat(2, axis=1).repeat(2, axis=2)
        for kind, array in (("images-idx3", large), ("labels-idx1", y.astype(np.uint8))):
            head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
            (place / f"{name}-{kind}-ubyte").write_bytes(head + array.tobytes())
    return place


def test_mnist_on_a_small_folder(folder: Path, tmp_path: Path) -> None:
    small = {**mnist.QUICK, "hidden": 12, "epochs": 60}
    config = replace(mnist.Config(folder, tmp_path / "out"), **small)
    result = mnist.run(config)
    proof = result.proof
    assert mnist.holds(result)
    assert proof.target_widths == (256, 12, 10)
    assert 0 < proof.lower_bound <= proof.bound <= config.epsilon
    ticket = Ticket.load(proof.ticket_file)
    found = recheck(proof.certificate_file, Target.load(tmp_path / "out" / "target.safetensors"))
    assert found.ticket_id == ticket.ticket_id
    assert found.kept_weights == proof.kept_weights
    assert abs(result.target_accuracy - result.ticket_accuracy) <= 0.05
    assert result.target_accuracy > 0.5
    assert not mnist.holds(replace(result, proof=replace(proof, rechecked=False)))
    assert not mnist.holds(replace(result, proof=replace(proof, holds=False)))


def test_mnist_as_a_command(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    arguments = ["--data", str(folder), "--out", str(out), "--quick", "--seed", "4"]
    monkeypatch.setattr(sys, "argv", ["pensia2020_mnist.py", *arguments])
    monkeypatch.setitem(mnist.QUICK, "hidden", 4)
    assert mnist.main() == 0
    stored = json.loads((out / "result.json").read_text("utf-8"))
    assert stored["holds"]
    assert stored["config"]["seed"] == 4
    printed = capsys.readouterr().out
    bound = Fraction(stored["proof"]["bound"])
    assert f"certified <= {in_words(bound, 3)}, " in printed
    assert f"{stored['target_accuracy']:.2%}" in printed
    assert f"{stored['ticket_accuracy']:.2%}" in printed
    assert "peak memory" in printed


@pytest.mark.parametrize("what", ["data", "out"])
def test_a_wrong_folder_exits_2(
    what: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("")
    data = tmp_path / "none" if what == "data" else folder
    out = tmp_path / "file" if what == "out" else tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["x", "--data", str(data), "--out", str(out)])
    assert mnist.main() == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    if what == "out":
        with pytest.raises(FileError):
            mnist.run(mnist.Config(folder, out))


@pytest.mark.data
def test_mnist_on_real_data(data_folder: Path, tmp_path: Path) -> None:
    config = replace(mnist.Config(data_folder, tmp_path), **mnist.QUICK)
    result = mnist.run(config)
    assert mnist.holds(result)
    assert result.target_accuracy > 0.85
    assert abs(result.target_accuracy - result.ticket_accuracy) < 0.01
    assert recheck(result.proof.certificate_file).holds


def test_bars_are_printed_and_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        bars.Row("a", "under 1 s", "0.5 s", True),
        bars.Row("b", "under 1 s", "1.5 s", False),
        bars.Row("c", "under 1 s", "no data", None),
    ]
    monkeypatch.setattr(bars, "measure", lambda *_: iter(rows))
    assert bars.main(["--out", str(tmp_path)]) == 0  # a missed bar is no failure
    printed = capsys.readouterr()
    for row, verdict in zip(rows, ("met", "missed", "not run"), strict=True):
        assert row.verdict == verdict
        assert row.measured in printed.out
        assert verdict in printed.err
    stored = json.loads((tmp_path / "bars.json").read_text("utf-8"))
    assert [row["met"] for row in stored["rows"]] == [True, False, None]
    rows.append(bars.timed("d", 60, sys.executable, "-c", "raise SystemExit(3)"))
    assert "exit code 3" in rows[-1].measured
    assert bars.main(["--out", str(tmp_path)]) == 1


def test_bars_say_what_cannot_be_measured(tmp_path: Path) -> None:
    (row,) = bars.mnist("", tmp_path, quick=True)
    assert (row.met, row.verdict) == (None, "not run")
    assert "STRONGTICKET_DATA" in row.measured
    (row,) = bars.mnist(str(tmp_path / "none"), tmp_path, quick=True)
    assert (row.met, row.failed) == (False, True)
    (row,) = bars.tests(quick=True)
    assert row.met is None


def test_both_widths_are_timed() -> None:
    random = np.random.default_rng(0)
    layers = [random.uniform(-0.3, 0.3, shape).astype(np.float32) for shape in ((9, 12), (3, 9))]
    target = Target([(w, None) for w in layers], Box(0.0, 1.0))
    assert all(seconds > 0 for seconds in bars.widths(target, rounds=1))
