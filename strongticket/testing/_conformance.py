"""`check_pruner`, one line for a whole suite, and `PrunerConformance`, the same as a test class."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Flaky

from strongticket.errors import InputError
from strongticket.testing._cases import Call, Instance, instances
from strongticket.testing._checks import CHECKS, Check, applying
from strongticket.testing._claims import Claims, NonconformityError
from strongticket.testing._pruners import Pruner, Weights

Extra = Callable[[Call, Instance], None]


def check_pruner(
    prune: Pruner,
    claims: Claims | None = None,
    *,
    examples: int | None = None,
    extra: Mapping[str, Extra] | None = None,
) -> None:
    """Hold a pruning function to its claims on random frozen networks; silent where all is well.

    The same cases at every run, each failure shrunk to a small one.

    Args:
        prune: ``prune(weights, density)`` or ``prune(weights, density, seed)``; weights are a dict
            of float32 arrays (d_out, d_in), "layers.0.weight" first. It returns masks by name
            (bool or 0/1, NumPy or torch) or `Pruned`. For functions that prune a torch module in
            place see `pruner_from_module` and `torch_pruner`.
        claims: what it claims; None: `Claims()`.
        examples: cases a check; None: a quarter of what the Hypothesis profile says.
        extra: more checks by name, each called with (pruner, instance): ``pruner(weights, density,
            seed)`` gives boolean masks; a check raises where something is wrong.

    Raises:
        NonconformityError: an AssertionError with the check's name and what came.
    """
    claims = Claims() if claims is None else claims
    if not callable(prune):
        raise InputError(
            f"check_pruner needs a function (weights, density) -> masks, got {prune!r}"
        )
    for check in applying(claims):
        hold(check, prune, claims, examples)
    for name, run in (extra or {}).items():
        hold(_extra(name, run), prune, claims, examples)


def hold(check: Check, prune: Pruner, claims: Claims, examples: int | None) -> None:
    """Run one check on as many instances as asked; its name goes before what it says."""
    call = Call(prune)
    most = max(10, settings().max_examples // 4) if examples is None else examples

    @settings(
        max_examples=most,
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.nested_given],
    )
    @given(instances(claims))
    def conforms(instance: Instance) -> None:
        try:
            check.run(call, claims, instance)
        except NonconformityError as error:
            raise NonconformityError(f"{check.name}: {error}") from None

    try:
        conforms()
    except NonconformityError:
        raise
    except Flaky as error:  # it failed, and did not fail again
        found = [e for e in getattr(error, "exceptions", ()) if isinstance(e, NonconformityError)]
        said = found[0] if found else f"{check.name}: {error}"
        raise NonconformityError(
            f"{said}; and not again with the same weights, density and seed: the pruner must be a "
            "function of these"
        ) from error
    except Exception as error:
        error.add_note(f"raised by the pruner during the check {check.name!r}")
        raise


def _extra(name: str, run: Extra) -> Check:
    def checked(call: Call, claims: Claims, instance: Instance) -> None:
        run(call, instance)

    checked.__name__ = name
    return Check(checked)


class PrunerConformance:
    """The suite of `check_pruner` as a test class: subclass it, set `claims`, give `prune`.

    Every check is a test of its own, and what is not claimed is skipped. Works under pytest, and
    under unittest with ``class TestMine(PrunerConformance, unittest.TestCase)``.
    """

    claims: ClassVar[Claims] = Claims()
    examples: ClassVar[int | None] = None

    def prune(self, weights: Weights, density: float, seed: int) -> Any:
        """The pruning function under test, as `check_pruner` takes it."""
        raise NotImplementedError("give the suite a method prune(self, weights, density, seed)")

    def hold(self, name: str) -> None:
        """Run the check of that name, or skip it where it is not claimed."""
        check = next(check for check in CHECKS if check.name == name)
        if not check.applies(self.claims):
            raise unittest.SkipTest(f"not claimed: {name}")
        hold(check, self.prune, self.claims, self.examples)

    def test_masks_are_binary(self) -> None:
        """Masks are 0/1, one of the right shape for every weight array."""
        self.hold("masks_are_binary")

    def test_weights_stay_frozen(self) -> None:
        """Kept weights are bit for bit the frozen ones."""
        self.hold("weights_stay_frozen")

    def test_density_is_met(self) -> None:
        """Exactly as many are kept as the claimed rule says."""
        self.hold("density_is_met")

    def test_density_one_keeps_all(self) -> None:
        """At density 1 nothing is pruned."""
        self.hold("density_one_keeps_all")

    def test_one_seed_one_mask(self) -> None:
        """The same weights, density and seed give the same mask again."""
        self.hold("one_seed_one_mask")

    def test_forward_is_masked(self) -> None:
        """The pruned module computes the masked network."""
        self.hold("forward_is_masked")

    def test_seeds_differ(self) -> None:
        """Some two seeds give different masks."""
        self.hold("seeds_differ")

    def test_masks_are_nested(self) -> None:
        """What one density keeps, a larger one keeps too."""
        self.hold("masks_are_nested")

    def test_pruning_is_idempotent(self) -> None:
        """Pruning the pruned network again gives the same mask."""
        self.hold("pruning_is_idempotent")

    def test_masks_move_with_neurons(self) -> None:
        """Hidden neurons renamed: the mask is renamed with them."""
        self.hold("masks_move_with_neurons")

    def test_scale_does_not_matter(self) -> None:
        """Positive factors leave the mask as it is."""
        self.hold("scale_does_not_matter")

    def test_wild_weights_are_refused(self) -> None:
        """A weight that is NaN or infinite raises an exception."""
        self.hold("wild_weights_are_refused")

    def test_bad_densities_are_refused(self) -> None:
        """A density outside (0, 1] raises an exception."""
        self.hold("bad_densities_are_refused")
