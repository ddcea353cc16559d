"""Small fully connected ReLU networks: the targets of the demo and the experiments."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from strongticket.datasets import Images
from strongticket.errors import InputError


def train_relu(
    data: Images,
    hidden: Sequence[int],
    *,
    epochs: int,
    seed: int,
    biases: bool = False,
    rate: float = 1e-3,
    decay: float = 1e-4,
    batch: int = 128,
    progress: Callable[[str, int, int], None] | None = None,
) -> nn.Sequential:
    """A trained classifier with the given hidden widths: AdamW, cross-entropy, cosine schedule.

    `decay` is the share of every weight that a step takes away at the full rate (AdamW's
    weight_decay times the rate): more of it gives smaller norms, and with them narrower theorem
    networks. Inputs (N, d_0) as in `data`; the state of torch's own generator is left alone.
    """
    if min(epochs, batch, *hidden) < 1 or not rate > 0 or not decay >= 0:
        raise InputError(
            "training needs hidden widths, epochs and batch >= 1, rate > 0 and decay >= 0; got "
            f"{hidden=}, {epochs=}, {batch=}, {rate=}, {decay=}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        widths = [data.train_x.shape[1], *hidden, int(data.train_y.max()) + 1]
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(widths):
            layers += [nn.Linear(a, b, bias=biases), nn.ReLU()]
        model = nn.Sequential(*layers[:-1])
        x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
        steps = -(-len(x) // batch)
        optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay / rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps)
        for epoch in range(epochs):
            for index in torch.split(torch.randperm(len(x)), batch):
                optimizer.zero_grad()
                torch.autograd.backward(nn.functional.cross_entropy(model(x[index]), y[index]))
                optimizer.step()
                schedule.step()
            if progress is not None:
                progress("training the target", epoch + 1, epochs)
    return model.eval()


def accuracy(model: nn.Module, data: Images) -> float:
    """The fraction of test images that a classifier labels right, on the classifier's device."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    hits = []
    with torch.no_grad():
        for low in range(0, len(data.test_x), 1024):
            x = torch.from_numpy(data.test_x[low : low + 1024]).to(device)
            hits.append(model(x).argmax(1).cpu().numpy() == data.test_y[low : low + 1024])
    return float(np.concatenate(hits).mean())
