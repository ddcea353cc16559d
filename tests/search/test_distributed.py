"""DDP on two processes: the same masks on both, and those of one process that sees all data."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import ranks_program
import torch

if not torch.distributed.is_available():
    pytest.skip("this torch has no torch.distributed", allow_module_level=True)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each rank saw."""
    folder = tmp_path_factory.mktemp("ranks")
    started = [
        subprocess.Popen(
            [sys.executable, ranks_program.__file__, str(rank), str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(ranks_program.RANKS)
    ]
    try:
        said = [process.communicate(timeout=240)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [p.returncode for p in started] == [0, 0], "\n".join(said)
    return [torch.load(folder / f"{rank}.pt") for rank in range(ranks_program.RANKS)]


@pytest.mark.parametrize("kind", ["exact", "real"])
@pytest.mark.parametrize("name", ranks_program.SEARCHES)
def test_ranks_hold_the_same_masks(both: list[dict[str, Any]], name: str, kind: str) -> None:
    one, other = (seen[f"{name} {kind}"] for seen in both)
    assert len(one["masks"]) == len(other["masks"]) == ranks_program.STEPS
    for mine, theirs in zip(one["masks"], other["masks"], strict=True):
        assert all(torch.equal(mine[n], theirs[n]) for n in mine)
    assert all(torch.equal(s, other["scores"][n]) for n, s in one["scores"].items())
    assert one["kept"] == other["kept"]
    masks = [torch.cat([m.reshape(-1) for m in step.values()]) for step in one["masks"]]
    assert any(not torch.equal(masks[0], mask) for mask in masks[1:])  # something moved


@pytest.mark.parametrize("name", ["layer", "global", "iterand"])
def test_two_ranks_are_one_process(both: list[dict[str, Any]], name: str) -> None:
    alone = ranks_program.searched(name, True, None)
    for mine, theirs in zip(alone["masks"], both[0][f"{name} exact"]["masks"], strict=True):
        assert all(torch.equal(mine[n], theirs[n]) for n in mine)
    for n, score in alone["scores"].items():
        assert torch.equal(score, both[0][f"{name} exact"]["scores"][n])
    assert alone["kept"] == both[0][f"{name} exact"]["kept"]


@pytest.mark.parametrize("name", ["layer", "global"])
def test_two_ranks_are_one_process_to_rounding(both: list[dict[str, Any]], name: str) -> None:
    alone = ranks_program.searched(name, False, None)
    for n, score in alone["scores"].items():
        torch.testing.assert_close(score, both[1][f"{name} real"]["scores"][n])


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("weights", "ranks 0 and 1 differ in network"),
        ("scores", "ranks 0 and 1 differ in scores;"),
        ("density", "ranks 0 and 1 differ in density"),
        ("lr", "ranks 0 and 1 differ in hyperparameters;"),
        ("later", "ranks 0 and 1 differ in scores;"),
        ("frozen late", "waits for gradients of 4 parameters, and Network.sample froze all but 2"),
    ],
)
def test_ranks_that_begin_apart_are_refused(
    both: list[dict[str, Any]], what: str, says: str
) -> None:
    for seen in both:
        assert says in seen["refused"][what]


def test_ranks_that_begin_alike_are_not(both: list[dict[str, Any]]) -> None:
    for seen in both:
        for how in ("none", "later, none", "frozen first", "frozen late, looked for"):
            assert seen["refused"][how] == ""
