"""CIFAR-10 batches: read without running code, and refused by name where they are damaged."""

from __future__ import annotations

import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strongticket.datasets._cifar import _batch
from strongticket.errors import InputError

PIXELS = np.zeros((10_000, 3072), np.uint8)
LABELS = list(range(10)) * 1000


def stored(path: Path, labels: Any) -> Path:
    path.write_bytes(pickle.dumps({b"data": PIXELS, b"labels": labels}, protocol=2))
    return path


def test_a_batch_is_read(tmp_path: Path) -> None:
    x, y = _batch(stored(tmp_path / "b", LABELS))
    assert x.shape == (10_000, 3072)
    assert y.tolist() == LABELS


@pytest.mark.parametrize("label", [10, -1, 1.5, "a"])
def test_labels_are_those_of_ten_classes(label: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must hold labels 0 to 9"):
        _batch(stored(tmp_path / "b", [label] * 10_000))


def test_a_damaged_batch_is_refused_whatever_its_bytes_ask_for(tmp_path: Path) -> None:
    path, dice = tmp_path / "b", random.Random(0)
    head = pickle.dumps({b"data": PIXELS[:1], b"labels": LABELS[:9]}, protocol=2)[:300]
    for _ in range(100):
        data = bytearray(head)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        path.write_bytes(bytes(data))
        with pytest.raises(InputError, match="is no CIFAR-10 batch"):
            _batch(path)


def test_a_batch_runs_no_code(tmp_path: Path) -> None:
    path = tmp_path / "b"
    path.write_bytes(b"cos\nsystem\n(S'exit 3'\ntR.")
    with pytest.raises(InputError, match=r"it asks for os\.system"):
        _batch(path)
