"""The page of the catalogue on trained targets, from the table of its experiment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from _page_tables import experiment, plain, rounded, rows, table, verdicts


def trained() -> Iterator[str]:
    targets = experiment("catalogue_targets")
    found = rows(targets.Row, "catalogue_targets")
    config = targets.Config()
    done = [row for row in found if row.certified]
    worst = max(row.bound / row.epsilon for row in done)
    yield "(trained-rows)="
    yield "# The catalogue on trained targets"
    yield ""
    yield (
        "Every constructing theorem on real trained networks: its own random network at its own "
        "width ($\\delta=0.01$), pruned to the target, certified over the whole domain, "
        "rechecked from the file alone, attacked, and evaluated as the pruned random network "
        f"itself. {len(done)} of {len(found)} rows have a certificate, at most "
        f"{worst:.2f} of the theorem's $\\varepsilon$."
    )
    yield ""
    yield "`python experiments/catalogue_targets.py --data FOLDER --publish`"
    yield ""
    yield (
        "FOLDER holds `mnist/` and `fashion-mnist/`; without it the shipped digits alone are run. "
        f"Each row is a process of its own with at most {config.gib:g} GiB and "
        f"{config.seconds:g} s of one core; an interrupted run goes on where it stood. A theorem "
        "that refuses, or asks for too much, has a row that says why. For `kumar2025` the target "
        "is first rounded to its grid: 0 is equality with the rounded network. The domain is the "
        "box $[0,1]^d$; it is the unit ball for `malach2020_count` and, on 64-6-10, for "
        "`malach2020_weights`, whose targets are scaled to layers of spectral norm 1, and the "
        "target 64-8-10 keeps the 16 largest weights of each neuron alone."
    )
    yield ""
    yield (
        "![Certified error over epsilon, and the fraction of random weights that stays, by theorem]"
        "(../figures/catalogue_targets.png)"
    )
    yield ""
    yield from verdicts(targets.claims(found))
    for data, name in (
        ("digits", "Digits"),
        ("mnist", "MNIST"),
        ("fashion-mnist", "Fashion-MNIST"),
    ):
        mine = [row for row in found if row.data == data]
        if not mine:
            continue
        yield f"## {name}"
        yield ""
        body = [certified(row) for row in mine if row.certified]
        head = (
            "theorem",
            "target",
            "$\\varepsilon$",
            "certified at most",
            "attack finds",
            "kept",
            "of random weights",
            "test %",
            "s",
        )
        yield from table(head, sorted(body))
        missing = [row for row in mine if not row.certified]
        if missing:
            body = [
                (
                    f"`{row.theorem}`",
                    unbroken(row.target),
                    f"{row.epsilon:g}",
                    f"{row.random_weights:.2g}" if row.random_weights else "",
                    f"{row.limit}: {plain(row.why)}"
                    + (
                        f"; before that certified at most {rounded(row.bound, True)}"
                        if not math.isnan(row.bound)
                        else ""
                    ),
                )
                for row in missing
            ]
            yield "No certificate:"
            yield ""
            head = ("theorem", "target", "$\\varepsilon$", "random weights", "why")
            yield from table(head, sorted(body))
    yield (
        "*Test %* is the accuracy of target and pruned random network, two numbers where they "
        "differ. Seconds are of processor time, to build, certify and recheck, on one core of a "
        "shared machine; all columns are in `experiments/results/catalogue_targets.csv`. "
        "*Grid* is a theorem whose proof needs weights finer than 24 bits there; *width* one that "
        "asks for more random weights than are built; *memory* and *time* are the limits "
        "of a row, not of the theorem."
    )
    yield ""
    yield (
        "What this cannot show: one draw and one trained network a row, so nothing is said of the "
        "failure probability $\\delta$. A certified error far below $\\varepsilon$ says that the "
        "theorem's accounting of errors is cautious for this target, not that its width could be "
        "that much smaller. Test accuracies are of the first 2000 test images."
    )


def unbroken(widths: str) -> str:
    """Widths that stay on one line."""
    return widths.replace("-", "\N{NON-BREAKING HYPHEN}")


def certified(row: Any) -> tuple[str, ...]:
    return (
        f"`{row.theorem}`",
        unbroken(row.target),
        f"{row.epsilon:g}",
        rounded(row.bound, True) + ("" if row.rechecked else ", not rechecked"),
        rounded(row.attack, False),
        f"{row.kept_weights:,}",
        f"{row.random_weights:.3g}",
        f"{100 * row.before:.2f}"
        + (f" → {100 * row.after:.2f}" if row.after != row.before else ""),
        f"{row.construct + row.certify + row.recheck:.1f}",
    )
