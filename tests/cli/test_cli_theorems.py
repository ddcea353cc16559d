"""`theorems` and `check`: every theorem is listed, false claims end with exit code 1."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from cli_runner import Runner

from strongticket.theorems import THEOREMS, _counting

FAST = ("dacunha2022_counting", "pensia2020_lower", "pensia2020_published")


def test_every_theorem_is_listed(run: Runner) -> None:
    shown = run("theorems")
    assert shown.code == 0
    for theorem in THEOREMS:
        (line,) = [t for t in shown.out.splitlines() if t.split()[:1] == [theorem.key]]
        assert theorem.title in line
    listed = run("theorems", "--json").json
    assert [t["key"] for t in listed] == [t.key for t in THEOREMS]
    assert [t["statement"] for t in listed] == [t.statement for t in THEOREMS]


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.key)
def test_one_theorem_is_shown_whole(run: Runner, theorem: Any) -> None:
    shown = run("theorems", theorem.key)
    assert shown.code == 0
    for part in (theorem.title, theorem.source, theorem.statement, *theorem.hypotheses):
        assert getattr(part, "text", part) in shown.out
    assert run("theorems", theorem.key, "--json").json[0]["key"] == theorem.key


@pytest.mark.parametrize("command", ["theorems", "check"])
def test_a_key_that_is_not_there_names_those_that_are(run: Runner, command: str) -> None:
    ended = run(command, "nothing")
    assert (ended.code, ended.out) == (2, "")
    assert "'nothing'" in ended.err
    assert all(theorem.key in ended.err for theorem in THEOREMS)


@pytest.mark.parametrize("arguments", [[], ["--all", "dacunha2022_r1"]])
def test_check_is_told_what_to_check(run: Runner, arguments: list[str]) -> None:
    ended = run("check", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "keys of theorems, or --all" in ended.err


def test_claims_stand(run: Runner) -> None:
    shown = run("check", *FAST, "--quick")
    assert shown.code == 0
    assert "claimed" in shown.out
    assert "measured" in shown.out
    assert shown.out.count("not refuted") > 2
    assert "REFUTED" not in shown.out
    assert "dacunha2022_counting" in shown.err  # progress, on standard error only


def test_false_claims_fall(run: Runner) -> None:
    shown = run("check", *FAST, "--quick", "--false-width")
    assert shown.code == 0
    assert shown.out.count("false bound refuted") == 2
    assert "has no false bound" in shown.out


@pytest.mark.parametrize("false_width", [False, True])
def test_json_has_the_rows_and_the_verdicts(run: Runner, false_width: bool) -> None:
    shown = run("check", *FAST, "--quick", "--json", *["--false-width"] * false_width)
    assert (shown.code, shown.err) == (0, "")
    assert [report["theorem"] for report in shown.json] == list(FAST)
    table = run("check", *FAST, "--quick", *["--false-width"] * false_width).out
    for report in shown.json:
        assert report["ok"]
        assert report["false_width"] == false_width
        assert report["verdict"] in table
        for row in report["rows"]:
            assert row["measured"] in table
            assert row["claimed"] in table


def test_a_claim_that_the_facts_contradict_exits_1(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_counting.Counting, "_serves", staticmethod(lambda *_: True))
    ended = run("check", "dacunha2022_counting", "--quick")
    assert ended.code == 1
    assert "REFUTED" in ended.out
    as_json = run("check", "dacunha2022_counting", "--quick", "--json")
    assert (as_json.code, as_json.json[0]["ok"]) == (1, False)


def test_a_false_claim_that_stands_exits_1(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    from strongticket.theorems._evidence import Row

    stands = Row("probability", "sabotaged", "n < 3", "nothing", False, "cannot refute")
    monkeypatch.setattr(_counting.Counting, "rows", lambda self, effort, false_width: [stands])
    ended = run("check", "dacunha2022_counting", "--quick", "--false-width")
    assert ended.code == 1
    assert "FALSE BOUND NOT REFUTED" in ended.out


def test_all_means_all(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strongticket.theorems.THEOREMS", THEOREMS[5:7])
    shown = run("check", "--all", "--quick", "--json")
    assert [report["theorem"] for report in shown.json] == [t.key for t in THEOREMS[5:7]]


def test_a_papers_name_shows_all_its_theorems(run: Runner) -> None:
    shown = run("theorems", "pensia2020").out
    for theorem in THEOREMS:
        assert (theorem.statement in shown) == (theorem.paper == "pensia2020")


def test_the_number_of_a_bound_at_given_values(run: Runner) -> None:
    from strongticket.theorems import pensia2020

    shown = run("theorems", "pensia2020_lower", "--at", "epsilon=0.01", "d=10")
    number = pensia2020.LOWER.bound(epsilon=0.01, d=10)
    assert f"number: P = {number:,} is needed" in shown.out
    as_json = run("theorems", "pensia2020_lower", "--at", "epsilon=1/100", "d=10", "--json")
    assert as_json.json[0]["bound"] == number


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--at", "epsilon=0.9", "d=10"), "epsilon must lie strictly between 0 and 1/2"),
        (("--at", "epsilon"), "NAME=NUMBER"),
        (("--at", "epsilon=0.1"), "needs values for d, epsilon"),
    ],
)
def test_values_outside_a_bound_are_named(
    run: Runner, arguments: tuple[str, ...], says: str
) -> None:
    ended = run("theorems", "pensia2020_lower", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err


def test_a_number_that_the_source_does_not_give(run: Runner) -> None:
    ended = run("theorems", "pensia2020_published", "--at", "C=1")
    assert ended.code == 2
    assert "leaves C unspecified" in ended.err
    assert "use pensia2020_explicit" in ended.err


def test_what_the_theorems_ask_side_by_side(run: Runner, tmp_path: Any) -> None:
    options = ("--width", "40", "--depth", "2", "--epsilon", "0.1", "--delta", "0.1")
    figure = tmp_path / "compare.png"
    shown = run("theorems", "--compare", *options, "--figure", str(figure))
    assert shown.code == 0
    assert figure.read_bytes().startswith(b"\x89PNG")
    found = {line["key"]: line for line in run("theorems", "--compare", *options, "--json").json}
    explicit = found["pensia2020_explicit"]
    assert explicit["depth"] == 4
    assert explicit["constants"] == "ours"
    widths = explicit["widths"]
    assert explicit["weights"] == sum(a * b for a, b in itertools.pairwise(widths))
    assert f"{explicit['weights']:,}" in shown.out
    assert "C unspecified by the paper" in found["pensia2020_published"]["note"]
    sizes = [line["weights"] for line in found.values() if "weights" in line]
    assert sizes == sorted(sizes)


def test_compare_refuses_what_is_no_shape(run: Runner) -> None:
    assert run("theorems", "--compare", "--width", "0").code == 2
    assert run("theorems", "--figure", "x.png").code == 2
