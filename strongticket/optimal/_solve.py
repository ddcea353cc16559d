"""Linear systems of integers, solved exactly: fraction-free elimination (Bareiss 1968)."""

from __future__ import annotations

from fractions import Fraction

from strongticket.optimal._integers import Array


def solve(matrix: Array, side: Array) -> list[Fraction] | None:
    """The solution of a square system of Python integers; None where the matrix is singular."""
    n = len(side)
    rows = [[*map(int, row), int(b)] for row, b in zip(matrix.tolist(), side.tolist(), strict=True)]
    last = 1
    for i in range(n):
        pivot = next((r for r in range(i, n) if rows[r][i]), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        top, head = rows[i], rows[i][i]
        for row in rows[i + 1 :]:
            factor = row[i]
            # every entry is a minor of the matrix, so the division leaves no rest
            row[i:] = [
                (head * a - factor * b) // last for a, b in zip(row[i:], top[i:], strict=True)
            ]
        last = head
    found: list[Fraction] = [Fraction(0)] * n
    for i in reversed(range(n)):
        rest = sum((rows[i][j] * found[j] for j in range(i + 1, n)), Fraction(0))
        found[i] = (rows[i][n] - rest) / rows[i][i]
    return found
