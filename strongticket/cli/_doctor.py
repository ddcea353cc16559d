"""What is installed, and what the machine offers."""

from __future__ import annotations

import importlib.metadata
import os
import platform

_PACKAGES = (
    "strongticket",
    "numpy",
    "numba",
    "scipy",
    "torch",
    "sympy",
    "cvxpy",
    "networkx",
    "hypothesis",
)


def findings() -> dict[str, str]:
    """One line a fact."""
    import torch

    found = {"python": platform.python_version()}
    for name in (*_PACKAGES, "safetensors", "rich", "tyro"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "NOT INSTALLED"
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only"
    found["torch build"] = build
    if torch.cuda.is_available():
        found["GPU"] = ", ".join(
            torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())
        )
    elif torch.version.cuda:
        found["GPU"] = "none, although torch is a CUDA build (several GB that do nothing here)"
    else:
        found["GPU"] = "none"
    affinity = getattr(os, "sched_getaffinity", None)  # Linux: the processors that we may use
    found["processors"] = str(len(affinity(0)) if affinity else os.cpu_count())
    found["torch threads"] = str(torch.get_num_threads())
    found["subset sums by"] = "numba" if found["numba"] != "NOT INSTALLED" else "NumPy (slower)"
    try:
        import cvxpy

        found["solvers of cvxpy"] = ", ".join(cvxpy.installed_solvers())
    except ImportError as error:
        found["solvers of cvxpy"] = f"cvxpy cannot be imported: {error}"
    return found
