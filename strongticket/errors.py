"""Every error that strongticket raises on purpose, under one root.

An error says what was needed, what came, and what to do. The command line turns
`InputError` into exit code 2 (wrong usage or unreadable input) and `ClaimError`
into exit code 1 (the input was read and its claim is false).
"""

from __future__ import annotations


class StrongticketError(Exception):
    """The root of all errors that strongticket raises on purpose."""


class InputError(StrongticketError, ValueError):
    """An argument or a file that cannot be used: what was needed, what came, what to do."""


class ReachError(InputError):
    """A target weight lies beyond what the random weights can represent."""


class WidthError(InputError):
    """The random network is narrower than what was asked of it needs."""


class FileError(InputError):
    """A ticket or certificate file that is truncated, edited, foreign or newer than this code."""


class ClaimError(StrongticketError):
    """A well-formed ticket or certificate whose claim is false."""


class ConstructionError(StrongticketError):
    """A construction that read its whole pool and still missed an accuracy."""


class SearchError(StrongticketError):
    """A mask search that cannot go on: NaN scores, or parameters that someone else wrote."""
