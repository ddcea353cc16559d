"""`select` by the compiled loops and by torch: the same masks, and the same refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from search_models import mlp, oracle, search_of
from torch import Tensor

from strongticket.errors import InputError, SearchError
from strongticket.search import compiled_selection, kernels, select
from strongticket.search.selection import Ranking

RANKINGS: tuple[Ranking, ...] = ("abs", "raw")
rng = np.random.default_rng(1)


def floats(values: Any) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))


CASES: dict[str, Callable[[], dict[str, Tensor]]] = {
    "normal": lambda: {"w": floats(rng.standard_normal((50, 41)))},
    "ties": lambda: {"w": floats(rng.integers(-2, 3, 900))},
    "constant": lambda: {"w": torch.full((77,), -0.25)},
    "zeros of both signs": lambda: {"w": floats([0.0, -0.0, -0.0, 0.0, -1e-45, 1e-45] * 9)},
    "not contiguous": lambda: {"w": floats(rng.standard_normal((60, 30))).t()[::2, 1::3]},
    "several": lambda: {
        "a": floats(rng.integers(-3, 4, (20, 5))),
        "empty": torch.empty(0, 4),
        "b": torch.ones(50),
        "c": floats(rng.standard_normal((3, 4, 5))),
        "d": floats(rng.integers(-3, 4, 30)).expand(2, 30),
    },
    "parameters": lambda: {"w": torch.nn.Parameter(floats(rng.standard_normal(40)))},
}


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every selection is compiled; how many scores each had."""
    asked: list[int] = []
    cut = kernels.cut

    def counted(loops: Any, arrays: Any, *rest: Any) -> Any:
        asked.append(sum(array.size for array in arrays))
        return cut(loops, arrays, *rest)

    monkeypatch.setattr(compiled_selection, "LEAST", 1)
    monkeypatch.setattr(kernels, "cut", counted)
    return asked


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("case", CASES)
def test_the_masks_are_those_of_torch(case: str, ranking: Ranking, always: list[int]) -> None:
    scores = CASES[case]()
    before = {name: score.detach().clone() for name, score in scores.items()}
    total = sum(score.numel() for score in scores.values())
    for keep in sorted({1, 2, total // 3, total // 2, total - 1, total}):
        always.clear()
        found = select(scores, keep, ranking)
        assert always == [total]
        by_torch = select(scores, keep, ranking, backend="torch")
        assert always == [total]
        wanted = oracle([score.detach().numpy() for score in scores.values()], keep, ranking)
        assert list(found) == list(by_torch) == list(scores)
        for (name, mask), exact in zip(found.items(), wanted, strict=True):
            assert mask.dtype == torch.bool
            assert mask.shape == scores[name].shape
            assert not mask.requires_grad
            np.testing.assert_array_equal(mask.numpy(), exact)
            assert torch.equal(mask, by_torch[name])
    for name, score in scores.items():
        assert torch.equal(score, before[name])


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_count_for_each(ranking: Ranking, always: list[int]) -> None:
    scores = {"a": floats(rng.integers(-3, 4, 100)), "b": floats(rng.standard_normal((7, 9)))}
    keep = {"b": 20, "a": 55}
    found = select(scores, keep, ranking)
    assert always == [100, 63]
    assert list(found) == ["a", "b"]
    for name, mask in select(scores, keep, ranking, backend="torch").items():
        assert torch.equal(found[name], mask)
        assert int(mask.sum()) == keep[name]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), -float("nan")])
def test_what_is_not_finite_is_refused(bad: float, always: list[int]) -> None:
    scores = {"first": torch.ones(5), "second": torch.tensor([1.0, bad, 2.0])}
    for keep in (1, 2, 8, {"first": 1, "second": 1}):
        with pytest.raises(SearchError, match="'second' must be finite"):
            select(scores, keep)
    assert not always


@pytest.mark.usefixtures("always")
def test_bad_calls_are_those_of_torch() -> None:
    for keep in (0, -1, 4, 1.0, True, "1"):
        with pytest.raises(InputError, match=r"keep must be in 1 \.\. 3"):
            select({"w": torch.ones(3)}, keep)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"keep must be in 1 \.\. 0"):
        select({"w": torch.ones(3), "empty": torch.ones(0)}, {"w": 1, "empty": 1})
    with pytest.raises(InputError, match="ranked in float32"):
        select({"w": torch.ones(3, dtype=torch.float64)}, 1)
    with pytest.raises(InputError, match="backend is None or 'torch', got 'cuda'"):
        select({"w": torch.ones(3)}, 1, backend="cuda")  # type: ignore[arg-type]


def test_few_scores_wait_for_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "compiled", lambda: pytest.fail("compiled"))
    few = {"a": torch.ones(compiled_selection.LEAST - 1)}
    assert int(select(few, 5)["a"].sum()) == 5


def test_without_numba_torch_selects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_selection, "LEAST", 1)
    monkeypatch.setattr(kernels, "compiled", lambda: None)
    assert select({"w": torch.tensor([1.0, -3.0, 2.0])}, 1)["w"].tolist() == [False, True, False]


def test_a_search_looks_at_its_masks_by_the_compiled_loops(always: list[int]) -> None:
    search = search_of(mlp(12, 8, 3), density=0.5)
    always.clear()
    masks = search.masks()
    assert always == [96, 24]
    other = search_of(mlp(12, 8, 3), density=0.5, backend="torch")
    always.clear()
    for name, mask in other.masks().items():
        assert torch.equal(mask, masks[name])
    assert not always
