"""Checks: true claims stand, false ones fall, and every kind of row can refute."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from strongticket import check
from strongticket.errors import ConstructionError, FileError, InputError
from strongticket.theorems import (
    THEOREMS,
    Effort,
    _counting,
    _evidence,
    _network_rows,
    _sampling,
    pensia2020,
    random_subset_sum,
)
from strongticket.theorems._sampling import SamplingTheorem

SCRIPTS = Path(__file__).parents[1] / "proofs_check"
EACH = pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.key)
R1 = random_subset_sum.R1


@EACH
def test_no_claim_is_refuted(theorem: Any) -> None:
    seen: list[str] = []
    report = check.check(theorem, quick=True, progress=lambda text, *_: seen.append(text))
    assert report.ok
    assert not report.refuted, [row for row in report.rows if row.refuted]
    assert len(seen) == len(report.rows) > 0
    assert json.loads(json.dumps(report.to_json()))["theorem"] == theorem.key
    assert all(row.name in str(report) and row.measured in str(report) for row in report.rows)


@EACH
def test_every_claim_made_false_on_purpose_is_refuted(theorem: Any) -> None:
    report = check.check(theorem, quick=True, false_width=True)
    assert report.ok
    if theorem.falsifiable:
        assert report.rows
        assert all(row.refuted for row in report.rows)
    else:
        assert not report.refuted
        assert report.verdict == "has no false bound"
        assert f"{', '.join(sorted(theorem.bound.unspecified))} unspecified" in str(report)


def test_only_statements_of_papers_have_no_false_form() -> None:
    unspecified = [t for t in THEOREMS if not t.falsifiable]
    assert unspecified
    for theorem in unspecified:
        assert "own result" not in theorem.source
        assert theorem.bound.unspecified


def test_samples_that_all_fail_refute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SamplingTheorem, "shortest", lambda self, trials, *a, **k: [None] * trials)
    monkeypatch.setattr(SamplingTheorem, "scaling", lambda self, effort: self._construction())
    kinds = {row.kind for row in check.check(R1, quick=True).rows if row.refuted}
    assert kinds == {"probability"}


def test_widths_that_grow_too_fast_refute(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(self: Any, trials: int, n: int, eta: float, seed: int) -> list[int]:
        return [round(20 / eta**0.5) + k % 2 for k in range(trials)]

    monkeypatch.setattr(SamplingTheorem, "shortest", slow)
    assert R1.scaling(Effort(True)).refuted
    monkeypatch.setattr(SamplingTheorem, "shortest", lambda self, trials, *a: [5, 6] * trials)
    assert R1.scaling(Effort(True)).refuted  # no growth at all: below the necessary slope


def test_constructions_that_fail_refute(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> Any:
        raise ConstructionError("sabotaged")

    monkeypatch.setattr("strongticket.theorems._network.two_layer", fail)
    report = check.check(pensia2020.EXPLICIT, quick=True)
    assert {row.kind for row in report.rows if row.refuted} == {"construction", "probability"}


def test_a_ticket_that_misses_refutes(monkeypatch: pytest.MonkeyPatch) -> None:
    from strongticket.construct import LayerAccuracy
    from strongticket.construct import two_layer as honest

    def sloppy(network: Any, target: Any, accuracy: Any, **options: Any) -> Any:
        rough = [LayerAccuracy(0.7, 0.7) for _ in accuracy]
        return honest(network, target, rough, window=1)

    monkeypatch.setattr("strongticket.theorems._network.two_layer", sloppy)
    rows = check.check(pensia2020.EXPLICIT, quick=True).rows
    assert all(row.refuted for row in rows if row.kind == "construction")


def test_a_wrong_inequality_refutes() -> None:
    row = _evidence.algebra("1 < 0", (False, "it is not"), _evidence.PROVES)
    assert row.refuted
    assert row.verdict == "refuted"


def test_a_false_bound_that_stands_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sampling, "doubled_radius", lambda *_: 0)
    report = check.check(R1, quick=True, false_width=True)
    assert not report.ok
    assert report.verdict == "FALSE BOUND NOT REFUTED"
    monkeypatch.setattr(_network_rows, "two_layer", lambda *_, **__: None)
    assert not check.check(pensia2020.EXPLICIT, quick=True, false_width=True).ok


def test_counting_is_refuted_by_any_sample_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_counting.Counting, "_serves", staticmethod(lambda *_: True))
    assert check.check(random_subset_sum.COUNTING, quick=True).refuted


@pytest.mark.parametrize(
    ("failed", "trials", "claimed", "refuted"),
    [(0, 100, 0.01, False), (5, 100, 0.01, False), (12, 100, 0.01, True), (100, 100, 1.5, False)],
)
def test_only_the_far_tail_refutes(failed: int, trials: int, claimed: float, refuted: bool) -> None:
    row = _evidence.failures("x", claimed, failed, trials)
    assert row.refuted == refuted
    assert row.p_value is not None
    assert (row.p_value < 1e-6) == refuted


def test_all_and_by_name() -> None:
    steps: list[tuple[int, int]] = []
    chosen = [check.find("dacunha2022_counting"), check.find("pensia2020_published")]
    reports = check.check_all(
        chosen,
        quick=True,
        false_width=True,
        progress=lambda _, done, total: steps.append((done, total)),
    )
    assert [r.theorem for r in reports] == chosen
    assert steps[-1] == (2, 2)
    assert len(check.summary(reports)) == 2
    with pytest.raises(InputError, match="no theorem is called 'nothing'; known are dacunha"):
        check.find("nothing")
    with pytest.raises(InputError, match="needs a Theorem"):
        check.check("dacunha2022_r1")  # type: ignore[arg-type]


def test_every_theorem_has_its_script(capsys: pytest.CaptureFixture[str]) -> None:
    found = {p.stem for p in SCRIPTS.glob("*.py")} - {"_script"}
    assert found == {t.key for t in THEOREMS}


@pytest.mark.parametrize("arguments", [["--quick"], ["--quick", "--false-width"]])
def test_scripts_print_claimed_and_measured(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "argv", ["dacunha2022_counting.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPTS / "dacunha2022_counting.py"), run_name="__main__")
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "claimed" in printed
    assert "measured" in printed


def test_a_refuted_script_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(_counting.Counting, "_serves", staticmethod(lambda *_: True))
    run = runpy.run_path(str(SCRIPTS / "_script.py"))["run"]
    assert run(random_subset_sum.COUNTING, ["--quick"]) == 1
    assert "REFUTED" in capsys.readouterr().out


# ---- trials, resuming, side by side

QUICKEST = (random_subset_sum.COUNTING, pensia2020.LOWER, pensia2020.PUBLISHED)


def test_trials_multiply_every_statistical_row() -> None:
    once = check.check(random_subset_sum.COUNTING, quick=True)
    twice = check.check(random_subset_sum.COUNTING, quick=True, trials=2)
    assert twice.trials == 2
    for before, after in zip(once.rows, twice.rows, strict=True):
        if before.kind == "probability":
            assert (before.measured, after.measured) == ("0 of 200 do", "0 of 400 do")
    with pytest.raises(InputError, match="whole number >= 1, got 0"):
        check.check(R1, trials=0)


def test_a_report_survives_json() -> None:
    report = check.check(pensia2020.LOWER, quick=True)
    again = check.CheckReport.from_json(json.loads(json.dumps(report.to_json())))
    assert again.rows == report.rows
    assert again.theorem is report.theorem
    assert (again.ok, again.verdict) == (report.ok, report.verdict)


def test_an_interrupted_check_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "checks.json"

    def interrupt(text: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check.check_all(QUICKEST, True, False, interrupt, resume=kept)
    assert len(json.loads(kept.read_bytes())["checks"]) == 2
    ran: list[str] = []
    honest = check.check
    monkeypatch.setattr(
        check, "check", lambda t, *a, **k: (ran.append(t.key), honest(t, *a, **k))[1]
    )
    reports = check.check_all(QUICKEST, True, resume=kept)
    assert [r.theorem.key for r in reports] == [t.key for t in QUICKEST]
    assert ran == [QUICKEST[2].key]
    check.check_all(QUICKEST, True, resume=kept, trials=2)
    assert ran[1:] == [t.key for t in QUICKEST]  # other settings: nothing kept counts


def test_a_changed_statement_is_checked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    effort = Effort(True)
    theorem = random_subset_sum.COUNTING
    other = replace(theorem, claim=theorem.claim + " Or so.")
    assert check.identity(theorem, effort, False) != check.identity(other, effort, False)
    assert check.identity(theorem, effort, False) != check.identity(theorem, effort, True)


def test_a_file_that_holds_no_checks_is_not_overwritten(tmp_path: Path) -> None:
    kept = tmp_path / "notes.json"
    kept.write_text("[1, 2]")
    with pytest.raises(FileError, match="holds no checks to resume from"):
        check.check_all(QUICKEST, True, resume=kept)
    assert kept.read_text() == "[1, 2]"


def test_processes_side_by_side_find_the_same() -> None:
    alone = check.check_all(QUICKEST, True)
    seen: list[int] = []
    beside = check.check_all(QUICKEST, True, False, lambda *a: seen.append(a[1]), workers=2)
    assert [r.rows for r in beside] == [r.rows for r in alone]
    assert seen == [1, 2, 3, 3]


def test_a_theorem_of_ones_own_is_checked_in_this_process() -> None:
    from dataclasses import replace

    own = replace(random_subset_sum.COUNTING, title="mine")
    assert check.check_all([own], True)[0].theorem is own
    with pytest.raises(InputError, match="check it with workers=1"):
        check.check_all([own, pensia2020.LOWER], True, workers=2)
