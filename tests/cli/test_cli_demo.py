"""`strongticket demo`: run whole once; what it prints is what its files hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_runner import Runner

from strongticket.check import check, matching
from strongticket.datasets import digits
from strongticket.targets import Target
from strongticket.theorems import THEOREMS, Effort, pensia2020
from strongticket.tickets import Ticket
from strongticket.training import accuracy
from strongticket.verify import recheck
from strongticket.verify._recheck._errors import in_words

SMALL = ("demo", "--hidden", "6")


def test_the_whole_demo(run: Runner, tmp_path: Path) -> None:
    ended = run(*SMALL, "--out", tmp_path / "demo")
    assert ended.code == 0
    assert sorted(p.name for p in (tmp_path / "demo").iterdir()) == [
        "digits.proof.json",
        "digits.safetensors",
        "mask.safetensors",
        "target.safetensors",
    ]
    target = Target.load(tmp_path / "demo" / "target.safetensors")
    ticket = Ticket.load(tmp_path / "demo" / "digits.safetensors")
    proof = recheck(tmp_path / "demo" / "digits.proof.json", target)
    assert proof.holds
    assert (target.widths, proof.ticket_id) == ((64, 6, 10), ticket.ticket_id)
    theorem = pensia2020.EXPLICIT
    asked = theorem.network(target, epsilon=0.01, delta=0.01, seed=0)
    assert asked == ticket.network  # the theorem's own width
    for shown in (
        f"certified <= {in_words(proof.bound, 3)}, ",
        f"{ticket.mask.kept:,} kept of",
        "-".join(map(str, asked.architecture.widths)),  # type: ignore[union-attr]
        f"pruned random network {accuracy(ticket.compact(), digits()):.2%}",
        *(f"check {t.key}" for t in matching("pensia2020")),
        "recheck",
    ):
        assert shown in ended.out
    mask = Ticket.load(tmp_path / "demo" / "mask.safetensors")
    assert f"{accuracy(mask.module(), digits()):.2%} at density 0.50" in ended.out
    for stage in ("training the target", "construct layer 2", "attack", "searching a mask"):
        assert any(line.startswith(stage) for line in ended.err.splitlines())
        assert not any(line.startswith(stage) for line in ended.out.splitlines())


def test_json_and_a_check_that_fails(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same numbers as JSON; one refuted claim makes the exit code 1."""

    def one_refuted(theorems: Any, **options: Any) -> Any:
        assert theorems == matching("pensia2020")
        assert options["quick"]
        return (check(THEOREMS[5], quick=True), check(pensia2020.LOWER, quick=True))

    monkeypatch.setattr("strongticket.check.check_all", one_refuted)
    whole = run(*SMALL, "--out", tmp_path, "--json")
    assert (whole.code, whole.err) == (0, "")
    proof = recheck(tmp_path / "digits.proof.json")
    found = whole.json
    assert found["ok"]
    assert found["proof"]["bound"] == pytest.approx(float(proof.bound), rel=1e-15)
    assert 0 < found["proof"]["lower_bound"] <= found["proof"]["bound"]
    assert found["proof"]["kept_weights"] == proof.kept_weights
    for name in ("ticket", "certificate"):
        size = Path(found["proof"][f"{name}_file"]).stat().st_size
        assert found["proof"][f"{name}_bytes"] == size
    mask = Ticket.load(found["search"]["ticket"])
    assert found["search"]["density"] == mask.mask.density
    assert found["search"]["accuracy"] == accuracy(mask.module(), digits())
    assert set(found["checks"]) == {THEOREMS[5].key, pensia2020.LOWER.key}

    # twice the lower bound is false: claimed as if it were true, it must end the demo with 1
    rows = type(pensia2020.LOWER).rows
    false = tuple(rows(pensia2020.LOWER, Effort(True), True))
    monkeypatch.setattr(type(pensia2020.LOWER), "rows", lambda self, effort, false_width: false)
    broken = run(*SMALL, "--out", tmp_path, "--json")
    assert (broken.code, broken.json["ok"]) == (1, False)
    assert broken.json["checks"][pensia2020.LOWER.key] == "REFUTED"
