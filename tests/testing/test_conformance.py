"""Every promise of the suite is broken by a pruner made for it, and named by the failure."""

from __future__ import annotations

import subprocess
import sys
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils import prune as torch_prune

from strongticket.errors import InputError
from strongticket.search import keep_count, select
from strongticket.testing import (
    Claims,
    NonconformityError,
    Pruned,
    PrunerConformance,
    check_pruner,
    pruner_from_module,
    torch_pruner,
)
from strongticket.testing._checks import CHECKS
from strongticket.tickets import Mask

ALL = Claims(nested=True, idempotent=True, permutation_equivariant=True, scale_invariant="layer")
Weights = dict[str, Any]


def magnitude(weights: Weights, density: float) -> Weights:
    """A pruner that keeps all of ALL."""
    masks = {}
    for name, w in weights.items():
        if not np.isfinite(w).all():
            raise ValueError(f"{name} is not finite")
        order = np.argsort(-np.abs(w), axis=None, kind="stable")
        mask = np.zeros(w.size, np.bool_)
        mask[order[: keep_count(density, w.size)]] = True
        masks[name] = mask.reshape(w.shape)
    return masks


def test_a_good_pruner_passes() -> None:
    check_pruner(magnitude, ALL)
    check_pruner(magnitude)


def test_masks_may_come_in_any_form() -> None:
    for form in (
        lambda masks: {n: torch.from_numpy(m) for n, m in masks.items()},
        lambda masks: {n: m.astype(np.float32) for n, m in masks.items()},
        Mask.dense,
        Pruned,
    ):
        check_pruner(lambda w, d, form=form: form(magnitude(w, d)), ALL, examples=10)


def test_the_selection_of_the_mask_search_conforms() -> None:
    def layers(weights: Weights, density: float) -> Any:
        scores = {n: torch.from_numpy(w) for n, w in weights.items()}
        return select(scores, {n: keep_count(density, w.size) for n, w in weights.items()})

    def together(weights: Weights, density: float) -> Any:
        scores = {n: torch.from_numpy(w) for n, w in weights.items()}
        return select(scores, keep_count(density, sum(w.size for w in weights.values())))

    check_pruner(layers, ALL, examples=2)  # a histogram of 65,536 bins a tensor
    whole = Claims(
        scope="global",
        nested=True,
        idempotent=True,
        permutation_equivariant=True,
        scale_invariant="network",
    )
    check_pruner(together, whole, examples=2)
    with pytest.raises(NonconformityError, match=r"density_is_met: .* of layers\.0"):
        check_pruner(together, ALL, examples=2)


# ---- pruners that break one promise each


def _changed(change: Callable[[str, Any, Any, float], Any]) -> Callable[..., Weights]:
    """Magnitude pruning with every layer's mask replaced by change(name, mask, weight, density)."""

    def broken(weights: Weights, density: float) -> Weights:
        return {
            n: change(n, m, weights[n], density) for n, m in magnitude(weights, density).items()
        }

    return broken


def _halves(name: str, mask: Any, w: Any, density: float) -> Any:
    return mask * 0.5


def _flat(name: str, mask: Any, w: Any, density: float) -> Any:
    return mask.ravel()


def _writes(weights: Weights, density: float) -> Weights:
    masks = magnitude(weights, density)
    for name, mask in masks.items():
        weights[name] *= mask
    return masks


def _rescales(weights: Weights, density: float) -> Pruned:
    masks = magnitude(weights, density)
    return Pruned(masks, {n: w * masks[n] / np.float32(density) for n, w in weights.items()})


def _copies(weights: Weights, density: float) -> Pruned:
    masks = magnitude(weights, density)
    return Pruned(masks, {n: np.sort(w, axis=None).reshape(w.shape) for n, w in weights.items()})


def _leaves(weights: Weights, density: float) -> Pruned:
    return Pruned(magnitude(weights, density), weights)


def _widens(weights: Weights, density: float) -> Pruned:
    masks = magnitude(weights, density)
    return Pruned(masks, {n: (w * masks[n]).astype(np.float64) for n, w in weights.items()})


def _rounds(weights: Weights, density: float) -> Weights:
    """Round half to even, as Python's round does."""
    masks = {}
    for name, w in weights.items():
        magnitude({name: w}, density)
        keep = max(1, round(density * w.size))
        order = np.argsort(-np.abs(w), axis=None, kind="stable")
        mask = np.zeros(w.size, np.bool_)
        mask[order[:keep]] = True
        masks[name] = mask.reshape(w.shape)
    return masks


def _drops_one(name: str, mask: Any, w: Any, density: float) -> Any:
    out = mask.copy()
    if density == 1.0 and mask.size > 3:
        out.ravel()[0] = False
    return out


