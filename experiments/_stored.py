"""Measurements as a table in a file: one dataclass a row."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from typing import Any


def table(rows: Sequence[Any]) -> bytes:
    """CSV of dataclasses of one kind, at least one; floats to six digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(rows[0])]
    writer.writerow(names)
    for row in rows:
        values = (getattr(row, name) for name in names)
        writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in values])
    return text.getvalue().encode()
