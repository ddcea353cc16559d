"""Blocks of random features with bounded coefficients become one pruned network, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from strongticket.bounds import Bound
from strongticket.theorems._evidence import (
    CAN_REFUTE,
    SHOWS_CASE,
    Effort,
    Row,
    algebra,
    failures,
    slope,
)
from strongticket.theorems._selection import (
    MOST_STEPS,
    C,
    Case,
    Integers,
    Selection,
    Values,
    delta,
    draw,
    k_0,
    least_blocks,
    s,
    steepness,
)

BLOCKS_STEEP = steepness(C, k_0, delta)


def blocks_bound() -> Bound:
    """n, for `Features`."""
    value = least_blocks(C, BLOCKS_STEEP)
    return Bound(
        "n",
        value,
        "sufficient",
        domain=(sympy.Le(delta, 1), sympy.Le(s * BLOCKS_STEEP, MOST_STEPS)),
        meanings=(
            ("B", "largest value of a feature at a sample point"),
            ("C", "largest magnitude of a coefficient"),
            ("k_0", "random features of a block"),
            ("m", "sample points"),
            ("t", "what pruning may add to the loss"),
            ("delta", "failure probability of the random output weights"),
            ("s", "scale of the law of the output weights"),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Features(Selection):
    """n blocks of k_0 random features with bounded coefficients become one pruned network."""

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """Algebra, a network at the stated width, failures over seeds, growth with 1/t."""
        if false_width:
            yield self._single_block(effort)
            return
        yield self._identities()
        cases = []
        for i, accuracy in enumerate((Fraction(1, 4), Fraction(1, 100), Fraction(1, 2000))):
            for scale in (Fraction(1, 1 << (5 + 7 * i)), Fraction(1, 1 << (9 + 7 * i))):
                given = (Fraction(3, 2), Fraction(2), 5, 7, Fraction(1, 10), accuracy, scale)
                names = ("B", "C", "k_0", "m", "delta", "t", "s")
                values: Values = dict(zip(names, given, strict=True))
                cases.append((self.bound(**values), given))
        yield self.bernstein(cases)
        yield self._converse()
        for accuracy in (Fraction(1, 4), Fraction(1, 16))[: effort.pick(1, 2)]:
            yield self._built(accuracy)
        yield self._seeds(effort.pick(40, 400))
        yield self._growth(effort.pick(16, 60))

    def _case(self, accuracy: Fraction, probability: Fraction) -> tuple[Case, int]:
        """The single neuron relu(x_1 - x_2) on five points of the plane, k_0 = 4, C = 1/2."""
        points = np.array([[16, 0], [8, -8], [-8, 8], [0, -16], [4, 12]], np.int64)
        labels = tuple(Fraction(max(int(a - b), 0), 32) for a, b in points)
        values: Values = {
            "B": Fraction(1),
            "C": Fraction(1, 2),
            "k_0": 4,
            "m": len(points),
            "t": accuracy,
            "delta": probability,
        }
        scale = self.best_scale(**values)
        return Case(points, labels, 4, Fraction(1, 2), accuracy, scale), self.width(
            **values, s=scale
        )

    @staticmethod
    def _coefficients(case: Case, features: Integers) -> tuple[Any, list[Fraction]]:
        """For every block coefficients within [-C, C], multiples of 2^-10; and their exact losses.

        They come from a ridge regression; the theorem takes any.
        """
        blocks = features.reshape(-1, case.per_block, features.shape[1])
        z = blocks * 2.0**-28
        y = np.array([float(v) for v in case.labels])
        gram = np.einsum("bim,bjm->bij", z, z) + 0.05 * np.eye(case.per_block)
        best = np.linalg.solve(gram, np.einsum("bim,m->bi", z, y)[..., None])[..., 0]
        units = np.rint(np.clip(best, -0.5, 0.5) * 1024).astype(np.int64)
        made = np.einsum("bi,bim->bm", units, blocks)  # times 2^-38, below 2^42
        goal = np.array([int(v * (1 << 38)) for v in case.labels], np.int64)
        worst = np.abs(goal - made).max(axis=1)
        return (units / 1024).reshape(-1), [Fraction(int(v), 1 << 38) for v in worst]

    def _pruned(self, accuracy: Fraction, probability: Fraction, seed: int, blocks: int = 0) -> Any:
        """(worst residual, what is claimed for it, blocks, the random features' mean loss)."""
        case, stated = self._case(accuracy, probability)
        n = blocks or stated
        features = case.features(n * case.per_block, seed)
        coefficients, losses = self._coefficients(case, features)
        mean = sum(losses, Fraction(0)) / n
        outputs = case.outputs(features, coefficients, n, seed)
        return case.worst(outputs), mean + accuracy + case.slack(n), n, mean

    def _built(self, accuracy: Fraction) -> Row:
        found, claimed, n, mean = self._pruned(accuracy, Fraction(1, 100), seed=1)
        return Row(
            "construction",
            f"single neuron, t = {accuracy}, delta 0.01: {n} blocks of 4 neurons, pruned",
            f"worst residual at most {float(mean):.4f} + t + beta = {float(claimed):.4f}",
            f"{float(found):.4f}, exactly; random features {float(mean):.4f} on average",
            found > claimed,
            SHOWS_CASE,
        )

    def _seeds(self, trials: int) -> Row:
        failed = 0
        for seed in range(trials):
            found, claimed, n, _ = self._pruned(Fraction(1, 4), Fraction(1, 2), seed=seed)
            failed += found > claimed
        return failures(f"t = 1/4, delta 0.5: {n} blocks, one network a seed", 0.5, failed, trials)

    def _growth(self, trials: int) -> Row:
        """The least power of two of blocks from which on the rule reaches t."""
        accuracies = [Fraction(1, 1 << k) for k in (3, 4, 5)]
        least: list[list[float]] = [[] for _ in accuracies]
        for seed in range(trials):
            errors = []
            for power in range(3, 13):
                base, _ = self._case(Fraction(1, 4), Fraction(1, 2))
                n = 1 << power
                case = Case(base.points, base.labels, 4, base.limit, Fraction(0), Fraction(2, n))
                features = case.features(4 * n, seed)
                c, _ = self._coefficients(case, features)
                goal = features.T @ np.rint(c * 1024).astype(np.int64)
                made = case.outputs(features, c, n, seed)
                pairs = zip(made, goal.tolist(), strict=True)
                errors.append(max(abs(a - Fraction(b, n << 38)) for a, b in pairs))
            for found, accuracy in zip(least, accuracies, strict=True):
                late = [i for i, error in enumerate(errors) if error > accuracy]
                found.append(float(3 + (late[-1] + 1 if late else 0)))
        return slope(
            "log2 of the blocks that reach t by the rule, against log2(1/t)", [3, 4, 5], least, 2.0
        )

    @staticmethod
    def _converse() -> Row:
        """A neuron mask is a random-feature predictor with coefficients 0 or u_j."""
        from strongticket.optimal import Loss, OneHidden, masked_loss
        from strongticket.tickets import Mask

        random = np.random.default_rng(0)
        equal = 0
        for _ in range(50):
            w, u = random.integers(-9, 10, (4, 2)), random.integers(-9, 10, 4)
            x, y = random.integers(-9, 10, (5, 2)), random.integers(-9, 10, 5)
            kept = random.random(4) < 0.5
            mask = Mask.dense(
                {
                    "layers.0.weight": np.repeat(kept[:, None], 2, axis=1),
                    "layers.1.weight": kept[None, :],
                }
            )
            one = masked_loss(OneHidden(w, u), mask, x, y, Loss.WORST_CASE)
            equal += one == masked_loss(OneHidden(w, u * kept), Mask({}), x, y, Loss.WORST_CASE)
        name = "conversely, a neuron mask is random features with coefficients 0 or u_j"
        return algebra(name, (equal == 50, f"{equal} of 50 masks, exactly"), SHOWS_CASE)

    def _single_block(self, effort: Effort) -> Row:
        """One block of 4 neurons has 16 masks; none of them comes within eps + t."""
        accuracy, trials, failed = Fraction(1, 16), effort.trials(60, 300), 0
        for seed in range(trials):
            case, _ = self._case(accuracy, Fraction(1, 100))
            case = Case(case.points, case.labels, 4, case.limit, accuracy, Fraction(1))
            features = case.features(4, seed)
            _, (loss,) = self._coefficients(case, features)
            units = draw(seed, "output", (4,))
            kept = (np.arange(16)[:, None] >> np.arange(4)) & 1
            sums = (kept * units) @ features
            best = min(case.worst([Fraction(int(v), 1 << 52) for v in row]) for row in sums)
            failed += best > loss + accuracy + case.slack(1)
        name = "false on purpose, t = 1/16, delta 0.01: one block, best of all 16 masks"
        return failures(name, 0.01, failed, trials, CAN_REFUTE)
