"""What every script here does: run one theorem's check and print claimed beside measured."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from strongticket.check import check
from strongticket.theorems import Theorem


def run(theorem: Theorem, arguments: Sequence[str] | None = None) -> int:
    """Print the report of `theorem`; 0 unless refuted (with --false-width: unless not refuted)."""
    parser = argparse.ArgumentParser(description=f"Check {theorem.key}: {theorem.title}.")
    parser.add_argument("--quick", action="store_true", help="fewer trials and cases")
    parser.add_argument(
        "--false-width",
        action="store_true",
        help=f"run at a claim that is false on purpose and must be refuted: {theorem.false_bound}",
    )
    chosen = parser.parse_args(arguments)
    report = check(theorem, quick=chosen.quick, false_width=chosen.false_width)
    print(report)
    return 0 if report.ok else 1
