"""The command line: `strongticket COMMAND`, the same frozen dataclasses that `run` takes.

Exit codes: 0 done; 1 a bound was refuted, or a ticket or certificate failed; 2 wrong usage or
unreadable input.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import tyro

from strongticket.cli._commands import Command


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, run the command, and exit with its code."""
    from strongticket.errors import InputError, SearchError, StrongticketError

    command: Command = tyro.cli(
        Command,
        prog="strongticket",
        description="Strong lottery tickets that run: construct, certify, search, check.",
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    try:
        code = command.run()
    except (InputError, SearchError) as error:  # scores turn NaN by what was asked for
        sys.stderr.write(f"error: {error}\n")
        code = 2
    except StrongticketError as error:
        sys.stderr.write(f"failed: {error}\n")
        code = 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing half-written\n")
        code = 130
    raise SystemExit(code)
