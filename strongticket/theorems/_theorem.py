"""`Theorem`: a statement as a value, from which the docs, the checks and the tests read."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from strongticket.bounds import Bound
from strongticket.errors import InputError
from strongticket.theorems._evidence import NOTHING, Effort, Row
from strongticket.theorems._size import Asked, Shape

if TYPE_CHECKING:
    from strongticket.networks import Network
    from strongticket.targets import Target
    from strongticket.tickets import Ticket

OURS = "strongticket (own result)"


@dataclass(frozen=True)
class Hypothesis:
    """One condition of a theorem: its text, and a test on named values.

    The test gets the values that it names and returns None where the condition holds, otherwise
    what came and what to do.
    """

    text: str
    test: Callable[..., str | None]
    error: type[InputError] = InputError

    @property
    def names(self) -> tuple[str, ...]:
        """What the test asks for."""
        code = self.test.__code__
        return code.co_varnames[: code.co_argcount]

    def require(self, **values: Any) -> None:
        """Raise where the condition does not hold, or cannot be tested for what came."""
        try:
            came = self.test(**values)
        except (TypeError, ZeroDivisionError, OverflowError) as error:
            given = ", ".join(f"{name} = {value!r:.60}" for name, value in values.items())
            raise self.error(f"{self.text} is needed; got {given}") from error
        if came is not None:
            raise self.error(came)


@dataclass(frozen=True, kw_only=True)
class Theorem:
    """A theorem: what it assumes, what it claims, and how its claim is held against the facts.

    Attributes:
        key: Its name on the command line; also the name of its script in proofs_check/.
        title: One line.
        source: The paper and the theorem's number there, or that the result is ours.
        claim: Markdown with LaTeX; ``{bound}`` stands where the bound is shown.
        hypotheses: What the theorem assumes, as tests.
        bound: The number that it is about.
        law: LaTeX of the weights' law.
        proof: The label of the proof on the page docs/theorems/proofs.md, if the proof is there.
        extremal: The values at which the claim is nearest to failing; every check runs them.
        false_bound: What the claim says when it is made false on purpose, or why it cannot be.
        errata: Markdown, one entry a slip of the source that touches this theorem.
        instead: The key of the explicit theorem to use where this one gives no number or network.
    """

    key: str
    title: str
    source: str
    claim: str
    hypotheses: tuple[Hypothesis, ...]
    bound: Bound
    law: str
    proof: str | None = None
    extremal: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    false_bound: str = ""
    errata: tuple[str, ...] = ()
    instead: str = "pensia2020_explicit"

    @property
    def paper(self) -> str:
        """The paper or family that the key begins with: "pensia2020" of "pensia2020_first"."""
        return self.key.partition("_")[0]

    @property
    def statement(self) -> str:
        """The whole statement, its bound read off the expression."""
        return self.claim.replace(" {bound}", f"\n\n$$\n{self.bound.latex}\n$$\n\n").strip()

    @property
    def falsifiable(self) -> bool:
        """Whether there is a bound false on purpose: not where a constant is unspecified."""
        return not self.bound.unspecified

    def require(self, **values: Any) -> None:
        """Test every hypothesis that the given values decide; raise at the first that fails.

        A value that no hypothesis speaks of is an InputError: it would be tested by nothing.
        """
        known = {name for hypothesis in self.hypotheses for name in hypothesis.names}
        if unknown := set(values) - known:
            raise InputError(
                f"{self.key} assumes nothing about {', '.join(sorted(unknown))}; its hypotheses "
                f"speak of {', '.join(sorted(known)) or 'nothing'}"
            )
        for hypothesis in self.hypotheses:
            if set(hypothesis.names) <= set(values):
                hypothesis.require(**{name: values[name] for name in hypothesis.names})

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """The rows of its check, one at a time. A theorem without a number claims none."""
        del effort
        why = f"{', '.join(sorted(self.bound.unspecified))} unspecified"
        claimed = self.false_bound if false_width else self.bound.latex
        yield Row("probability", "the bound", claimed, why, False, NOTHING)

    def network(
        self, target: Target, epsilon: float, delta: float, seed: int, **options: Any
    ) -> Network:
        """The random network of the statement; only theorems on networks with a number have one."""
        raise InputError(f"{self.key} gives no network: {self._why_not()}")

    def construct(self, network: Network, target: Target, epsilon: float, **options: Any) -> Ticket:
        """The ticket of the proof; only theorems on networks with a number have one."""
        raise InputError(f"{self.key} constructs no ticket: {self._why_not()}")

    def asks(self, shape: Shape, epsilon: float, delta: float) -> Asked | None:
        """The random network for any target of this shape; None where the theorem has none.

        Raises InputError where the shape or the numbers lie outside the hypotheses.
        """
        del shape, epsilon, delta
        return None

    def example(self) -> Ticket | None:
        """A ticket of the proof, small enough to be drawn; None where nothing is constructed."""
        return None

    def _why_not(self) -> str:
        if self.bound.unspecified:
            names = ", ".join(sorted(self.bound.unspecified))
            return f"its source leaves {names} unspecified; use {self.instead}"
        return f"it is no theorem on constructing one; use {self.instead}"


def _positive(name: str, value: Any) -> str | None:
    ok = _real(value) and 0 < value < float("inf")
    return None if ok else f"{name} must be a finite number > 0, got {value!r}"


def _real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


ACCURACY = Hypothesis(r"$0 < \varepsilon < \infty$", lambda epsilon: _positive("epsilon", epsilon))
CONFIDENCE = Hypothesis(
    r"$0 < \delta < 1$",
    lambda delta: (
        None
        if _real(delta) and 0 < delta < 1
        else f"delta must lie strictly between 0 and 1, got {delta!r}"
    ),
)
TOLERANCE = Hypothesis(r"$0 < \eta < \infty$", lambda eta: _positive("eta", eta))
