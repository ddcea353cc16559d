"""How a batch is worked through: runs of rows over threads, within a budget, interruptible."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.subsetsum._backend import Backend, BackendName
from strongticket.subsetsum._subsets import Subsets

BUDGET = 1 << 30
LANES = 64  # rows that the network solves in step
_MANY, _MOST = 4096, 32768


class Interrupted(KeyboardInterrupt):
    """A call that was stopped, with what it has done: give it back as ``resume=`` to go on.

    Attributes:
        subsets: the answer so far; rows that are not done hold nothing of use.
        done: bool, the targets' shape: which rows are done.
    """

    def __init__(self, subsets: Subsets, done: NDArray[np.bool_], call: str) -> None:
        count = int(done.sum())
        super().__init__(f"stopped after {count} of {done.size} rows; resume= goes on from there")
        self.subsets = subsets
        self.done = done
        self._call = call

    def matches(self, call: str) -> bool:
        """Whether this was the same verb on the same numbers."""
        return self._call == call


class _Stop(Exception):  # noqa: N818  (it is no error: its cause is what progress raised)
    """What progress raised, on its way out."""


@contextlib.contextmanager
def stops(interrupted: Callable[[], Interrupted] | None) -> Iterator[None]:
    """Let a KeyboardInterrupt, or what progress raised, come out as `interrupted()`; no error.

    With None, where nothing could be taken up again, they come out as they are.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        if interrupted is None:
            raise
        raise _kept(interrupted) from stop
    except _Stop as stop:
        assert stop.__cause__ is not None
        if interrupted is None:
            raise stop.__cause__ from None
        raise _kept(interrupted) from stop.__cause__


def _kept(interrupted: Callable[[], Interrupted]) -> Interrupted:
    """`interrupted()`, whose digest takes a moment: a second Ctrl-C must not lose what is done."""
    while True:
        try:
            return interrupted()
        except KeyboardInterrupt:
            continue


class Options(TypedDict, total=False):
    """What every verb takes by keyword. None of it changes an answer.

    Attributes:
        threads: how many threads; None (the default) is one a CPU. Not for torch.
        backend: "numba", "numpy", or None: numba where it can be imported. Torch tensors are
            answered by torch on their own device, whatever this says; "torch" takes NumPy arrays
            through it too.
        memory: bytes of working memory beyond the batch and the answer; 2^30 unless given.
        progress: called with (rows done, rows), from the calling thread. If it raises, the call
            ends with `Interrupted`, as it does at a KeyboardInterrupt.
        resume: the `Interrupted` of an earlier call of the same verb with the same arguments.
    """

    threads: int | None
    backend: BackendName | Backend | None
    memory: int
    progress: Callable[[int, int], None] | None
    resume: Interrupted | None


KEYS = frozenset(Options.__annotations__)


def fingerprint(*parts: Any) -> str:
    """SHA-256 of names, numbers and arrays: whether a call is the one that was interrupted."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()


def check_options(options: Options) -> None:
    """Refuse what no verb takes."""
    unknown = sorted(set(options) - KEYS)
    if unknown:
        raise InputError(f"unknown option {unknown[0]!r}; there are {', '.join(sorted(KEYS))}")
    threads = options.get("threads")
    if threads is not None and (not _whole(threads) or threads < 1):
        raise InputError(f"threads must be an integer of at least 1, or None, got {threads!r}")
    memory = options.get("memory", BUDGET)
    if not _whole(memory) or memory < 1:
        raise InputError(f"memory must be a number of bytes, at least 1, got {memory!r}")


def plan_runs(n: int, kernel: int, options: Options, least: int = 1) -> tuple[int, int]:
    """(rows a run, threads) that keep the working memory within the budget.

    `kernel` is what one call of the dearest kernel takes for itself. Rows a run: enough to hide
    the call (`least`, unless memory forbids; threads wait for each other's Python in between, so
    that short runs cost twice), few enough that a stop is soon seen.
    """
    threads = options.get("threads")
    if threads is None:
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    memory = options.get("memory", BUDGET)
    a_row = 64 * n + 256  # units, masks, keys and intervals, with what NumPy holds in between
    rows = _MOST if n <= 24 else max(least, _MANY >> (n - 22) // 2)
    while threads > 1 and threads * (kernel + min(rows, LANES) * a_row) > memory:
        threads -= 1
    rows = min(rows, (memory // threads - kernel) // a_row)
    if rows < 1:
        raise InputError(
            f"memory is {memory} bytes, and one row of {n} candidates needs {kernel + a_row}; "
            "give more, or fewer candidates"
        )
    return (rows // LANES * LANES if rows > LANES else rows), threads


def over_runs(
    work: Callable[[int, int], None],
    runs: Sequence[tuple[int, int]],
    threads: int,
    progress: Callable[[int, int], None] | None,
    total: int,
) -> None:
    """Call work(start, stop) for every run; progress(rows done, total) between.

    The error of the first run that has one, in the order of the rows, is raised.
    """
    done = total - sum(stop - start for start, stop in runs)
    _tell(progress, done, total)
    threads = min(threads, len(runs))
    if threads <= 1:
        for start, stop in runs:
            work(start, stop)
            done += stop - start
            _tell(progress, done, total)
        return
    _Threads(work, runs, threads).run(lambda count: _tell(progress, done + count, total))


class _Threads:
    """Threads that take the runs in order, and a calling thread that may be interrupted anywhere.

    The calling thread holds no lock that a thread waits for and trusts no item that it takes from
    the queue: an interruption between two of its steps can neither block a thread nor lose an end.
    (The waits of `concurrent.futures` can do both, and look at every run each time.)
    """

    def __init__(
        self, work: Callable[[int, int], None], runs: Sequence[tuple[int, int]], threads: int
    ) -> None:
        self.work, self.runs, self.threads = work, runs, threads
        self.turns, self.lock = iter(range(len(runs))), Lock()
        self.rows: SimpleQueue[int] = SimpleQueue()  # of runs that are done; 0 where a thread ends
        self.begun: list[bool] = []
        self.ended: list[bool] = []
        self.errors: dict[int, BaseException] = {}
        self.halted = False

    def run(self, tell: Callable[[int], None]) -> None:
        """Do all runs and tell(rows done); the error of the first run that has one is raised."""
        try:
            for _ in range(self.threads):
                Thread(target=self._serve).start()
            left, done = self.threads, 0
            while left:
                count = self.rows.get()
                left -= count == 0
                done += count
                if count and not self.errors:
                    tell(done)
        except BaseException:
            self._stop()
            raise
        if self.errors:  # runs begin in order, so none before the first of these was left out
            raise self.errors[min(self.errors)]

    def _serve(self) -> None:
        self.begun.append(True)
        try:
            while not self.halted:
                with self.lock:
                    turn = next(self.turns, None)
                if turn is None:
                    break
                start, stop = self.runs[turn]
                try:
                    self.work(start, stop)
                except BaseException as error:
                    self.errors[turn], self.halted = error, True
                    break
                self.rows.put(stop - start)
        finally:
            self.ended.append(True)
            self.rows.put(0)

    def _stop(self) -> None:
        """Let the runs that have begun end: their rows are then done. No further Ctrl-C counts."""
        self.halted = True
        while len(self.ended) < len(self.begun):
            with contextlib.suppress(Empty, KeyboardInterrupt):
                self.rows.get(timeout=0.05)


def _tell(progress: Callable[[int, int], None] | None, done: int, total: int) -> None:
    if progress is not None:
        try:
            progress(done, total)
        except Exception as error:
            raise _Stop from error


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