def _never_same() -> Callable[..., Weights]:
    rng = np.random.default_rng(0)

    def broken(weights: Weights, density: float) -> Weights:
        scores = {n: rng.random(w.shape) for n, w in weights.items()}
        magnitude(weights, density)
        return magnitude(scores, density)

    return broken


def _remembers() -> Callable[..., Weights]:
    """Ranks by a running mean of all the magnitudes that it was ever shown."""
    mean: Weights = {}

    def broken(weights: Weights, density: float) -> Weights:
        for name, w in weights.items():
            old = mean.get(name)
            old = np.abs(w) if old is None or old.shape != w.shape else old
            mean[name] = 0.5 * old + 0.5 * np.abs(w)
        magnitude(weights, density)
        return magnitude({n: mean[n] for n in weights}, density)

    return broken


def _forgets(weights: Weights, density: float) -> Weights:
    masks = magnitude(weights, density)
    weights.clear()
    return masks


def _none_of_nan(weights: Weights, density: float) -> Any:
    return (
        magnitude(weights, density)
        if all(np.isfinite(w).all() for w in weights.values())
        else (None)
    )


def _sure_of_nan(weights: Weights, density: float) -> Any:
    return Mask.dense(_nan_last(weights, density))


def _by_position(weights: Weights, density: float) -> Weights:
    magnitude(weights, density)
    return magnitude(
        {n: np.arange(w.size, 0, -1).reshape(w.shape) for n, w in weights.items()}, density
    )


def _alternates(weights: Weights, density: float) -> Weights:
    """The largest at some densities, the smallest at others."""
    flip = keep_count(density, 100) % 2 == 1
    magnitude(weights, density)
    return magnitude(
        {n: 1 / np.abs(w) if flip and w.all() else w for n, w in weights.items()}, density
    )


def _smallest(weights: Weights, density: float) -> Weights:
    magnitude(weights, density)
    return magnitude({n: 1000 - np.abs(w) for n, w in weights.items()}, density)


def _absolute(weights: Weights, density: float) -> Weights:
    """Nearest to 1/8, whatever the scale."""
    magnitude(weights, density)
    return magnitude(
        {n: 1 / (1e-3 + np.abs(np.abs(w) - 0.125)) for n, w in weights.items()}, density
    )


def _nan_last(weights: Weights, density: float) -> Weights:
    return magnitude({n: np.nan_to_num(w) for n, w in weights.items()}, density)


def _clips(weights: Weights, density: float) -> Weights:
    return magnitude(weights, float(np.clip(np.nan_to_num(density), 1e-3, 1.0)))


def _deaf(weights: Weights, density: float, seed: int) -> Weights:
    return magnitude(weights, density)


def _wrong_forward(weights: Weights, density: float) -> Pruned:
    masks = magnitude(weights, density)

    def forward(x: Any) -> Any:
        *hidden, last = weights.values()  # the masks are forgotten
        for w in hidden:
            x = np.maximum(x @ w.T.astype(np.float64), 0)
        return x @ last.T.astype(np.float64)

    return Pruned(masks, None, forward)


