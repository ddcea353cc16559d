"""Questions about a traced model: shapes, who writes in place, what cannot be cut."""

from __future__ import annotations

import operator
from collections import Counter
from typing import Any

from torch import Tensor, fx, nn
from torch.nn.utils import parametrize


class Shapes(fx.Interpreter):
    """Runs the model on the example and writes down every tensor's shape."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        found = super().run_node(n)
        if isinstance(found, Tensor):
            self.shapes[n] = tuple(found.shape)
        return found


def closed(model: nn.Module, graph: fx.Graph) -> dict[str, str]:
    """Modules that cannot be cut: called twice, of shared parameters, hooked or parametrized."""
    calls = Counter(str(node.target) for node in graph.nodes if node.op == "call_module")
    direct = {str(node.target).rpartition(".")[0] for node in graph.nodes if node.op == "get_attr"}
    owners: Counter[int] = Counter(id(p) for _, p in model.named_parameters(remove_duplicate=False))
    objects = Counter(id(module) for _, module in model.named_modules(remove_duplicate=False))
    found = {}
    for name, module in model.named_modules(remove_duplicate=False):
        own = list(module.parameters(recurse=False))
        if calls[name] > 1 or (calls[name] and objects[id(module)] > 1):
            found[name] = "is called more than once"
        elif any(owners[id(p)] > 1 for p in own) or (name in direct and own):
            found[name] = "shares its parameters"
        elif parametrize.is_parametrized(module):
            found[name] = "is parametrized"
        elif module._forward_hooks or module._forward_pre_hooks:
            found[name] = "has hooks (from_torch_prune removes those of torch's pruning)"
    return found


def says(node: fx.Node, modules: dict[str, nn.Module]) -> str:
    """What a node does, to name it in an answer."""
    if node.op == "call_module":
        return f"{node.target} ({type(modules[str(node.target)]).__name__})"
    return str(getattr(node.target, "__name__", node.target))


def in_place(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether a node may write into its first input."""
    if not node.args or not isinstance(node.args[0], fx.Node):
        return False
    if node.op == "call_module":
        return bool(getattr(modules[str(node.target)], "inplace", False))
    if node.op == "call_method":
        return str(node.target).endswith("_")
    inplace = node.target in (operator.iadd, operator.isub, operator.imul)
    named = getattr(node.target, "__name__", "").endswith("_")
    return inplace or named or bool(node.kwargs.get("inplace", False))


def is_batch(size: Any) -> bool:
    """Whether an argument is the size of the first axis."""
    return isinstance(size, fx.Node) and batch_size(size)


def batch_size(node: fx.Node) -> bool:
    """Whether a node is the size of the first axis, or a shape of which only that is read."""
    if node.op == "call_method" and node.target == "size":
        return bool(node.args[1:] == (0,))
    if node.op != "call_function":
        return False
    if node.target is operator.getitem:
        parent = node.args[0]
        return bool(node.args[1] == 0 and isinstance(parent, fx.Node) and _shape_of(parent))
    return _shape_of(node) and all(
        user.target is operator.getitem and user.args[1] == 0 for user in node.users
    )


def _shape_of(node: fx.Node) -> bool:
    return bool(node.op == "call_function" and node.target is getattr and node.args[1] == "shape")
