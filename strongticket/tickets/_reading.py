r"""How the effective weights of a ticket are read from its network and its mask.

Most tickets are plain: a kept weight stays as it was drawn. Some searches do more to it. With
:math:`t_i` the round of a kept entry i, :math:`m_i` its multiple and :math:`g` the gain of its
parameter, the effective weight is :math:`m_i \, g(w_i^{(t_i)})`, where :math:`w_i^{(0)}` is the
network's own weight and :math:`w_i^{(t)}` the law's function of word i of the stream
("weights round t", parameter name).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from strongticket import philox
from strongticket.errors import InputError
from strongticket.laws import Law
from strongticket.networks import Network
from strongticket.tickets._mask import Mask

Gain = Literal["none", "binary", "inverse density"]
Numbers = Mapping[str, NDArray[np.int32]]
_LARGEST = (1 << 31) - 1


def units_of_round(
    network: Network, name: str, indices: NDArray[np.int64], number: int
) -> NDArray[np.int32]:
    """The integer units that round `number` draws at flat indices; round 0 is the network's own."""
    if number == 0:
        return network.units_at(name, indices)
    words = philox.words_at(network.seed, round_stream(name, number), indices)
    return network[name].law.units(words)


def round_stream(name: str, number: int) -> int:
    """The Philox stream of a parameter's redraw, number >= 1."""
    return philox.stream(f"weights round {number}", name)


def binary_size(law: Law, total: int, kept: int) -> np.float32:
    r"""The mean magnitude of kept weights: float32 of :math:`\frac1k\sum|u|`, grid and scale.

    `total` is the sum of the kept integer units' magnitudes, exact. One float64 division, one
    float64 product with the scale, one rounding to float32, in this order on every device.
    """
    mean = np.float64(total) / np.float64(kept) * 2.0**-law.grid
    return np.float32(mean * np.float64(law.scale))


def inverse_density(entries: int, kept: int) -> np.float32:
    """float32 of entries / kept."""
    return np.float32(np.float64(entries) / np.float64(kept))


@dataclass(frozen=True, eq=False)
class Reading:
    r"""What is done to kept weights; the default does nothing.

    `rounds` gives, for a parameter's kept entries in index order, the round in which each was
    drawn last (0: never again). `multiples` gives their integer factors, not 0. `gain`, for every
    masked parameter: "none"; "binary", the weight becomes its sign times the mean magnitude of
    the parameter's kept weights; "inverse density", it is divided by the kept fraction.

    The arrays are copied and locked; those that say nothing (all 0, all 1) are left out, so that
    equal readings have equal parts. Raises InputError for numbers that no entry can have.
    """

    rounds: Numbers = field(default_factory=dict)
    multiples: Numbers = field(default_factory=dict)
    gain: Gain = "none"

    def __post_init__(self) -> None:
        if self.gain not in get_args(Gain):
            raise InputError(f"gain is one of {', '.join(get_args(Gain))}, got {self.gain!r}")
        object.__setattr__(self, "rounds", _owned("rounds", self.rounds, 0))
        object.__setattr__(self, "multiples", _owned("multiples", self.multiples, 1))

    def __reduce__(self) -> tuple[Any, ...]:
        return Reading, (dict(self.rounds), dict(self.multiples), self.gain)

    def __eq__(self, other: object) -> bool:
        """Equal gains, rounds and multiples."""
        if not isinstance(other, Reading):
            return NotImplemented
        return (
            self.gain == other.gain
            and _equal(self.rounds, other.rounds)
            and _equal(self.multiples, other.multiples)
        )

    def __hash__(self) -> int:
        return hash((self.gain, *sorted(self.rounds), *sorted(self.multiples)))

    @property
    def plain(self) -> bool:
        """Whether kept weights stay as the network drew them."""
        return self.gain == "none" and not self.rounds and not self.multiples

    def check(self, mask: Mask) -> None:
        """Raise InputError unless every array has a number for each kept entry of its parameter."""
        for what, numbers in (("rounds", self.rounds), ("multiples", self.multiples)):
            for name, array in numbers.items():
                kept = mask[name].kept if name in mask else None
                if kept is None:
                    raise InputError(
                        f"{what} are for masked parameters, got some of {name!r}; masked: "
                        f"{sorted(mask)}"
                    )
                if array.size != kept:
                    raise InputError(
                        f"{what} of {name!r} need one number for each of its {kept} kept entries, "
                        f"got {array.size}"
                    )

    def weights(
        self, network: Network, name: str, total: int, indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """The effective weights at a parameter's kept indices; it has `total` entries in all."""
        law, units = network[name].law, self.units(network, name, indices)
        if not units.size:
            return np.empty(0, np.float32)
        if self.gain == "binary":
            # abs in int64: the least int32 has no magnitude of its own type.
            size = binary_size(law, int(np.abs(units.astype(np.int64)).sum()), units.size)
            found = np.sign(units).astype(np.float32) * size
        else:
            found = law.weights_of(units)
            if self.gain == "inverse density":
                found = found * inverse_density(total, units.size)
        if name in self.multiples:
            found = found * self.multiples[name].astype(np.float32)
        return found

    def units(self, network: Network, name: str, indices: NDArray[np.int64]) -> NDArray[np.int32]:
        """The integer units at a parameter's kept indices, each of its own round."""
        if name not in self.rounds:
            return network.units_at(name, indices)
        rounds = self.rounds[name]
        found = np.empty(indices.size, np.int32)
        for number in np.unique(rounds).tolist():
            at = rounds == number
            found[at] = units_of_round(network, name, indices[at], number)
        return found


def _owned(what: str, numbers: Numbers, idle: int) -> Numbers:
    if not isinstance(numbers, Mapping):
        raise InputError(f"{what} must map parameter names to arrays, got {numbers!r}")
    found = {}
    for name, given in numbers.items():
        array = np.asarray(given)
        if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
            raise InputError(
                f"{what} of {name!r} must be a flat array of integers, got {array.dtype} of shape "
                f"{array.shape}"
            )
        least, most = (int(array.min()), int(array.max())) if array.size else (idle, idle)
        if what == "rounds" and not 0 <= least <= most <= _LARGEST:
            raise InputError(f"rounds of {name!r} must be in 0 .. 2^31 - 1, got {least} .. {most}")
        if what == "multiples" and ((array == 0).any() or max(-least, most) > 1 << 24):
            raise InputError(
                f"multiples of {name!r} must be integers other than 0, at most 2^24 in magnitude; "
                f"an entry that is not kept belongs to the mask; got {least} .. {most}"
            )
        if (array != idle).any():
            copy = np.array(array, np.int32)
            copy.setflags(write=False)
            found[name] = copy
    return MappingProxyType(dict(sorted(found.items())))


def _equal(one: Numbers, other: Numbers) -> bool:
    return set(one) == set(other) and all(np.array_equal(a, other[n]) for n, a in one.items())


PLAIN = Reading()
