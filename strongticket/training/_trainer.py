"""The plain trainer: by the iteration, evaluated at fixed iterations, repeatable."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from strongticket import philox
from strongticket.errors import InputError, SearchError
from strongticket.training._data import Split, permutation
from strongticket.training._hold import hold
from strongticket.training._recipe import Evaluation, History, Recipe

_CHUNK = 1000  # examples evaluated at once: their activations stay in cache


@dataclass(frozen=True, eq=False)
class Trainer:
    """Train a classifier by a recipe: ``trainer(model, masks, start, stop)`` gives its history.

    The iterations from `start` to before `stop` (None: the recipe's steps) are run with a fresh
    optimizer; `stop` may lie beyond the recipe's end, where the last rate stays. Masked weights
    are exactly zero after every step, or exactly what `values` has for them, by parameter name.
    `seed` orders the data, and draws dropout; torch's own generator is left alone.

    Raises SearchError if a loss is not finite, InputError if the model has nothing to train.
    """

    data: Split
    recipe: Recipe
    seed: int = 0
    progress: Callable[[int, int], None] | None = field(default=None, repr=False)
    values: Mapping[str, Tensor] | None = field(default=None, repr=False)

    def __call__(
        self,
        model: nn.Module,
        masks: Mapping[str, Tensor] | None = None,
        start: int = 0,
        stop: int | None = None,
    ) -> History:
        """Train `model` in place, from iteration `start` to before `stop`."""
        recipe, stop = self.recipe, self.recipe.steps if stop is None else stop
        if not 0 <= start <= stop:
            raise InputError(f"training needs 0 <= start <= stop, got {start=}, {stop=}")
        parameters = [p for p in model.parameters() if p.requires_grad]
        if not parameters:
            raise InputError("training needs a parameter with requires_grad, the model has none")
        optimizer = recipe.make(parameters)
        found: list[Evaluation] = []
        with contextlib.ExitStack() as stack:
            device = self.data.train_x.device
            gpus = [device] if device.type == "cuda" else []
            stack.enter_context(torch.random.fork_rng(devices=gpus))
            torch.manual_seed(philox.stream(f"training {self.seed}", str(start)) >> 1)
            if masks:
                write = self.values is not None and recipe.weight_decay != 0
                stack.enter_context(
                    hold(model, optimizer, masks, values=self.values, write_each_step=write)
                )
            self._evaluate(model, start, start == stop, found)
            model.train()
            for step, (x, y) in zip(range(start, stop), self._batches(start), strict=False):
                for group in optimizer.param_groups:
                    group["lr"] = recipe.rate_at(step)
                optimizer.zero_grad()
                torch.autograd.backward(nn.functional.cross_entropy(model(x), y))
                optimizer.step()
                done = step + 1
                if done == stop or done % recipe.every == 0:
                    self._evaluate(model, done, done == stop, found)
                    model.train()
                    if self.progress is not None:
                        self.progress(done - start, stop - start)
        model.eval()
        return History(tuple(found))

    def _batches(self, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches from iteration `start` on, without end."""
        x, y, batch = self.data.train_x, self.data.train_y, self.recipe.batch
        epoch_steps = -(-len(x) // batch)
        epoch, first = divmod(start, epoch_steps)
        for number in itertools.count(epoch):
            order = torch.from_numpy(permutation(self.seed, f"training order {number}", len(x)))
            for index in torch.split(order.to(x.device), batch)[first:]:
                yield x.index_select(0, index), y.index_select(0, index)
            first = 0

    def _evaluate(self, model: nn.Module, step: int, last: bool, found: list[Evaluation]) -> None:
        data = self.data
        loss, right = evaluate(model, data.valid_x, data.valid_y)
        if not math.isfinite(loss):
            raise SearchError(
                f"the validation loss must stay finite, it is {loss} after {step} iterations; "
                "lower the rate"
            )
        best = all(loss < e.loss for e in found)
        if last or best or self.recipe.test == "always":
            found.append(Evaluation(step, loss, right, *evaluate(model, data.test_x, data.test_y)))
        else:
            found.append(Evaluation(step, loss, right))


def evaluate(model: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    """(mean cross-entropy, fraction right) of a classifier in evaluation mode."""
    model.eval()
    loss, right = torch.zeros((), dtype=torch.float64), 0
    with torch.no_grad():
        for part, labels in zip(torch.split(x, _CHUNK), torch.split(y, _CHUNK), strict=True):
            out = model(part)
            loss += nn.functional.cross_entropy(out, labels, reduction="sum").double().cpu()
            right += int((out.argmax(1) == labels).sum())
    return float(loss) / len(x), right / len(x)
