"""Annotated arguments resolve by themselves, and importing Hypothesis stays cheap."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies._internal.types import _global_type_lookup

from strongticket import MLP, Ball, Box, Law, Mask, Network, Normal, Target, Ticket, Uniform
from strongticket.testing import SubsetSum, _plugin

_plugin.register()
ROOT = Path(__file__).parents[2]


def run(code: str, **environment: str) -> list[str]:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    return done.stdout.split()


@given(...)
@settings(max_examples=20)
def test_annotated_arguments_resolve(
    ticket: Ticket, target: Target, network: Network, mask: Mask, law: Law, problem: SubsetSum
) -> None:
    assert isinstance(ticket, Ticket)
    assert set(ticket.mask) == set(ticket.network.masked)
    assert isinstance(target, Target)
    assert isinstance(network, Network)
    assert isinstance(mask, Mask)
    assert isinstance(law, Law)
    assert isinstance(problem, SubsetSum)


@given(
    st.builds(dict, box=st.from_type(Box), ball=st.from_type(Ball), either=st.from_type(Box | Ball))
)
@settings(max_examples=20)
def test_domains_resolve_within_their_own_type(made: dict[str, Any]) -> None:
    assert isinstance(made["box"], Box)
    assert isinstance(made["ball"], Ball)
    assert isinstance(made["either"], Box | Ball)


@given(st.from_type(Uniform), st.from_type(Normal), st.from_type(MLP))
@settings(max_examples=20)
def test_a_subclass_resolves_to_itself(uniform: Uniform, normal: Normal, mlp: MLP) -> None:
    assert type(uniform) is Uniform
    assert type(normal) is Normal
    assert isinstance(mlp, MLP)


@given(st.from_type(Mapping[str, int]), st.from_type(Mapping))
@settings(max_examples=30)
def test_other_peoples_mappings_are_no_masks(some: Mapping[str, int], any_: Mapping) -> None:
    assert not isinstance(some, Mask)
    assert not isinstance(any_, Mask)


def test_every_registered_type_exists_and_is_registered() -> None:
    from strongticket import testing

    for module, kinds in _plugin.TYPES.items():
        for name, strategy in kinds.items():
            assert getattr(sys.modules[module], name) in _global_type_lookup
            assert callable(getattr(testing, strategy))


def test_registering_twice_watches_once() -> None:
    _plugin.register()
    _plugin.register()
    assert sum(isinstance(finder, _plugin._Watch) for finder in sys.meta_path) == 1


HOOK = "from strongticket.testing import _plugin; _plugin.register()\n"
LOADED = "print(*(n for n in {names!r} if n in sys.modules))"
HEAVY = ("torch", "numba", "cvxpy", "sympy", "scipy", "networkx")


def test_the_hook_imports_nothing_but_itself() -> None:
    names = (*HEAVY, "numpy", "hypothesis", "strongticket.networks", "strongticket.laws")
    assert run("import sys\n" + HOOK + LOADED.format(names=names)) == []


def test_the_check_of_imports_can_fail() -> None:
    names = ("numpy", "strongticket.laws")
    assert run("import sys, strongticket.laws\n" + LOADED.format(names=names)) == list(names)


@pytest.mark.parametrize("before", ["", "import strongticket.tickets\n"])
def test_types_are_registered_whichever_is_imported_first(before: str) -> None:
    code = (
        "import sys\n" + before + "import hypothesis\n" + HOOK + "from strongticket import Ticket\n"
        "from hypothesis import strategies as st, find\n"
        "print(type(find(st.from_type(Ticket), lambda t: True)).__name__)\n"
        + LOADED.format(names=HEAVY)
    )
    assert run(code) == ["Ticket"]


def test_drawing_values_loads_no_torch() -> None:
    code = (
        "import sys\nfrom strongticket import testing\nfrom strongticket import Box\n"
        "from hypothesis import find\n"
        "for s in (testing.tickets(), testing.targets(), testing.subset_sums(), testing.masks(),\n"
        "          testing.two_layer_tickets(), testing.inputs(Box(0, 1), 2), testing.dyadics()):\n"
        "    find(s, lambda v: True)\n" + LOADED.format(names=HEAVY)
    )
    assert run(code) == []


def test_importing_testing_loads_nothing() -> None:
    code = "import sys, strongticket.testing\n" + LOADED.format(names=(*HEAVY, "hypothesis"))
    assert run(code) == []


def test_the_table_of_contents_is_complete() -> None:
    from strongticket import testing

    assert all(getattr(testing, name) is not None for name in testing.__all__)
    assert dir(testing) == sorted(testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = testing.nonsense


def test_modules_under_watch_import_as_ever() -> None:
    code = HOOK + (
        "import importlib.resources, inspect, strongticket.laws as laws\n"
        "print(type(laws.__loader__).__name__, laws.__spec__.origin == laws.__file__)\n"
        "print(len(laws._normal._normal_table()), 'Uniform' in inspect.getsource(laws))\n"
        "import importlib; print(importlib.reload(laws) is laws)"
    )
    assert run(code) == ["SourceFileLoader", "True", "32", "True", "True"]


def test_a_missing_module_is_still_missing() -> None:
    assert _plugin._Watch().find_spec("strongticket.nothing", None) is None
    assert _plugin._Watch().find_spec("strongticket.laws", ["/nowhere"]) is None


def test_hypothesis_finds_the_hook_by_itself(tmp_path: Path) -> None:
    """An installed distribution that declares the entry point, as strongticket does."""
    info = tmp_path / "declares-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: declares\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[hypothesis]\n_ = strongticket.testing._plugin:register\n"
    )
    code = (
        "import sys\nfrom hypothesis import given, settings\n"
        + LOADED.format(names=(*HEAVY, "numpy", "strongticket.laws"))
        + "\nfrom strongticket import Ticket\n"
        "@settings(max_examples=3, database=None)\n@given(...)\n"
        "def test(ticket: Ticket): print(type(ticket).__name__)\n"
        "test()\n" + LOADED.format(names=HEAVY)
    )
    paths = os.pathsep.join((str(tmp_path), str(ROOT)))
    assert set(run(code, PYTHONPATH=paths)) == {"Ticket"}


def test_the_entry_point_is_the_one_that_is_tested() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = table.get("entry-points", {}).get("hypothesis")
    if declared is None:
        pytest.skip("pyproject.toml declares no entry point for Hypothesis yet")
    assert list(declared.values()) == ["strongticket.testing._plugin:register"]
