"""What each theorem asks of the random network for one and the same target, side by side."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from strongticket.errors import InputError
from strongticket.files import ready, write_whole
from strongticket.theorems import Asked, Shape, Theorem

EPSILONS = tuple(10.0 ** (-k / 4) for k in range(2, 17))
COLOURS = (*(f"C{i}" for i in range(10)), "black", "darkgoldenrod", "navy")
MARKERS = "osD^vPX*<>phd8H"
DASHES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Line:
    """One theorem: what it asks for, or why it gives no number."""

    key: str
    title: str
    asked: Asked | None
    note: str

    def cells(self) -> tuple[str, ...]:
        """key, depth, widest layer, random weights, whose constants, note."""
        if self.asked is None:
            return self.key, "", "", "", "", self.note
        return (
            self.key,
            str(self.asked.depth),
            f"{max(self.asked.widths[1:-1] or self.asked.widths):,}",
            f"{self.asked.weights:,}",
            self.asked.constants,
            self.note,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        asked = self.asked
        found = None if asked is None else {"depth": asked.depth, "weights": asked.weights}
        return {"key": self.key, **(asdict(asked) if asked else {}), **(found or {})} | {
            "note": self.note
        }


def comparison(
    theorems: Sequence[Theorem], shape: Shape, epsilon: float, delta: float
) -> list[Line]:
    """One line a theorem on networks, those with a number first, fewest random weights on top.

    A theorem whose constants are unspecified has a line that names its explicit form; one that
    refuses these values says so. Theorems that construct no network are left out.
    """
    found = []
    for theorem in theorems:
        try:
            asked = theorem.asks(shape, epsilon, delta)
        except InputError as error:
            found.append(Line(theorem.key, theorem.title, None, f"does not apply: {error}"))
            continue
        if asked is not None:
            found.append(Line(theorem.key, theorem.title, asked, asked.note))
        elif theorem.bound.unspecified:
            names = ", ".join(sorted(theorem.bound.unspecified))
            note = f"{names} unspecified by the paper; explicit: {theorem.instead}"
            found.append(Line(theorem.key, theorem.title, None, note))
    return sorted(found, key=lambda line: (line.asked is None, line.asked and line.asked.weights))


def styles(keys: Sequence[str]) -> list[dict[str, Any]]:
    """A colour a paper, a marker a curve, and dashes for the further theorems of a paper.

    A paper is what stands before the first underscore of a key.
    """
    papers: dict[str, list[str]] = {}
    for key in keys:
        papers.setdefault(key.partition("_")[0], []).append(key)
    order = list(papers)
    found = []
    for i, key in enumerate(keys):
        paper = key.partition("_")[0]
        found.append(
            {
                "color": COLOURS[order.index(paper) % len(COLOURS)],
                "marker": MARKERS[i % len(MARKERS)],
                "linestyle": DASHES[papers[paper].index(key) % len(DASHES)],
            }
        )
    return found


def comparison_figure(
    theorems: Sequence[Theorem],
    shape: Shape,
    delta: float,
    path: str | os.PathLike[str],
    epsilons: Sequence[float] = EPSILONS,
) -> Path:
    """Draw random weights against epsilon, one curve a theorem with numbers, as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ready(path)
    figure = Figure(figsize=(9, 5.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    curves: dict[str, list[tuple[float, int]]] = {}
    for epsilon in epsilons:
        for line in comparison(theorems, shape, epsilon, delta):
            if line.asked is not None:
                curves.setdefault(line.key, []).append((epsilon, line.asked.weights))
    if not curves:
        raise InputError("none of these theorems gives a number for such a target")
    last = sorted(curves, key=lambda key: curves[key][-1][1], reverse=True)
    for key, style in zip(last, styles(last), strict=True):
        axes.plot(*zip(*curves[key], strict=True), lw=1.2, ms=4, label=key, **style)
    axes.axhline(shape.weights, color="0.6", linewidth=1.5, label="weights of the target")
    axes.set(xscale="log", yscale="log", xlabel="epsilon", ylabel="random weights")
    axes.invert_xaxis()
    widths = "-".join(map(str, shape.widths))
    title = f"what each theorem asks for\ntarget {widths}, norms at most 1, delta {delta:g}"
    axes.set_title(title, fontsize=10)
    figure.legend(loc="outside right upper", fontsize=7, handlelength=4)
    image = io.BytesIO()
    figure.savefig(image, metadata={"Software": None})
    return write_whole(path, image.getvalue())