BROKEN: list[tuple[str, Any, Claims, str]] = [
    ("masks_are_binary", _changed(_halves), Claims(), "must hold 0 and 1 alone"),
    ("masks_are_binary", _changed(_flat), Claims(), r"must have its shape \(1, 1\), got \(1,\)"),
    ("masks_are_binary", lambda w, d: {}, Claims(), "must name the weights"),
    ("masks_are_binary", lambda w, d: {n: ["x"] * 1 for n in w}, Claims(), "shape"),
    ("masks_are_binary", lambda w, d: None, Claims(), "must return masks by name .* NoneType"),
    ("masks_are_binary", lambda w, d: list(w.values()), Claims(), "got list"),
    ("weights_stay_frozen", _forgets, Claims(), "wrote into the frozen weights"),
    ("weights_stay_frozen", _writes, Claims(), "wrote into the frozen weights"),
    ("weights_stay_frozen", _rescales, Claims(), r"must be .* after pruning \(mask 1"),
    ("weights_stay_frozen", _copies, Claims(), "after pruning"),
    ("weights_stay_frozen", _leaves, Claims(), r"must be 0\.0 after pruning \(mask 0"),
    ("weights_stay_frozen", _widens, Claims(), "must be float32"),
    ("density_is_met", _rounds, Claims(), r"density [0-9.]+ of [0-9]+ weights of .* must keep"),
    ("density_is_met", magnitude, Claims(scope="global"), "of all weights must keep"),
    ("density_is_met", magnitude, Claims(unit="neuron"), "kept in part"),
    ("density_one_keeps_all", _changed(_drops_one), Claims(scope=None), "must keep all of"),
    ("one_seed_one_mask", _never_same(), Claims(), "called twice with one seed"),
    ("one_seed_one_mask", _remembers(), Claims(), "called twice with one seed"),
    ("seeds_differ", _deaf, Claims(seeded=True), "20 seeds gave one mask"),
    ("masks_are_nested", _alternates, Claims(nested=True), "pruned at the larger"),
    ("pruning_is_idempotent", _smallest, Claims(idempotent=True), "a second time"),
    ("masks_move_with_neurons", _by_position, Claims(permutation_equivariant=True), "renamed"),
    ("scale_does_not_matter", _absolute, Claims(scale_invariant="layer"), "every layer scaled"),
    ("scale_does_not_matter", _absolute, Claims(scale_invariant="network"), "network scaled"),
    ("scale_does_not_matter", magnitude, Claims(scale_invariant="neuron"), "neuron scaled"),
    ("wild_weights_are_refused", _nan_last, Claims(), "a weight of nan in .* must raise"),
    ("wild_weights_are_refused", _none_of_nan, Claims(), "gave NoneType"),
    ("wild_weights_are_refused", _sure_of_nan, Claims(), "gave masks that keep 1"),
    ("bad_densities_are_refused", _clips, Claims(), "density .* must raise"),
    ("forward_is_masked", _wrong_forward, Claims(), "the masked network gives"),
]


@pytest.mark.parametrize(("check", "pruner", "claims", "says"), BROKEN)
def test_a_broken_pruner_is_caught_by_name(
    check: str, pruner: Any, claims: Claims, says: str
) -> None:
    with pytest.raises(NonconformityError, match=says) as caught:
        check_pruner(pruner, claims)
    assert str(caught.value).startswith(f"{check}: ")
    assert isinstance(caught.value, AssertionError)


def test_every_check_has_a_pruner_that_breaks_it() -> None:
    assert {check for check, *_ in BROKEN} == {check.name for check in CHECKS}


def test_the_ten_lines_of_the_tutorial_are_the_test_beside_this_one() -> None:
    here = Path(__file__).parent
    lines = (here / "test_torch_prune.py").read_text("utf-8")
    assert f"```python\n{lines}```" in (here.parents[1] / "docs/testing.md").read_text("utf-8")
    assert len([line for line in lines.splitlines() if line]) == 10


def test_a_failure_comes_shrunk() -> None:
    with pytest.raises(NonconformityError, match=r"density 0\.05 of 1 weights of layers\.0"):
        check_pruner(lambda w, d: {n: np.zeros_like(m) for n, m in magnitude(w, 0.5).items()})


def test_a_pruner_that_fails_only_once_is_not_deterministic() -> None:
    calls = []

    def moody(weights: Weights, density: float) -> Weights:
        calls.append(density)
        masks = magnitude(weights, density)
        return {n: m * 0.5 for n, m in masks.items()} if len(calls) == 5 else masks

    with pytest.raises(NonconformityError, match="must be a function of these"):
        check_pruner(moody)


def test_counts_may_follow_another_rule() -> None:
    def rule(density: float, total: int) -> int:
        magnitude({"w": np.ones(total)}, density)
        return max(1, round(density * total))

    check_pruner(_rounds, Claims(count=rule))


def test_an_error_of_the_pruner_is_not_hidden() -> None:
    def wrong(weights: Weights, density: float) -> Weights:
        raise ZeroDivisionError("no such luck")

    with pytest.raises(ZeroDivisionError) as caught:
        check_pruner(wrong)
    assert any("masks_are_binary" in note for note in caught.value.__notes__)


def test_extra_checks_run_under_their_names() -> None:
    seen = []

    def at_least_half(prune: Any, case: Any) -> None:
        masks = prune(case.weights, case.density, case.seed)
        seen.append(masks)
        if sum(m.sum() for m in masks.values()) > 8:
            raise NonconformityError("too many")

    with pytest.raises(NonconformityError, match="few are kept: too many"):
        check_pruner(magnitude, extra={"few are kept": at_least_half})
    assert all(m.dtype == np.bool_ for m in seen[0].values())


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: check_pruner(3), "needs a function"),
        (lambda: Claims(scope="row"), "scope is one of"),
        (lambda: Claims(unit="channel"), "unit is one of"),
        (lambda: Claims(scale_invariant=True), "scale_invariant is one of"),
        (lambda: torch_pruner(print), "torch.nn.utils.prune"),
    ],
)
def test_bad_calls_say_what_was_needed(call: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        call()


# ---- adapters


def _in_place(model: torch.nn.Module, density: float) -> None:
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, torch.nn.Linear):
                (mask,) = magnitude({"w": layer.weight.numpy()}, density).values()
                layer.weight *= torch.from_numpy(mask)


