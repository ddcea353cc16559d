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
from functools import cache
from math import comb
from typing import Literal, TypeAlias

from strongticket.errors import InputError
from strongticket.subsetsum._limits import MOST, MOST_NETWORK, MOST_STREAM
from strongticket.subsetsum.fourlists import shape


@dataclass(frozen=True)
class Enumerate:
    """Masks by number, the first 2^`bits` of them; a row ends at its first hit."""

    bits: int

    def __post_init__(self) -> None:
        _within("Enumerate.bits", self.bits, 0, 30)


@dataclass(frozen=True)
class BySize:
    """Subsets by size, up to `most` candidates; a row ends at its first hit. For `sparsest`.

    Refused where those are more than 2^32 subsets of a row.
    """

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
    `use` is a multiple of 4, up to 60.
    """

    use: int
    windows: int

    def __post_init__(self) -> None:
        _within("FourLists.use", self.use, 4, 60)
        if self.use % 4:
            raise InputError(f"FourLists.use must be a multiple of 4, got {self.use}")
        _within("FourLists.windows", self.windows, 1, 1 << 20)


@dataclass(frozen=True)
class UntilHit:
    """Candidates are taken one by one, up to 50, until a subset of those taken is within epsilon.

    `Subsets.taken` is then the least number that will do: in the mean about log2(1/epsilon) + 1
    for targets and candidates in U[-1, 1], where a fixed number for all rows needs ten more.
    """


_MOST_TRIED = 1 << 32
Regime: TypeAlias = Enumerate | BySize | Network | Stream | FourLists | UntilHit
Verb: TypeAlias = Literal["best", "within"]


def plan(verb: Verb, n: int, bits: int = 0) -> tuple[Regime, ...]:
    """The regimes for rows of n candidates and so many bits (see the module).

    `best` takes the network up to 24 candidates and the stream up to 50. `within` takes, in turn:

    1. masks by number, the first 2^b with b = n // 2 + 3 and at most 15, where bits <= b + 3;
    2. where n > 24, epsilon is small and there are candidates to spare: four lists;
    3. where n > 24 or bits >= b - 1, the nearest subset of the first k candidates, for k =
       max(16, bits - 1), k + 6, k + 12, ... up to n - 2: by the network to k = 24 (unless step 2
       was taken), by the stream to k = 50;
    4. the nearest subset of all candidates, or of the first 50 where there are more: a row of
       more than 50 candidates that misses there is not proved to have no subset.
    """
    every = min(n, MOST_STREAM)
    last = Network() if n <= MOST_NETWORK else Stream(every if every < n else None)
    if verb == "best":
        return (last,)
    stages: list[Regime] = []
    numbers = min(n, n // 2 + 3, 15)
    if bits <= numbers + 3:
        stages.append(Enumerate(numbers))
    staged = bits >= numbers - 1 or n > MOST_NETWORK
    counts = range(max(16, bits - 1), every - 1 if staged else 0, 6)
    lists = shape(n, bits) if n > MOST_NETWORK else None
    if lists is not None:
        stages.append(FourLists(*lists))
    else:
        stages += [Network(k) for k in counts if k <= MOST_NETWORK]
    stages += [Stream(k) for k in counts if k > MOST_NETWORK]
    return (*stages, last)


@cache
def stages(n: int) -> tuple[Regime, ...]:
    """Every regime that `plan` may choose for `within` on rows of n candidates, each once."""
    return tuple(dict.fromkeys(stage for bits in range(64) for stage in plan("within", n, bits)))


def checked(
    regime: Regime | tuple[Regime, ...] | None, n: int, *, only: type[BySize] | None = None
) -> tuple[Regime, ...] | None:
    """A caller's regimes as a tuple, each fit for n candidates."""
    if regime is None:
        return None
    given = regime if isinstance(regime, tuple) else (regime,)
    for stage in given:
        if not isinstance(stage, only or Regime):
            every = "Enumerate, BySize, Network, Stream, FourLists or UntilHit"
            kinds = only.__name__ if only else every
            raise InputError(f"regime must be {kinds}, or a tuple of such, got {stage!r}")
        limit = {Network: MOST_NETWORK, Stream: MOST_STREAM}.get(type(stage), MOST)
        if (getattr(stage, "prefix", None) or n) > limit:
            raise InputError(
                f"{type(stage).__name__} takes up to {limit} candidates, and there are {n}: name "
                "a prefix, or another regime"
            )
        if isinstance(stage, BySize):
            tried = sum(comb(n, k) for k in range(min(stage.most, n) + 1))
            if tried > _MOST_TRIED:
                raise InputError(
                    f"BySize({stage.most}) of {n} candidates would try {tried} subsets a row, and "
                    "at most 2^32 are: name a smaller size, or none (`sparsest` has a faster way)"
                )
        if isinstance(stage, FourLists) and stage.use > n:
            raise InputError(f"FourLists uses {stage.use} candidates, and there are {n}")
    return given


def _within(name: str, value: int, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InputError(f"{name} must be an integer from {least} to {most}, got {value!r}")
