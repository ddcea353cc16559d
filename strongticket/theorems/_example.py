"""The small target that the pictures of gadgets are made for."""

from __future__ import annotations

import numpy as np

from strongticket.targets import Box, Target


def example_target() -> Target:
    """A 2-2-1 network on [0, 1]^2, its weights of both signs."""
    first = np.array([[0.3, -0.2], [0.15, 0.35]], np.float32)
    second = np.array([[0.25, -0.3]], np.float32)
    return Target([(first, None), (second, None)], Box(0.0, 1.0))
