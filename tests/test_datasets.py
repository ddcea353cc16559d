"""The shipped digits, and idx folders: what is read, and what is refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from strongticket.datasets import digits, idx_folder
from strongticket.errors import InputError

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx(array: NDArray[np.uint8]) -> bytes:
    head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return head + array.tobytes()


def arrays() -> dict[str, NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    shapes = dict(zip(NAMES, [(20, 3, 4), (20,), (5, 3, 4), (5,)], strict=True))
    return {n: random.integers(0, 10, shape).astype(np.uint8) for n, shape in shapes.items()}


def written(folder: Path, data: dict[str, NDArray[np.uint8]], zipped: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in data.items():
        content = idx(array)
        end, content = (".gz", gzip.compress(content)) if zipped else ("", content)
        (folder / f"{name}{end}").write_bytes(content)
    return folder


def test_the_shipped_digits() -> None:
    data = digits()
    assert (data.train_x.shape, data.test_x.shape) == ((1397, 64), (400, 64))
    assert (data.train_x.dtype, data.train_y.dtype) == (np.float32, np.int64)
    every = np.concatenate([data.train_x, data.test_x])
    assert (every.min(), every.max()) == (0.0, 1.0)
    assert np.array_equal(every * 16, np.rint(every * 16))
    assert sorted(set(data.train_y) | set(data.test_y)) == list(range(10))
    assert np.bincount(data.test_y).min() > 30


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("below", ["", "raw", "MNIST/raw", "FashionMNIST/raw", "mnist"])
def test_an_idx_folder_is_read(tmp_path: Path, below: str, zipped: bool) -> None:
    given = arrays()
    written(tmp_path / below, given, zipped)
    data = idx_folder(tmp_path)
    assert np.array_equal(np.rint(data.train_x * 255), given[NAMES[0]].reshape(20, 12))
    assert np.array_equal(data.train_y, given[NAMES[1]])
    assert np.array_equal(np.rint(data.test_x * 255), given[NAMES[2]].reshape(5, 12))
    assert np.array_equal(data.test_y, given[NAMES[3]])
    assert data.train_x.dtype == np.float32


def test_pixels_lie_between_0_and_1(tmp_path: Path) -> None:
    given = arrays()
    given[NAMES[0]][0, 0, :2] = 0, 255
    x = idx_folder(written(tmp_path, given)).train_x
    assert (x.min(), x.max()) == (0.0, 1.0)


def gone(folder: Path) -> None:
    (folder / NAMES[3]).unlink()


def empty(folder: Path) -> None:
    for name in NAMES:
        (folder / name).unlink()


def cut(folder: Path) -> None:
    path = folder / NAMES[2]
    path.write_bytes(path.read_bytes()[:-3])


def long(folder: Path) -> None:
    path = folder / NAMES[0]
    path.write_bytes(path.read_bytes() + b"\0")


def cut_gzip(folder: Path) -> None:
    content = gzip.compress((folder / NAMES[1]).read_bytes())
    (folder / NAMES[1]).unlink()
    (folder / f"{NAMES[1]}.gz").write_bytes(content[:-9])


def broken_gzip(folder: Path) -> None:
    content = bytearray(gzip.compress((folder / NAMES[2]).read_bytes()))
    (folder / NAMES[2]).unlink()
    content[10] ^= 0xFF
    (folder / f"{NAMES[2]}.gz").write_bytes(content)


def swapped(folder: Path) -> None:
    (folder / NAMES[0]).rename(folder / "x")
    (folder / NAMES[1]).rename(folder / NAMES[0])
    (folder / "x").rename(folder / NAMES[1])


def floats(folder: Path) -> None:
    (folder / NAMES[0]).write_bytes(bytes((0, 0, 13, 3)) + bytes(12))


def no_header(folder: Path) -> None:
    (folder / NAMES[0]).write_bytes(bytes((0, 0, 8, 3, 0)))


def fewer_labels(folder: Path) -> None:
    written(folder, {NAMES[1]: np.zeros(19, np.uint8)})


def no_images(folder: Path) -> None:
    written(folder, {NAMES[2]: np.zeros((0, 3, 4), np.uint8), NAMES[3]: np.zeros(0, np.uint8)})


def other_size(folder: Path) -> None:
    written(folder, {NAMES[2]: np.zeros((5, 4, 4), np.uint8)})


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (gone, f"cannot read .*{NAMES[3]}.gz"),
        (empty, f"holds no {NAMES[0]} or {NAMES[0]}.gz"),
        (cut, f"{NAMES[2]} is truncated: 5 x 3 x 4 = 60 bytes were needed, 57 came"),
        (long, f"{NAMES[0]} has more than its header says: .*240 bytes were needed, 241 came"),
        (cut_gzip, f"cannot read .*{NAMES[1]}.gz"),
        (broken_gzip, f"cannot read .*{NAMES[2]}.gz"),
        (swapped, f"{NAMES[0]} is not an idx file of unsigned bytes in 3"),
        (floats, f"{NAMES[0]} is not an idx file of unsigned bytes"),
        (no_header, f"{NAMES[0]} is not an idx file"),
        (fewer_labels, "20 images in .* and 19 labels"),
        (no_images, "0 images in .*some are needed"),
        (other_size, r"training images of \(3, 4\) and test images of \(4, 4\)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_folder_is_named(tmp_path: Path, spoil: Callable[[Path], Any], says: str) -> None:
    folder = written(tmp_path / "data", arrays())
    idx_folder(folder)
    spoil(folder)
    with pytest.raises(InputError, match=says):
        idx_folder(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no data folder .*none; give the folder with train-im"):
        idx_folder(tmp_path / "none")


@pytest.mark.data
def test_real_mnist(data_folder: Path) -> None:
    data = idx_folder(data_folder)
    assert (data.train_x.shape, data.test_x.shape) == ((60000, 784), (10000, 784))
    assert np.bincount(data.test_y).tolist()[:3] == [980, 1135, 1032]
