"""Exact selection: both engines against a stable sort, and integer keep counts."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from search_models import compiled_masks, oracle

from strongticket.errors import InputError, SearchError
from strongticket.search import keep_count, kernels, select, selection, selection_batched
from strongticket.search.selection import Ranking, masks

Array = NDArray[np.float32]
RANKINGS: tuple[Ranking, ...] = ("abs", "raw")

rng = np.random.default_rng(0)
CASES: dict[str, Array] = {
    "one": np.array([-0.5]),
    "zeros of both signs": np.array([0.0, -0.0, 0.0, -0.0, -0.0]),
    "constant": np.full(1000, 0.25),
    "constant, negative": np.full(1000, -0.25),
    "opposite signs": np.array([1.0, -1.0] * 50),
    "denormals": np.array([1e-45, -1e-45, 3e-45, 0.0, -4e-45, 1e-40, -0.0, 1e-38]),
    "extremes": np.array([3.4e38, -3.4e38, 1.2e-38, -1.2e-38, 0.0, 3.3e38]),
    "neighbours": np.nextafter(np.ones(300, np.float32), 2) - rng.integers(0, 3, 300) * 2.0**-23,
    "few values": rng.integers(-2, 3, 5000),
    "70 percent zeros": np.where(rng.random(2000) < 0.7, 0.0, rng.standard_normal(2000)),
    "normal": rng.standard_normal(30000),
    "uniform, matrix": rng.uniform(-0.03, 0.03, (120, 77)),
    "log-uniform": 10.0 ** rng.uniform(-44, 38, 20000) * rng.choice([-1, 1], 20000),
}
CASES = {name: np.asarray(case, np.float32) for name, case in CASES.items()}


def both(scores: list[Array], keep: int, ranking: Ranking) -> None:
    wanted = oracle(scores, keep, ranking)
    assert sum(int(m.sum()) for m in wanted) == keep
    by_torch = masks([torch.from_numpy(s) for s in scores], keep, ranking)
    for found, mask in zip(by_torch, wanted, strict=True):
        np.testing.assert_array_equal(found.numpy(), mask)
    for found, mask in zip(compiled_masks(scores, keep, ranking), wanted, strict=True):
        np.testing.assert_array_equal(found, mask)


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("name", CASES)
def test_selection_is_the_stable_sorts(name: str, ranking: Ranking) -> None:
    scores = CASES[name]
    for keep in sorted({1, 2, scores.size // 3, scores.size // 2, scores.size - 1, scores.size}):
        if 1 <= keep <= scores.size:
            both([scores], keep, ranking)


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_pooled_selection_is_that_of_the_concatenation(ranking: Ranking) -> None:
    several = [CASES["normal"], CASES["few values"], CASES["constant"], CASES["70 percent zeros"]]
    for keep in (1, 4, 900, 3000, 10000, 25000, sum(s.size for s in several)):
        both(several, keep, ranking)


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize(("largest", "most"), [(1, 9), (5000, 9), (1 << 24, 2), (1 << 24, 256)])
def test_many_tensors_with_counts_of_their_own_on_a_device(
    ranking: Ranking, largest: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one batch, in several, and each tensor alone: the masks of one tensor at a time."""
    monkeypatch.setattr(selection, "on_host", lambda tensor: False)
    monkeypatch.setattr(selection_batched, "LARGEST", largest)
    monkeypatch.setattr(selection_batched, "MOST", most)
    several = {name: torch.from_numpy(scores) for name, scores in CASES.items()}
    several["transposed"] = torch.randn(30, 70, generator=torch.Generator().manual_seed(1)).T
    for part in (1, 2, 3, 7, None):
        keep = {n: 1 if part is None else -(-s.numel() // part) for n, s in several.items()}
        found = select(several, keep, ranking)
        assert list(found) == list(several)
        for name, scores in several.items():
            wanted = oracle([scores.numpy()], keep[name], ranking)[0]
            np.testing.assert_array_equal(found[name].numpy(), wanted)
    with pytest.raises(
        InputError, match=r"keep must be in 1 \.\. 2100, the number of scores, got 0"
    ):
        select(several, {**keep, "transposed": 0}, ranking)


@pytest.mark.parametrize("ranking", RANKINGS)
def test_what_runs_on_a_device_gives_the_same_masks(
    ranking: Ranking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "on_host", lambda tensor: False)
    for scores in CASES.values():
        for keep in {1, -(-scores.size // 3), scores.size}:
            (mask,) = masks([torch.from_numpy(scores)], keep, ranking)
            np.testing.assert_array_equal(mask.numpy(), oracle([scores], keep, ranking)[0])
    several = [CASES["few values"], CASES["constant"], CASES["normal"]]
    found = masks([torch.from_numpy(s) for s in several], 5000, ranking)
    for mask, wanted in zip(found, oracle(several, 5000, ranking), strict=True):
        np.testing.assert_array_equal(mask.numpy(), wanted)


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("reach", [None, 0.0, 1e-42, 1e-3, 1.0, 1e38])
def test_a_hint_changes_nothing(reach: float | None, ranking: Ranking) -> None:
    for name in ("normal", "constant", "few values", "log-uniform", "extremes", "one"):
        scores = CASES[name]
        for keep in {1, -(-scores.size // 3), scores.size}:
            wanted = oracle([scores], keep, ranking)[0]
            least = np.abs(scores)[wanted] if ranking == "abs" else scores[wanted]
            bits = int(least.min().view(np.int32))
            near = bits if bits >= 0 else -(bits & 0x7FFFFFFF)  # where the cut is
            for key in (near, near + 5000, near - 1, 0, -near, 0x7F7FFFFF):
                hint = kernels.Hint(key, reach)
                (mask,) = compiled_masks([scores], keep, ranking, hint)
                np.testing.assert_array_equal(mask, wanted)


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), -float("nan")])
def test_a_hint_hides_no_score_that_is_not_finite(bad: float, ranking: Ranking) -> None:
    loops = kernels.compiled()
    assert loops is not None
    raw, keep = ranking == "raw", 4500
    for spoil in (False, True):
        scores = CASES["normal"].copy()
        ranked = np.sort(scores if raw else np.abs(scores))
        at_cut = int(ranked[-keep].view(np.int32))  # positive: some 15 percent are kept
        scores[np.argmax(scores)] = bad if spoil else 3e38
        refusals: list[str] = []
        refuse = partial(refusals.append, "refused")
        kernels.cut(loops, [scores.view(np.int32)], raw, keep, refuse, kernels.Hint(at_cut))
        assert refusals == ["refused"] * spoil


def test_a_hint_follows_the_cut() -> None:
    def key(score: float) -> int:
        return int(np.float32(score).view(np.int32))

    hint = kernels.Hint(key(0.5)).moved(key(0.75))
    assert hint == kernels.Hint(key(0.75), 1.0)
    assert hint.window() == (-key(0.25), key(1.75))
    assert kernels.Hint(-key(0.5), 1.0).window() == (-key(1.5), key(0.5))
    still = hint.moved(hint.key)
    assert still.window() == (hint.key - 1024, hint.key + 1024)
    # About zero a small reach is many keys, and a window never leaves the finite ones.
    assert kernels.Hint(0, 1e-6).window() == (-key(1e-6), key(1e-6))
    assert kernels.Hint(0x7F7FFFFF, 3e38).window()[1] == 0x7F800000
    low, high = kernels.Hint(key(0.5)).window()
    assert (low, high) == (key(0.5 - 0.5 / 256), key(0.5 + 0.5 / 256))


@given(
    scores=st.lists(
        st.lists(
            st.floats(width=32, allow_nan=False, allow_infinity=False)
            | st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0**-149]),
            min_size=1,
            max_size=12,
        ),
        min_size=1,
        max_size=3,
    ),
    ranking=st.sampled_from(RANKINGS),
    data=st.data(),
)
def test_any_scores(scores: list[list[float]], ranking: Ranking, data: st.DataObject) -> None:
    keep = data.draw(st.integers(1, sum(map(len, scores))))
    both([np.array(s, np.float32) for s in scores], keep, ranking)


def test_ties_keep_the_lower_index() -> None:
    mask = select({"w": torch.zeros(10)}, 3)["w"]
    assert mask.tolist() == [True] * 3 + [False] * 7
    first, second = select({"a": torch.ones(4), "b": torch.ones(4)}, 6).values()
    assert first.tolist() == [True] * 4
    assert second.tolist() == [True, True, False, False]


def test_abs_and_raw_ranking_differ() -> None:
    scores = {"w": torch.tensor([-3.0, 1.0, 2.0])}
    assert select(scores, 1, "abs")["w"].tolist() == [True, False, False]
    assert select(scores, 1, "raw")["w"].tolist() == [False, False, True]


def test_each_tensor_can_have_its_own_count() -> None:
    scores = {"a": torch.arange(4.0), "b": torch.arange(4.0)}
    found = select(scores, {"a": 1, "b": 3})
    assert [int(m.sum()) for m in found.values()] == [1, 3]


def test_a_selection_leaves_the_scores_alone() -> None:
    scores = torch.randn(100, generator=torch.Generator().manual_seed(0))
    before = scores.clone()
    select({"w": scores}, 7)
    assert torch.equal(scores, before)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_not_finite_raise_and_are_named(bad: float) -> None:
    scores = {"first": torch.ones(5), "second.weight": torch.tensor([1.0, bad, 2.0])}
    with pytest.raises(SearchError, match=r"'second\.weight' must be finite"):
        select(scores, 2)


@pytest.mark.parametrize("payload", [0x7F800000, 0x7F800001, 0x7FC00000, 0x7FFFFFFF])
@pytest.mark.parametrize("sign", [0, 0x80000000])
@pytest.mark.parametrize("raw", [False, True])
def test_the_histogram_never_misses_a_score_that_is_not_finite(
    payload: int, sign: int, raw: bool
) -> None:
    loops = kernels.compiled()
    assert loops is not None
    for bits, wanted in (([0, payload | sign], True), ([0x3F800000, 0xBF800000], False)):
        histogram = np.zeros(kernels.BINS, np.int64)
        loops.count(np.array(bits, np.uint32).view(np.int32), raw, histogram)
        assert kernels.suspicious(histogram) is wanted


@pytest.mark.parametrize(
    ("density", "total", "kept"),
    [
        (0.9, 10, 9),  # int((1 - k) n) keeps 10
        (0.9, 1000, 900),  # and 901
        (0.3, 10, 3),
        (0.15, 10, 2),  # 1.5, half up; in binary 0.15 is a little less
        (0.25, 10, 3),
        (0.25, 2, 1),
        (0.24, 2, 1),  # 0.48: at least one
        (1e-9, 5, 1),
        (1.0, 7, 7),
        (1, 7, 7),
        (Fraction(1, 3), 9, 3),
        (0.5, 1, 1),
        (0.1, 3_000_000_005, 300_000_001),
    ],
)
def test_keep_counts(density: float, total: int, kept: int) -> None:
    assert keep_count(density, total) == kept


@pytest.mark.parametrize("density", [0, 0.0, -0.5, 1.0000001, 2, float("nan"), float("inf"), "x"])
def test_densities_out_of_range(density: float) -> None:
    with pytest.raises(InputError, match="density is the fraction kept"):
        keep_count(density, 10)


def test_a_selection_by_another_rule_or_of_other_names() -> None:
    scores = {"w": torch.tensor([-3.0, 1.0, 2.0])}
    for ranking in ("ABS", "", None, True):
        with pytest.raises(InputError, match="ranking is 'abs' or 'raw'"):
            select(scores, 1, ranking)  # type: ignore[arg-type]
    for keep in ({}, {"v": 1}, {"v": 1, "w": 1}):
        with pytest.raises(InputError, match=r"a count for each of \['w'\]"):
            select(scores, keep)
    with pytest.raises(InputError, match="one parameter or more"):
        select({}, 1)
    both = select(scores | {"empty": torch.ones(0)}, 1)
    assert both["w"].tolist() == [True, False, False]


@pytest.mark.parametrize("keep", [0, -1, 4, 1.0, True, "1"])
def test_counts_out_of_range(keep: int) -> None:
    with pytest.raises(InputError, match=r"keep must be in 1 \.\. 3"):
        select({"w": torch.ones(3)}, keep)


def test_scores_of_another_dtype() -> None:
    with pytest.raises(InputError, match="ranked in float32"):
        select({"w": torch.ones(3, dtype=torch.float64)}, 1)


def test_no_entry_to_keep() -> None:
    with pytest.raises(InputError, match="an entry to keep"):
        keep_count(0.5, 0)
