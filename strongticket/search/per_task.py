r"""Many masks over one network: one a task, switched in the model.

Source: Wortsman, Ramanujan, Liu, Kembhavi, Rastegari, Yosinski, Farhadi, "Supermasks in
superposition", NeurIPS 2020 (arXiv:2006.14769).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.search import buffers
from strongticket.search.engine import MaskSearch
from strongticket.search.written import live
from strongticket.tickets import Ticket


class PerTask:
    """A search for each task over the same live model and the same frozen weights.

    `make` makes a search of the network, for example ``lambda network: EdgePopup(network, 0.3)``;
    it is called once a task, when the task is first asked for. ``tasks[name]`` puts that task's
    weights and buffers (norm statistics) into the model and returns its search, an optimizer; the
    other searches cannot step meanwhile. Their tickets share one network.
    """

    def __init__(self, network: Network, make: Callable[[Network], MaskSearch]) -> None:
        self.network = network
        self._make = make
        self._model = live(network)[0]
        self._searches: dict[Hashable, MaskSearch] = {}
        self._held: dict[Hashable, dict[str, Tensor]] = {}
        self._first = {n: b.clone() for n, b in buffers.tensors(self._model).items()}
        self._active: Hashable | None = None

    def __getitem__(self, task: Hashable) -> MaskSearch:
        """The search of a task, its weights in the model; a new task begins a new search."""
        if task is None:
            raise InputError("a task needs a name other than None")
        if task == self._active:
            return self._searches[task]
        new = task not in self._searches
        last = self._active
        if last is not None:
            self._held[last] = self._searches[last].leave()
        self._active = None
        try:
            if new:
                self._begin(task)
            else:
                self._searches[task].enter(self._held.pop(task))
        except BaseException:
            if last is not None:  # what was in the model is put back
                self._searches[last].enter(self._held.pop(last))
                self._active = last
            raise
        self._active = task
        return self._searches[task]

    def __iter__(self) -> Iterator[Hashable]:
        """The tasks so far."""
        return iter(self._searches)

    def __len__(self) -> int:
        """The number of tasks so far."""
        return len(self._searches)

    @property
    def active(self) -> Hashable | None:
        """The task whose weights the model holds; None before the first."""
        return self._active

    def tickets(self) -> dict[Hashable, Ticket]:
        """A ticket for each task; the model then holds the weights of the task it held before."""
        before = self._active
        found = {task: self[task].ticket() for task in list(self._searches)}
        self._go(before)
        return found

    def state_dict(self) -> dict[str, Any]:
        """The state of every search, and which of them is in the model: resumes bit for bit."""
        before, found = self._active, {}
        for task in list(self._searches):
            state = self[task].state_dict()
            held = state["search"]["buffers"]  # the live model's, which the next task overwrites
            state["search"]["buffers"] = {name: buffer.clone() for name, buffer in held.items()}
            found[task] = state
        self._go(before)
        return {"tasks": found, "active": before}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Resume from `state_dict`; tasks that were not begun here are.

        Raises InputError as the load of a search does, naming the task, and for a state that lacks
        a task begun here; then all searches are as they were.
        """
        saved = state_dict.get("tasks") if isinstance(state_dict, Mapping) else None
        if not isinstance(saved, Mapping) or state_dict.get("active") not in {None, *saved}:
            raise InputError("a PerTask resumes from its own state_dict(); this one is of no such")
        if lacking := [task for task in self._searches if task not in saved]:
            raise InputError(f"the state lacks the tasks {lacking}, which were begun here")
        before = copy.deepcopy(self.state_dict())
        try:
            for task, state in saved.items():
                try:
                    self[task].load_state_dict(state)
                except InputError as error:
                    raise InputError(f"task {task!r}: {error}") from None
        except BaseException:
            for task in list(self._searches):
                if task in before["tasks"]:
                    self[task].load_state_dict(before["tasks"][task])
                else:
                    self._forget(task)
            self._go(before["active"])
            raise
        self._go(state_dict["active"])

    def _go(self, task: Hashable | None) -> None:
        if task is not None:
            self[task]

    def _forget(self, task: Hashable) -> None:
        del self._searches[task]
        self._held.pop(task, None)
        if self._active == task:
            self._active = None

    @torch.no_grad()
    def guess(self, x: Tensor) -> Hashable:
        """The task whose mask is surest of these inputs: the least mean entropy of its outputs.

        (b, ...) inputs, of which the model must make (b, classes) logits. The model is run once a
        task, as it stands (call ``model.eval()`` first if it has norms), and then holds the
        weights of the task it held before. The paper's one-step gradient over mixed masks is
        cheaper for very many tasks; this is its exhaustive form.
        """
        if not self._searches:
            raise InputError("there is no task to guess: ask for one by its name first")
        before, entropies = self._active, {}
        for task in list(self._searches):
            search = self[task]
            with search.evaluating():
                chances = self._model(x).float().log_softmax(-1)
            entropies[task] = float(-(chances.exp() * chances).sum(-1).mean())
        self._go(before)
        return min(entropies, key=lambda task: entropies[task])

    def _begin(self, task: Hashable) -> None:
        with torch.no_grad():
            present = live(self.network)[1]
            for name in self.network.masked:
                weights = torch.tensor(self.network.weights(name))
                present[name].copy_(weights.to(present[name].dtype))
        buffers.restore(self._model, self._first)
        self._searches[task] = self._make(self.network)
