"""`Bound`: what a theorem claims, as one sympy expression from which everything else is read.

The number, the LaTeX and the curve come from the same expression, so none of them can differ.
Numbers are evaluated with 50 digits and rounded the way that keeps the claim true.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

from strongticket.errors import InputError

Kind = Literal["sufficient", "necessary", "tight"]
DIGITS = 50
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
    """

    quantity: str
    expression: Any
    kind: Kind
    meanings: tuple[tuple[str, str], ...]
    unspecified: frozenset[str] = frozenset()
    procedure: Callable[..., int] | None = None

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

    def __call__(self, **values: float | Fraction) -> int:
        """The bounding integer: rounded up, so that it suffices (or is truly necessary).

        Raises InputError where the source leaves a constant unspecified, where a symbol has no
        value or an unknown one has, and where the expression is no finite real number.
        """
        self._check(values)
        if self.procedure is not None:
            return self.procedure(**values)
        exact = self._exact(values)
        guard = GUARD * (1 + abs(exact))
        return math.ceil(exact - guard if self.kind == "necessary" else exact + guard)

    def real(self, **values: float | Fraction) -> float:
        """The expression's value before it is rounded to an integer."""
        self._check(values)
        if self.procedure is not None:
            return float(self.procedure(**values))
        return float(self._exact(values))

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

    def _check(self, values: dict[str, Any]) -> None:
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

    def _exact(self, values: dict[str, Any]) -> Fraction:
        """The value to 50 digits; a float argument means the exact dyadic number that it is."""
        import sympy

        table = {}
        for name, value in values.items():
            try:
                exact = Fraction(value if isinstance(value, _EXACT) else _plain(value))
            except (TypeError, ValueError, OverflowError) as error:
                raise InputError(f"{name} must be a finite real number, got {value!r}") from error
            table[name] = sympy.Rational(exact.numerator, exact.denominator)
        symbols = {s: table[s.name] for s in self.expression.free_symbols}
        number = sympy.N(self.expression, DIGITS, subs=symbols)
        if not (number.is_real and number.is_finite):
            given = ", ".join(f"{name}={value}" for name, value in values.items())
            raise InputError(f"the bound has no finite real value at {given}")
        return Fraction(str(number))


def _plain(value: object) -> float:
    """A NumPy number as the float that it is; TypeError for what is no number."""
    if not isinstance(value, numbers.Real):
        raise TypeError(f"no real number: {value!r}")
    return float(value)
