"""Hypothesis's entry point: annotated arguments of strongticket's types resolve by themselves.

Hypothesis calls `register` when it is imported, in every project where strongticket is installed.
So nothing of strongticket is imported then: a type is registered when its own module is first
imported (at once where it already was), and its strategy is made when it is first asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# module -> {type: name of its strategy in strongticket.testing}
TYPES: dict[str, dict[str, str]] = {
    "strongticket.laws": dict.fromkeys(("Law", "Normal", "SignedConstant", "Uniform"), "laws"),
    "strongticket.networks": {"MLP": "architectures", "Network": "networks"},
    "strongticket.targets": {"Ball": "domains", "Box": "domains", "Target": "targets"},
    "strongticket.tickets": {"Mask": "masks", "Ticket": "tickets"},
    "strongticket.testing._subset_sums": {"SubsetSum": "subset_sums"},
}


def register() -> None:
    """Register the types that are imported, and watch for the others; calling twice is harmless."""
    for name in TYPES:
        if (module := sys.modules.get(name)) is not None:
            _register(module)
    if not any(isinstance(finder, _Watch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watch())


class _Watch(MetaPathFinder):
    """Finds strongticket's modules as ever, and registers their types once they are executed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The ordinary spec with a loader that registers; None for every other module."""
        if fullname not in TYPES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            if module.__name__ == fullname:  # a zip archive has one loader for all its modules
                _register(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _register(module: ModuleType) -> None:
    from hypothesis.strategies import register_type_strategy

    for name, strategy in TYPES[module.__name__].items():
        kind = getattr(module, name, None)
        if isinstance(kind, type):  # absent while the module is still being executed
            register_type_strategy(kind, _maker(kind, strategy))


def _maker(kind: type, name: str) -> Any:
    def make(thing: type) -> SearchStrategy[Any]:
        # Hypothesis also asks for base classes and for Mapping[...] where a Mask would be one.
        if thing is not kind:
            return NotImplemented  # type: ignore[no-any-return]
        from strongticket import testing

        strategy = getattr(testing, name)
        found: SearchStrategy[Any] = strategy(kind) if name in ("laws", "domains") else strategy()
        return found

    return make
