r"""Which algorithm for which rows: the regimes as values, and the rule that chooses among them.

A plan is a tuple of regimes. Each is tried on the rows that the ones before it left open, so that
only rows that miss pay for the expensive ones. `plan` is the rule; a caller who knows better gives
a regime, or a tuple of them, as ``regime=``.

How hard a row is, beside its n, is its number of `bits`: how often, in powers of two, its interval
of allowed sums fits into the span from its least to its greatest sum, :math:`\lfloor \log_2
(\mathrm{span} / 2\epsilon) \rfloor + 1` or so. About as many candidates hold a hit in the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from strongticket.errors import InputError
from strongticket.subsetsum._limits import MOST, MOST_NETWORK, MOST_STREAM


@dataclass(frozen=True)
class Enumerate:
    """Masks by number, the first 2^`bits` of them; a row ends at its first hit."""

    bits: int

    def __post_init__(self) -> None:
        _within("Enumerate.bits", self.bits, 0, 30)


@dataclass(frozen=True)
class BySize:
    """Subsets by size, up to `most` candidates; a row ends at its first hit. For `sparsest`."""

    most: int

    def __post_init__(self) -> None:
        _within("BySize.most", self.most, 0, MOST)


@dataclass(frozen=True)
class Network:
    """The nearest subset by the merging network, of the first `prefix` candidates (None: of all).

    Up to 24 candidates, 64 rows in step, about n 2^(n/2) vector operations.
    """

    prefix: int | None = None

    def __post_init__(self) -> None:
        if self.prefix is not None:
            _within("Network.prefix", self.prefix, 1, MOST_NETWORK)


@dataclass(frozen=True)
class Stream:
    """The nearest subset by two sorted lists of one row, of the first `prefix` candidates.

    Up to 50 candidates: 2^(n/2) steps and as many int64.
    """

    prefix: int | None = None

    def __post_init__(self) -> None:
        if self.prefix is not None:
            _within("Stream.prefix", self.prefix, 1, MOST_STREAM)


@dataclass(frozen=True)
class FourLists:
    """A hit by four lists and windows (generalised birthday), on the first `use` candidates.

    For tiny epsilon with candidates to spare, about 2^(use/4) steps a window; it proves nothing.
    """

    use: int
    windows: int

    def __post_init__(self) -> None:
        _within("FourLists.use", self.use, 8, MOST)
        _within("FourLists.windows", self.windows, 1, 1 << 20)


@dataclass(frozen=True)
class UntilHit:
    """Candidates are taken one by one until a subset of those taken is within epsilon.

    `Subsets.taken` is then the least number that will do: in the mean about log2(1/epsilon) + 1
    for targets and candidates in U[-1, 1], where a fixed number for all rows needs ten more.
    """


Regime: TypeAlias = Enumerate | BySize | Network | Stream | FourLists | UntilHit
Verb: TypeAlias = Literal["best", "within"]


def plan(verb: Verb, n: int, bits: int = 0) -> tuple[Regime, ...]:
    """The regimes for rows of n candidates and so many bits (see the module).

    ===============  =====================================================================
    best, n <= 24    the network
    best, n <= 50    the stream
    within, n <= 24  masks by number to 2^(n/2 + 3); where fewer candidates than there are will
                     mostly do, the network on those; the network on all
    within, n <= 50  masks by number where 2^15 of them may hit; the network on 24; four lists where
                     there are candidates to spare; the stream on all
    within, n <= 62  the same without the last: a miss is not proved
    ===============  =====================================================================
    """
    if n <= MOST_NETWORK:
        last: tuple[Regime, ...] = (Network(),)
    else:
        last = (Stream(),) if n <= MOST_STREAM else ()
    if verb == "best":
        return last
    if n <= MOST_NETWORK:
        few = bits + _SPARE
        return (Enumerate(min(n, n // 2 + 3)), *((Network(few),) if few <= n - 4 else ()), *last)
    stages: list[Regime] = []
    if bits <= _NUMBERS + 2:
        stages.append(Enumerate(_NUMBERS))
    if bits < MOST_NETWORK:
        stages.append(Network(MOST_NETWORK))
    return (*stages, *last)


_SPARE = 2
_NUMBERS = 15


def checked(regime: Regime | tuple[Regime, ...] | None, n: int) -> tuple[Regime, ...] | None:
    """A caller's regimes as a tuple, each fit for n candidates."""
    if regime is None:
        return None
    given = regime if isinstance(regime, tuple) else (regime,)
    for stage in given:
        if not isinstance(stage, Regime):
            raise InputError(
                "regime must be Enumerate, BySize, Network, Stream, FourLists or UntilHit, or a "
                f"tuple of them, got {stage!r}"
            )
        limit = {Network: MOST_NETWORK, Stream: MOST_STREAM}.get(type(stage), MOST)
        used = getattr(stage, "prefix", getattr(stage, "use", None)) or n
        if used > limit:
            raise InputError(
                f"{type(stage).__name__} takes up to {limit} candidates, and there are {n}: name "
                "a prefix, or another regime"
            )
    return given


def _within(name: str, value: int, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InputError(f"{name} must be an integer from {least} to {most}, got {value!r}")
