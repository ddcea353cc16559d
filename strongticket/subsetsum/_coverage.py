"""`coverage`: how near every number of an interval has a subset sum, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, Unpack, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strongticket.errors import InputError
from strongticket.subsetsum._backend import Backend, backend_of
from strongticket.subsetsum._inputs import Candidates, Products, as_numbers, batch
from strongticket.subsetsum._keys import Batch, Floats, Integers, Keys
from strongticket.subsetsum._refusals import finite
from strongticket.subsetsum._work import Options, check_options, over_runs, plan_runs, stops
from strongticket.subsetsum.torch_door import refuse_tensors

MOST_COVERED = 26
"""The most candidates whose sums `coverage` walks through: 2^25 of them are held, 256 MiB."""
_NONE = 1 << 62  # as the kernels have it: no sum there
_RUN = 21  # some 2^21 sums a run: milliseconds

Doubled: TypeAlias = tuple[Integers, Floats]
"""Twice a distance in grid units: an integer, and what a fraction in [-1, 1] adds to it."""


@dataclass(frozen=True, eq=False)
class Coverage:
    r"""How far the points of [-R, R] lie from their nearest subset sums, row by row.

    Attributes:
        epsilon: float64, :math:`\max_{|z| \le R} \min_m |z - \sum_j m_j a_j|`, the exact value
            rounded up to float64.
        worst: float64, a point of [-R, R] where it is attained, the exact point (often half way
            between two sums) rounded to nearest. Where several are equally far, the same one on
            every backend.

    Both have the shape of R: (M,), or (1,) where one row of candidates and one number were given.
    """

    epsilon: NDArray[np.float64]
    worst: NDArray[np.float64]

    def good(self, epsilon: ArrayLike) -> NDArray[np.bool_]:
        """Whether every point of [-R, R] has a subset sum within `epsilon`, exactly.

        Rounding decides nothing here: a float64 is at least a number where it is at least that
        number rounded up.

        Args:
            epsilon: a number or of the rows' shape, at least 0; integers must be float64 numbers.

        Raises:
            InputError: NaN, negative, another shape, or an integer that no float64 equals.
        """
        given = as_numbers("epsilon", epsilon)
        wide = _float("epsilon", given)
        if wide.shape not in ((), self.epsilon.shape):
            raise InputError(
                f"epsilon must be a number or have shape {self.epsilon.shape}, got {wide.shape}"
            )
        if not (wide >= 0).all():
            raise InputError(f"epsilon must be at least 0, got {wide.min()}")
        return self.epsilon <= wide

    def __len__(self) -> int:
        return len(self.epsilon)

    def __repr__(self) -> str:
        head = f"Coverage({self.epsilon.size} rows"
        if self.epsilon.size == 0:
            return head + ")"
        return f"{head}: epsilon {self.epsilon.min():.6g} to {self.epsilon.max():.6g})"


def coverage(candidates: Candidates, reach: ArrayLike, **options: Unpack[Options]) -> Coverage:
    r"""The least epsilon for which every real z in [-R, R] has a subset sum within epsilon.

    .. math:: \epsilon = \max_{|z| \le R} \min_{m \in \{0,1\}^n} \Bigl| z - \sum_j m_j a_j \Bigr|

    A certificate after the draw: with it these candidates stand for every weight of [-R, R], not
    only for those that were tried. For consecutive sums a < b the farthest point between them is
    (a + b) / 2, or the nearest point of [-R, R] to it; at the ends it is :math:`\pm R`. All sums
    are walked through in order, in integers. By counting, :math:`2^n \cdot 2\epsilon \ge 2R`.

    Args:
        candidates: (M, n), or (n,) shared by all; or `Products`. n at most 26.
        reach: R, at least 0: a number, (M,), or (M, K) for K numbers on each row of candidates;
            integers where the candidates are integers. It need not lie on their grid.
        options: see `Options`; `resume` is not taken.

    Returns:
        `Coverage`.

    Raises:
        InputError: shapes, dtypes, n > 26, a negative or infinite reach, or candidates that `best`
            refuses.

    Time doubles with every candidate; the memory is 2^(n - 1) int64 a thread.
    """
    refuse_tensors("coverage", options, candidates, reach)
    check_options(options)
    if options.get("resume") is not None:
        raise InputError("coverage takes no resume: call it again on the rows that are wanted")
    code = backend_of(options.get("backend"))
    given = batch(candidates, _reach(candidates, reach), MOST_COVERED)
    epsilon, worst = np.zeros(given.rows), np.zeros(given.rows)

    def work(start: int, stop: int) -> None:
        keys = given.chunk(start, stop, code)
        epsilon[start:stop], worst[start:stop] = _covered(given, keys, start, code)

    kernel = (6 << given.n) + (48 << min(given.n, 20))  # NumPy's; numba's is 4 << n
    size, threads = plan_runs(given.n, kernel, options)
    size = min(size, max((1 << _RUN) >> given.n, 1 if given.per == 1 else 16))
    with stops(None):
        over_runs(work, given.runs(size), threads, options.get("progress"), given.rows)
    return Coverage(epsilon.reshape(given.shape), worst.reshape(given.shape))


def _reach(candidates: Candidates, reach: ArrayLike) -> Integers | Floats:
    """The checked reach, one number for every row where only one was given."""
    wide = as_numbers("reach", reach)
    factors = [candidates.first, candidates.second] if isinstance(candidates, Products) else None
    arrays = [np.asarray(values) for values in factors or [cast(ArrayLike, candidates)]]
    integers = all(values.dtype.kind in "iu" for values in arrays)
    if integers and wide.dtype != np.int64:
        raise InputError(
            "reach must be an integer where the candidates are integers, "
            f"got {np.asarray(reach).dtype}"
        )
    if not integers:
        wide = _float("reach", wide)
        finite("reach", wide)
    if wide.size and wide.min() < 0:
        raise InputError(f"reach must be at least 0, got {wide.min()}")
    rows = [len(values) for values in arrays if values.ndim == 2]
    if wide.ndim == 0:
        wide = cast("Integers | Floats", np.full(rows[0] if rows else 1, wide))
    if wide.ndim > 2 or (rows and len(wide) != rows[0]) or (not rows and wide.ndim == 2):
        shape = f"(M,) = ({rows[0]},) or (M, K)" if rows else "(M,)"
        raise InputError(f"reach must be a number or have shape {shape}, got {wide.shape}")
    return wide


def _float(name: str, values: Integers | Floats) -> Floats:
    """The values as float64, refused where one would change."""
    floats = values.astype(np.float64)
    if values.dtype == np.int64 and values.size:
        largest = np.abs(floats).max()
        if largest >= 2.0**63 or (floats.astype(np.int64) != values).any():
            raise InputError(
                f"{name} must be equal to a float64, got integers up to {largest:.17g}"
            )
    return floats


def _covered(given: Batch, keys: Keys, start: int, code: Backend) -> tuple[Floats, Floats]:
    """The epsilons and the worst points of the rows from `start` on."""
    rows = len(keys.whole)
    candidates = keys.candidates
    if candidates.shape[1] == 0:
        candidates = np.zeros((len(candidates), 1), np.int64)
    width, lower, ends = (
        np.empty(rows, np.int64),
        np.empty(rows, np.int64),
        np.empty((rows, 4), np.int64),
    )
    floor = keys.whole - (keys.fraction < 0)
    every = np.arange(rows)
    code.module("coverage").gaps(candidates, keys.step, floor, every, width, lower, ends)

    # The three places to look at, from left to right: [-R, b], between sums of [-R, R], [c, R].
    a, b, c, d = ends.T
    whole, rest = keys.whole, 2 * keys.fraction
    inside = (a > -_NONE) & (_sign(np.where(a > -_NONE, a, 0) + b + 2 * whole, rest) >= 0)
    value = np.where(inside, b - a, 2 * (b + whole))
    part = np.where(inside, 0.0, rest)
    low, edge = a, np.where(inside, 0, -1)
    inner = _sign(width - value, -part) > 0
    value, part = np.where(inner, width, value), np.where(inner, 0.0, part)
    low, edge = np.where(inner, lower, low), np.where(inner, 0, edge)
    inside = (d < _NONE) & (_sign(np.where(d < _NONE, d, 0) + c - 2 * whole, -rest) <= 0)
    last, more = np.where(inside, d - c, 2 * (whole - c)), np.where(inside, 0.0, rest)
    upper = _sign(last - value, more - part) > 0
    value = np.where(upper, last, value)
    low, edge = np.where(upper, c, low), np.where(upper, np.where(inside, 0, 1), edge)

    # Gaps are integers of half a grid step; at the ends the reach itself, unsplit, is taken.
    exponents = np.broadcast_to(keys.exponents, rows) - 1
    epsilon = np.ldexp(_up(value), exponents)
    worst = np.ldexp((2 * np.where(edge == 0, low, 0) + value).astype(np.float64), exponents)
    reach = given.targets[start : start + rows].astype(np.float64)
    if not given.exact_integers:
        sums = np.where(edge < 0, -b, c)
        errors = given.errors(keys, start, sums, code)
        epsilon = np.where(edge == 0, epsilon, errors)
    return epsilon, np.where(edge == 0, worst, edge * reach + 0.0)


def _sign(whole: Integers, part: Floats) -> Integers:
    """The sign of whole + part, |part| <= 1: exact, since near 0 the sum is a float's rounding."""
    sign: Integers = np.sign(np.clip(whole, -2, 2) + part).astype(np.int64)
    return sign


def _up(values: Integers) -> Floats:
    """The least float64 that is at least each integer, of magnitude up to 2^62."""
    floats = values.astype(np.float64)
    return np.where(floats.astype(np.int64) < values, np.nextafter(floats, np.inf), floats)
