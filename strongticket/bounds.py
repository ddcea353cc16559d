"""`Bound`: what a theorem claims, as one sympy expression from which everything else is read.

The number, the LaTeX and the curve come from the same expression, so none of them can differ.
Numbers are evaluated with 50 digits and rounded the way that keeps the claim true.
"""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

from strongticket.errors import InputError

Kind = Literal["sufficient", "necessary", "tight"]
DIGITS = 50
MOST_DIGITS = 2000  # where the expression cancels
# Far above the error of a 50-digit evaluation, far below anything that a count could notice.
GUARD = Fraction(1, 10**30)

_EXACT = (int, float, Fraction)


@dataclass(frozen=True)
class Bound:
    r"""An integer quantity and the expression that bounds it.

    Attributes:
        quantity: LaTeX of what is bounded, for instance ``"n"``.
        expression: A sympy expression in symbols named as in `meanings`.
        kind: "sufficient" (at least this suffices), "necessary" (less fails), or "tight" (both).
        meanings: (symbol name, meaning) for every symbol, in the order of the statement.
        unspecified: Names of constants to which the source gives no value.
        procedure: For a bound that an algorithm computes: the same arguments to the number. The
            expression is then the name of that algorithm applied to its arguments.
        domain: sympy relations in the same symbols, without which the expression bounds nothing.
            What the symbols themselves assume (positive, integer) is asked for in any case.
    """

    quantity: str
    expression: Any
    kind: Kind
    meanings: tuple[tuple[str, str], ...]
    unspecified: frozenset[str] = frozenset()
    procedure: Callable[..., int] | None = None
    domain: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InputError(f"a bound is one of {get_args(Kind)}, got {self.kind!r}")
        free = {symbol.name for symbol in self.expression.free_symbols}
        named = {name for name, _ in self.meanings}
        if free != named or not self.unspecified <= named:
            raise InputError(
                f"a bound gives a meaning to each of its symbols {sorted(free)}, "
                f"got meanings for {sorted(named)}, unspecified {sorted(self.unspecified)}"
            )
        if not {s.name for relation in self.domain for s in relation.free_symbols} <= named:
            raise InputError(f"a bound's domain speaks of its own symbols {sorted(named)}")

    def __call__(self, **values: float | Fraction) -> int:
        """The bounding integer: rounded up, so that it suffices (or is truly necessary).

        Raises InputError where the source leaves a constant unspecified, where a symbol has no
        value or an unknown one has, where the values lie outside the bound's domain, and where
        the expression is no finite real number.
        """
        if all(isinstance(value, _EXACT) for value in values.values()):
            return _remembered(self, tuple(values.items()))
        return self._integer(values)

    def _integer(self, values: dict[str, Any]) -> int:
        table = self._table(values)
        if self.procedure is not None:
            return self.procedure(**table)
        exact = self._exact(table)
        guard = GUARD * (1 + abs(exact))
        return math.ceil(exact + guard if self.kind == "sufficient" else exact - guard)

    def real(self, **values: float | Fraction) -> float:
        """The expression's value before it is rounded to an integer."""
        table = self._table(values)
        if self.procedure is not None:
            return float(self.procedure(**table))
        return float(self._exact(table))

    def curve(
        self, symbol: str, values: Iterable[float | Fraction], **fixed: float | Fraction
    ) -> list[int]:
        """The bound along `values` of one symbol, the others fixed."""
        return [self(**{symbol: value}, **fixed) for value in values]

    @property
    def relation(self) -> str:
        """LaTeX of the relation between the quantity and the expression."""
        return "=" if self.kind == "tight" else r"\ge"

    @property
    def latex(self) -> str:
        """The bound as LaTeX, without the dollar signs."""
        import sympy

        return f"{self.quantity} {self.relation} {sympy.latex(self.expression, ln_notation=True)}"

    def _table(self, values: dict[str, Any]) -> dict[str, Fraction]:
        """The exact values, every one of them within the bound's domain."""
        if self.unspecified:
            names = ", ".join(sorted(self.unspecified))
            raise InputError(
                f"the source leaves {names} unspecified, so this bound is no number; "
                "its explicit form is a theorem of its own"
            )
        named = {name for name, _ in self.meanings}
        if set(values) != named:
            raise InputError(
                f"this bound needs values for {', '.join(sorted(named))}; "
                f"got {', '.join(sorted(values)) or 'none'}"
            )
        table = {name: rational(value, name) for name, value in values.items()}
        for symbol in sorted(self.expression.free_symbols, key=str):
            _assumed(symbol, table[symbol.name], values[symbol.name])
        for relation in self.domain:
            if relation.subs(_numbers(relation, table)) != True:  # noqa: E712 (sympy's own truth)
                raise InputError(f"this bound needs {relation}; got {_given(values)}")
        return table

    def _exact(self, table: dict[str, Fraction]) -> Fraction:
        """The value to 50 digits; a float argument means the exact dyadic number that it is."""
        symbols = _numbers(self.expression, table)
        before: Fraction | None = None
        digits = DIGITS
        while digits <= MOST_DIGITS:
            now = _evaluated(self.expression, symbols, digits)
            # two precisions agree: sympy alone may lose all digits of a logarithm near 1
            if now is not None and before is not None and abs(now - before) <= GUARD * abs(now):
                return now
            before, digits = now, 2 * digits
        raise InputError(f"the bound has no finite real value at {_given(table)}")


@functools.lru_cache(maxsize=1 << 12)
def _remembered(bound: Bound, values: tuple[tuple[str, Any], ...]) -> int:
    """Checks ask for one width at many seeds, and fifty digits take a hundredth of a second."""
    return bound._integer(dict(values))


def _evaluated(expression: Any, symbols: dict[Any, Any], digits: int) -> Fraction | None:
    import sympy

    try:
        number = sympy.N(expression, digits, subs=symbols)
    except ZeroDivisionError:
        return None
    return Fraction(str(number)) if number.is_real and number.is_finite else None


def rational(value: Any, name: str = "the value") -> Fraction:
    """The exact rational that a number (int, float, Fraction, NumPy) is; else InputError."""
    try:
        return Fraction(value if isinstance(value, _EXACT) else _plain(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} must be a finite real number, got {value!r}") from error


def _assumed(symbol: Any, exact: Fraction, value: Any) -> None:
    """Raise where a value is not what its symbol assumes."""
    for holds, asked in (
        (exact > 0 or not symbol.is_positive, "> 0"),
        (exact >= 0 or not symbol.is_nonnegative, ">= 0"),
        (exact.denominator == 1 or not symbol.is_integer, "a whole number"),
    ):
        if not holds:
            raise InputError(f"{symbol.name} must be {asked}, got {value!r}")


def _numbers(expression: Any, table: dict[str, Fraction]) -> dict[Any, Any]:
    import sympy

    return {s: sympy.Rational(*table[s.name].as_integer_ratio()) for s in expression.free_symbols}


def _given(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    """A number as one would write it: a float's exact fraction is nobody's idea of 0.01."""
    fraction = isinstance(value, Fraction) and value.denominator != 1
    return f"{float(value):.6g}" if fraction else str(value)


def _plain(value: object) -> float:
    """A NumPy number as the float that it is; TypeError for what is no number."""
    if not isinstance(value, numbers.Real):
        raise TypeError(f"no real number: {value!r}")
    return float(value)
