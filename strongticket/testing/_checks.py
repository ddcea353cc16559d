"""What a pruner is checked for: one function a promise, each with its name and its message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.testing import oracles
from strongticket.testing._cases import Bits, Call, Instance, array_of, frozen_weights, masks_of
from strongticket.testing._claims import Claims, NonconformityError
from strongticket.testing._pruners import Weights


def masks_are_binary(call: Call, claims: Claims, case: Instance) -> None:
    """Masks are 0/1, one of the right shape for every weight array."""
    call(case.weights, case.density, case.seed)


def weights_stay_frozen(call: Call, claims: Claims, case: Instance) -> None:
    """Kept weights are bit for bit the frozen ones: never changed, never copied from elsewhere."""
    pruned, given = call.raw(case.weights, case.density, case.seed)
    masks = masks_of(pruned, case.weights)
    for name, frozen in case.weights.items():
        if name not in given or np.asarray(given[name]).tobytes() != frozen.tobytes():
            raise NonconformityError(f"the pruner wrote into the frozen weights of {name}")
        if pruned.weights is None:
            continue
        effective = np.asarray(pruned.weights[name])
        if effective.shape != frozen.shape or effective.dtype != frozen.dtype:
            raise NonconformityError(
                f"the pruned {name} must be {frozen.dtype} of shape {frozen.shape}, got "
                f"{effective.dtype} of shape {effective.shape}"
            )
        wrong = effective != np.where(masks[name], frozen, np.float32(0))
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            wanted = frozen[at] if masks[name][at] else 0.0
            raise NonconformityError(
                f"{name}{list(at)} must be {wanted!r} after pruning (mask "
                f"{int(masks[name][at])}, frozen weight {frozen[at]!r}), got {effective[at]!r}"
            )


def density_is_met(call: Call, claims: Claims, case: Instance) -> None:
    """Exactly as many weights (or neurons) are kept as the claimed rule says."""
    for density in (case.density, _halfway(case, claims)):
        masks = call(case.weights, density, case.seed)
        counted = {name: _units(name, mask, claims) for name, mask in masks.items()}
        groups = counted if claims.scope == "layer" else {"all weights": _joined(counted)}
        for name, kept in groups.items():
            wanted, came = claims.count(density, kept.size), int(kept.sum())
            if came != wanted:
                raise NonconformityError(
                    f"density {density} of {kept.size} {claims.unit}s of {name} must keep "
                    f"{wanted}, kept {came}"
                )


def _halfway(case: Instance, claims: Claims) -> float:
    """A density half-way between two counts of one layer, or of all: there rules differ."""
    sizes = [w.size if claims.unit == "weight" else len(w) for w in case.weights.values()]
    total = max(sizes) if claims.scope == "layer" else sum(sizes)
    return (2 * (case.order % total) + 1) / (2 * total)


def _units(name: str, mask: NDArray[np.bool_], claims: Claims) -> NDArray[np.bool_]:
    if claims.unit == "weight":
        return mask.ravel()
    mixed = mask.any(1) & ~mask.all(1)
    if mixed.any():
        raise NonconformityError(
            f"neurons are claimed to be the unit, but row {int(mixed.argmax())} of {name} is kept "
            "in part"
        )
    return np.asarray(mask.all(1))


def _joined(parts: dict[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    return np.concatenate(list(parts.values()))


def density_one_keeps_all(call: Call, claims: Claims, case: Instance) -> None:
    """At density 1 nothing is pruned."""
    for name, mask in call(case.weights, 1.0, case.seed).items():
        if not mask.all():
            raise NonconformityError(f"density 1 must keep all of {name}, pruned {(~mask).sum()}")


def one_seed_one_mask(call: Call, claims: Claims, case: Instance) -> None:
    """The same weights, density and seed give the same mask again, whatever came between."""
    first = call(case.weights, case.density, case.seed)
    others = {name: -w[::-1, ::-1] for name, w in case.weights.items()}
    call(others, case.denser, case.seed + 1)
    second = call(case.weights, case.density, case.seed)
    _same(first, second, "called twice with one seed")


def seeds_differ(call: Call, claims: Claims, case: Instance) -> None:
    """Some two of twenty seeds give different masks of an 8 x 8 layer at half density."""
    weights = frozen_weights([(8, 8)], claims, case.order)
    masks = [call(weights, 0.5, seed) for seed in range(20)]
    if all((m["layers.0.weight"] == masks[0]["layers.0.weight"]).all() for m in masks):
        raise NonconformityError("masks are claimed to depend on the seed; 20 seeds gave one mask")


def masks_are_nested(call: Call, claims: Claims, case: Instance) -> None:
    """What one density keeps, a larger one keeps too."""
    sparse = call(case.weights, case.density, case.seed)
    dense = call(case.weights, case.denser, case.seed)
    for name, mask in sparse.items():
        lost = mask & ~dense[name]
        if lost.any():
            at = [int(i) for i in np.argwhere(lost)[0]]
            raise NonconformityError(
                f"{name}{at} is kept at density {case.density} and pruned at the larger "
                f"{case.denser}"
            )


def pruning_is_idempotent(call: Call, claims: Claims, case: Instance) -> None:
    """Pruning the pruned network again, at the same density, gives the same mask."""
    once = call(case.weights, case.density, case.seed)
    pruned = {n: np.where(once[n], w, np.float32(0)) for n, w in case.weights.items()}
    _same(once, call(pruned, case.density, case.seed), "pruned a second time")


def masks_move_with_neurons(call: Call, claims: Claims, case: Instance) -> None:
    """Hidden neurons renamed: the mask is renamed with them."""
    rng = np.random.default_rng((1, case.order))
    names = list(case.weights)
    sizes = [case.weights[names[0]].shape[1], *(case.weights[n].shape[0] for n in names)]
    moves = [np.arange(s) for s in sizes]
    for i in range(1, len(names)):
        moves[i] = rng.permutation(sizes[i]) if case.order else moves[i][::-1]

    def renamed(arrays: dict[str, Any]) -> dict[str, Any]:
        places = (np.ix_(moves[i + 1], moves[i]) for i in range(len(names)))
        return {n: np.ascontiguousarray(arrays[n][p]) for n, p in zip(names, places, strict=True)}

    before = call(case.weights, case.density, case.seed)
    after = call(renamed(case.weights), case.density, case.seed)
    _same(renamed(before), after, "with its hidden neurons renamed")


def scale_does_not_matter(call: Call, claims: Claims, case: Instance) -> None:
    """Positive factors (powers of two, so that nothing is rounded) leave the mask as it is."""
    rng = np.random.default_rng((2, case.order))
    scaled = dict(case.weights)
    whole = np.float32(2.0 ** int(rng.integers(1, 4)))
    for name in scaled:
        factor = np.float32(2.0 ** int(rng.integers(-3, 4)))
        if claims.scale_invariant != "neuron":
            scaled[name] = scaled[name] * (whole if claims.scale_invariant == "network" else factor)
    if claims.scale_invariant == "neuron":
        names = list(scaled)
        for before, after in pairwise(names):
            factors = np.exp2(rng.integers(-3, 4, len(scaled[before]))).astype(np.float32)
            scaled[before] = scaled[before] * factors[:, None]
            scaled[after] = scaled[after] / factors
    first = call(case.weights, case.density, case.seed)
    second = call(scaled, case.density, case.seed)
    _same(first, second, f"with every {claims.scale_invariant} scaled")


def wild_weights_are_refused(call: Call, claims: Claims, case: Instance) -> None:
    """A weight that is NaN or infinite raises an exception."""
    rng = np.random.default_rng((3, case.order))
    for wild in (np.nan, np.inf):
        weights = {name: w.copy() for name, w in case.weights.items()}
        name = list(weights)[int(rng.integers(len(weights)))]
        weights[name].ravel()[int(rng.integers(weights[name].size))] = wild
        _refused(call, weights, case.density, case.seed, f"a weight of {wild} in {name}")


def bad_densities_are_refused(call: Call, claims: Claims, case: Instance) -> None:
    """A density outside (0, 1] raises an exception."""
    for density in (0.0, -case.density, 1.0 + case.density, np.nan):
        _refused(call, case.weights, density, case.seed, f"density {density}")


def _refused(call: Call, weights: Weights, density: float, seed: int, what: str) -> None:
    try:
        pruned, _ = call.raw(weights, density, seed)
    except Exception:  # whatever the pruner raises: it did not answer
        return
    gave = type(pruned.masks).__name__
    if isinstance(pruned.masks, Mapping):
        kept = sum(int(np.count_nonzero(array_of(mask))) for mask in pruned.masks.values())
        gave = f"masks that keep {kept}"
    raise NonconformityError(f"{what} must raise an exception, gave {gave}")


def forward_is_masked(call: Call, claims: Claims, case: Instance) -> None:
    """The pruned module computes what the frozen weights times the mask compute, exactly."""
    pruned, _ = call.raw(case.weights, case.density, case.seed)
    if pruned.forward is None:
        return
    masks = masks_of(pruned, case.weights)
    layers = [
        (np.where(masks[n], w, np.float32(0)).tolist(), None) for n, w in case.weights.items()
    ]
    x = np.random.default_rng((4, case.order)).integers(-4, 5, (2, len(layers[0][0][0])))
    found = np.asarray(pruned.forward(x.astype(np.float64)))
    for row, came in zip(x.tolist(), found.tolist(), strict=True):
        wanted = [float(v) for v in oracles.forward(layers, row)]  # integers * 2^-24: exact
        if wanted != came:
            raise NonconformityError(f"at {row} the masked network gives {wanted}, got {came}")


def _same(first: Bits, second: Bits, when: str) -> None:
    for name, mask in first.items():
        if not np.array_equal(mask, second[name]):
            at = [int(i) for i in np.argwhere(mask != second[name])[0]]
            raise NonconformityError(
                f"{when}, the mask must stay the same; {name}{at} went from {int(mask[tuple(at)])} "
                f"to {int(second[name][tuple(at)])}"
            )


Run = Callable[[Call, Claims, Instance], None]


@dataclass(frozen=True)
class Check:
    """A promise: the function that tests it, and the claims under which it is made."""

    run: Run
    applies: Callable[[Claims], bool] = lambda claims: True

    @property
    def name(self) -> str:
        """The function's name."""
        return self.run.__name__


CHECKS: tuple[Check, ...] = (
    Check(masks_are_binary),
    Check(weights_stay_frozen),
    Check(density_is_met, lambda claims: claims.scope is not None),
    Check(density_one_keeps_all),
    Check(one_seed_one_mask),
    Check(forward_is_masked),
    Check(seeds_differ, lambda claims: claims.seeded),
    Check(masks_are_nested, lambda claims: claims.nested),
    Check(pruning_is_idempotent, lambda claims: claims.idempotent),
    Check(masks_move_with_neurons, lambda claims: claims.permutation_equivariant),
    Check(scale_does_not_matter, lambda claims: claims.scale_invariant is not None),
    Check(wild_weights_are_refused, lambda claims: claims.refuses_nan),
    Check(bad_densities_are_refused, lambda claims: claims.refuses_bad_density),
)


def applying(claims: Claims) -> Iterator[Check]:
    """The checks that a pruner with these claims must pass."""
    return (check for check in CHECKS if check.applies(claims))
