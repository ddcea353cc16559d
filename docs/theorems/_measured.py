"""Pages of what experiments measured on the theorems, written from their tables.

Every number comes from experiments/results; verdicts are found again from these tables by the
experiments' own code. `_generate.py` writes the pages.
"""

from __future__ import annotations

from collections.abc import Iterator

from _measured_sections import density, depth, pools, sources
from _trained_page import trained

# paper -> (label of a section, what it is called) where the paper's page links to it
LINKS: dict[str, tuple[tuple[str, str], ...]] = {
    "malach2020": (("measured-pools", "one weight out of a pool of random neurons"),),
    "orseau2020": (("measured-pools", "one weight out of a pool of random neurons"),),
    "pensia2020": (
        ("measured-pools", "one weight out of a pool of random neurons"),
        ("measured-depth", "depth 2L beside depth L + 1"),
    ),
    "burkholz2022": (("measured-depth", "depth L + 1 beside depth 2L"),),
    "kumar2025": (("quantized-measured", "the transition on a grid, exactly"),),
    "natale2024": (("measured-density", "density against candidates"),),
    "gadhikar2023": (("measured-sources", "candidates that a pruned source needs"),),
    "otsuka2024": (("measured-sources", "candidates that a locked source needs"),),
}
TRAINED = ("trained-rows", "every construction on trained networks")


def pages() -> dict[str, str]:
    """File name -> text."""
    found = {
        "measured.md": (_head(), pools(), depth(), density(), sources()),
        "trained-targets.md": (trained(),),
    }
    return {
        name: "\n".join(line for part in parts for line in part).rstrip() + "\n"
        for name, parts in found.items()
    }


def links(paper: str, constructs: bool) -> str:
    """The sentence of a paper's page that says what was measured; may be empty."""
    found = [*LINKS.get(paper, ()), *([TRAINED] if constructs else [])]
    return (
        f"Measured: {', '.join(f'[{text}](#{label})' for label, text in found)}." if found else ""
    )


# ---- one section an experiment


def _head() -> Iterator[str]:
    yield "# The theorems' experiments"
    yield ""
    yield (
        "Each section is one command. `--publish` writes its table to `experiments/results` and "
        "its figure to `docs/figures`, `--quick` makes a smaller run, and the command ends with "
        "exit code 1 where a claim falls. The tables here are read from the stored results, and "
        "the verdicts are found again from them (`docs/theorems/_generate.py`). A constant that a "
        "paper leaves open stays a letter: what is compared with it is the shape of a curve, or "
        "the constant that the measurement would need. None of this proves a theorem; the proofs "
        "are [in pages of their own](proofs.md)."
    )
    yield ""
    yield "Other experiments on the theorems stand where their theorem is:"
    yield ""
    yield "- [the transition and the decay on a grid of weights](#quantized-measured), exactly;"
    yield "- [every construction on trained networks](#trained-rows);"
    yield "- [how many random numbers serve all targets](../subset-sum-law.md);"
    yield "- [pruning whole neurons against single weights](../weights-over-neurons.md)."
    yield ""