def test_modules_pruned_in_place() -> None:
    check_pruner(pruner_from_module(_in_place), ALL)

    def returned(model: torch.nn.Module, density: float) -> torch.nn.Module:
        _in_place(model, density)
        return torch.nn.Sequential(*model)

    check_pruner(pruner_from_module(returned), ALL, examples=20)


def test_an_in_place_pruner_that_rescales_is_caught() -> None:
    def rescaled(model: torch.nn.Module, density: float) -> None:
        _in_place(model, density)
        with torch.no_grad():
            model[0].weight /= density

    with pytest.raises(NonconformityError, match="weights_stay_frozen"):
        check_pruner(pruner_from_module(rescaled))


def test_a_module_that_lost_its_mask_is_caught() -> None:
    def forgotten(model: torch.nn.Module, density: float) -> None:
        for layer in model:
            if isinstance(layer, torch.nn.Linear):
                amount = layer.weight.numel() - keep_count(density, layer.weight.numel())
                torch_prune.l1_unstructured(layer, "weight", amount=amount)
                layer._forward_pre_hooks.clear()
                layer.register_forward_pre_hook(
                    lambda m, _: setattr(m, "weight", m.weight_orig)  # the mask is dropped
                )

    with pytest.raises(NonconformityError, match="forward_is_masked"):
        check_pruner(pruner_from_module(forgotten), Claims(refuses_nan=False))


def test_a_module_that_lost_its_layers_is_refused() -> None:
    def emptied(model: torch.nn.Module, density: float) -> torch.nn.Module:
        return torch.nn.Identity()

    with pytest.raises(InputError, match="must have the 1 Linear layers"):
        check_pruner(pruner_from_module(emptied))


def test_the_global_random_numbers_of_torch_are_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    check_pruner(
        torch_pruner(torch_prune.random_unstructured), Claims(refuses_nan=False), examples=5
    )
    assert torch.equal(before, torch.get_rng_state())


def test_torch_keeps_nan_as_the_largest() -> None:
    """The page on testing says so; where torch changes it, the page must."""
    with pytest.raises(NonconformityError, match="wild_weights_are_refused: a weight of nan"):
        check_pruner(torch_pruner(torch_prune.l1_unstructured))


# ---- the test class


class TestMagnitude(PrunerConformance):
    claims = ALL
    examples = 20

    def prune(self, weights: Weights, density: float, seed: int) -> Any:
        return magnitude(weights, density)


def test_the_class_has_a_test_for_every_check() -> None:
    tests = {n.removeprefix("test_") for n in dir(PrunerConformance) if n.startswith("test_")}
    assert tests == {check.name for check in CHECKS}


def test_the_class_runs_under_unittest_and_skips_what_is_not_claimed() -> None:
    class Broken(PrunerConformance, unittest.TestCase):
        examples = 30

        def prune(self, weights: Weights, density: float, seed: int) -> Any:
            return _rounds(weights, density)

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Broken).run(result)
    assert result.testsRun == len(CHECKS)
    assert [case.id().rpartition(".")[2] for case, _ in result.failures] == ["test_density_is_met"]
    assert not result.errors
    assert sorted(reason for _, reason in result.skipped) == [
        "not claimed: masks_are_nested",
        "not claimed: masks_move_with_neurons",
        "not claimed: pruning_is_idempotent",
        "not claimed: scale_does_not_matter",
        "not claimed: seeds_differ",
    ]


def test_without_a_pruner_the_class_says_so() -> None:
    with pytest.raises(NotImplementedError, match="prune"):
        PrunerConformance().test_masks_are_binary()


def test_a_numpy_pruner_is_checked_without_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from strongticket.testing import check_pruner, Claims\n"
        "check_pruner(lambda w, d: {n: np.ones(x.shape, bool) for n, x in w.items()},\n"
        "    Claims(scope=None, refuses_nan=False, refuses_bad_density=False), examples=3)\n"
        "print(*(n for n in ('torch', 'numba', 'cvxpy') if n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_page_on_testing_shows_the_test_of_ten_lines() -> None:
    here = Path(__file__)
    shown = (here.parents[2] / "docs" / "testing.md").read_text("utf-8")
    file = (here.parent / "test_torch_prune.py").read_text("utf-8")
    assert f"```python\n{file}```" in shown
    function = file[file.index("def test_torch_prune") :]
    assert len(function.strip().split("\n")) <= 10
