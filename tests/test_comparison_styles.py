"""The curves of the comparison can be told apart: a colour a paper, dashes and markers within."""

from __future__ import annotations

from strongticket.report._comparison import COLOURS, styles
from strongticket.theorems import THEOREMS, Theorem

KEYS = [t.key for t in THEOREMS if type(t).asks is not Theorem.asks]


def test_no_two_theorems_look_alike() -> None:
    found = styles(KEYS)
    assert len(KEYS) >= 15
    assert len({(s["color"], s["linestyle"]) for s in found}) == len(KEYS)
    papers = {key.partition("_")[0] for key in KEYS}
    assert len(papers) <= len(COLOURS)
    assert len({s["color"] for s in found}) == len(papers)
    assert len({s["marker"] for s in found[:15]}) == 15


def test_a_paper_has_one_colour_and_its_theorems_differ_in_dashes() -> None:
    one, other, again = styles(["pensia2020_first", "kumar2025_exact", "pensia2020_explicit"])
    assert one["color"] == again["color"] != other["color"]
    assert one["linestyle"] != again["linestyle"]
    assert len({one["marker"], other["marker"], again["marker"]}) == 3
