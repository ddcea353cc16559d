"""What all tests share: settings that keep runs repeatable, and where real data is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples at every run, and no deadline: no test asserts a time.
settings.register_profile("strongticket", derandomize=True, deadline=None)
for times in (10, 100):  # pytest --hypothesis-profile=strongticket-10 --timeout=0 tests/properties
    settings.register_profile(
        f"strongticket-{times}", settings.get_profile("strongticket"), max_examples=100 * times
    )
settings.load_profile("strongticket")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip `gpu` tests where there is no CUDA device; import torch only if one is collected."""
    gpu = [item for item in items if item.get_closest_marker("gpu")]
    if not gpu:
        return
    import torch

    if not torch.cuda.is_available():
        for item in gpu:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real image sets (`mnist/` and others), or a skip where none is given."""
    folder = os.environ.get("STRONGTICKET_DATA", "")
    if not folder:
        pytest.skip("no folder of real data: STRONGTICKET_DATA is not set")
    if not (Path(folder) / "mnist").is_dir():
        pytest.fail(f"STRONGTICKET_DATA is {folder!r}, which holds no folder mnist/")
    return Path(folder)
