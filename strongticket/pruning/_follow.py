"""Follow the channels of a traced model from layer to layer.

Whatever is not known here keeps all channels that it touches: the answer is then larger than it
might be, and right.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F  # noqa: N812 - the name that everybody gives it

from strongticket.errors import InputError
from strongticket.pruning._constants import apply, call, channelwise, zeros_only
from strongticket.pruning._spaces import Spaces, Value, read, unknown
from strongticket.pruning._traced import Shapes, batch_size, closed, in_place, is_batch, says

_CONVS = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_SAME = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
_ELEMENTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Tanh, nn.Sigmoid, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Softplus, nn.Softsign),
    *(nn.LogSigmoid, nn.Tanhshrink),
)
_MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
_ADAPTIVE_POOLS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
_AVERAGE_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
_FUNCTIONS = (
    *(F.relu, F.relu6, F.leaky_relu, F.elu, F.selu, F.celu, F.gelu, F.silu, F.mish, F.tanh),
    *(F.sigmoid, F.hardtanh, F.hardswish, F.hardsigmoid, F.softplus, F.softsign),
    *(torch.relu, torch.tanh, torch.sigmoid, torch.relu_, torch.tanh_, torch.sigmoid_),
    *(F.elu_, F.leaky_relu_, F.hardtanh_),
)
_METHODS = ("relu", "relu_", "tanh", "tanh_", "sigmoid", "sigmoid_", "contiguous", "clone")
_FUNCTION_POOLS = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
_FUNCTION_AVERAGES = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
_FUNCTION_ADAPTIVE = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
_BINARY: dict[Any, Callable[[Any, Any], Any]] = {
    **dict.fromkeys((operator.add, operator.iadd, torch.add, "add", "add_"), operator.add),
    **dict.fromkeys((operator.sub, operator.isub, torch.sub, "sub", "sub_"), operator.sub),
    **dict.fromkeys((operator.mul, operator.imul, torch.mul, "mul", "mul_"), operator.mul),
}


def follow(model: nn.Module, example: tuple[Any, ...]) -> Spaces:
    """The channel spaces of a model in evaluation mode; InputError where it cannot be traced."""
    try:
        graph = fx.Tracer().trace(model)
    except Exception as error:  # a tracer runs the user's own forward, which may raise anything
        raise InputError(
            "shrink follows models that torch.fx can trace (no branch on the values or shapes of "
            f"tensors in forward), and this {type(model).__name__} stops it: {error}"
        ) from error
    runner = Shapes(fx.GraphModule(model, graph))
    runner.run(*example)
    return _Follower(model, graph, runner.shapes).spaces


class _Follower:
    def __init__(
        self, model: nn.Module, graph: fx.Graph, shapes: dict[fx.Node, tuple[int, ...]]
    ) -> None:
        self.spaces, self.shapes = Spaces(), shapes
        self.modules = dict(model.named_modules())
        self.values: dict[fx.Node, Value] = {}
        self.closed = closed(model, graph)
        for node in graph.nodes:
            found = self._one(node)
            if found is not None:
                self.values[node] = found
                if in_place(node, self.modules):  # whoever reads the input later reads this
                    self.values[node.args[0]] = found

    def _one(self, node: fx.Node) -> Value | None:
        """The value of a node, or None where it is not followed (and its inputs are pinned)."""
        made: Value | None = None
        if node.op == "call_module":
            made = self._module(node)
        elif node.op in ("call_function", "call_method"):
            if batch_size(node):
                return None
            made = self._function(node)
        if made is None:
            why = "output" if node.op == "output" else says(node, self.modules)
            for used in node.all_input_nodes:
                if (value := self.values.get(used)) is not None:
                    self.spaces.pin(value.space, why)
                    # It may have been written to in place, so later readers know no constant.
                    self.values[used] = value.with_constant(unknown(len(value.constant)))
        return made

    def _given(self, node: fx.Node) -> Value | None:
        first = node.args[0] if node.args else None
        return self.values.get(first) if isinstance(first, fx.Node) else None

    def _module(self, node: fx.Node) -> Value | None:
        name = str(node.target)
        module, value = self.modules[name], self._given(node)
        if name in self.closed or len(node.all_input_nodes) != 1 or len(node.args) != 1:
            return None
        kind = type(module)
        shape = self.shapes.get(node.all_input_nodes[0], ())
        if kind is nn.Linear or kind in _CONVS:
            return self._layer(name, module, value, len(shape))
        if value is None:
            return None
        constant = value.constant
        if kind in _SAME:
            return value
        if kind in _ELEMENTWISE or (kind is nn.PReLU and module.num_parameters == 1):
            return value.with_constant(apply(module, constant))
        if kind in (*_NORMS, nn.PReLU) and value.axis == 1 and value.repeat == 1:
            self.spaces.slices.append((name, value.space))
            return value.with_constant(channelwise(module, constant))
        if kind is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1):
            return self._flat(value, shape)
        if len(shape) < 3 or value.axis != 1 or getattr(module, "return_indices", False):
            return None
        if kind in (*_MAX_POOLS, *_ADAPTIVE_POOLS):
            return value
        if kind in _AVERAGE_POOLS:
            return value.with_constant(zeros_only(constant))
        return None

    def _layer(
        self, name: str, module: nn.Module, value: Value | None, dimensions: int
    ) -> Value | None:
        if isinstance(module, nn.Linear):
            units, axis, padded = module.out_features, dimensions - 1, False
        else:
            assert isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d))
            if dimensions != _CONVS[type(module)] + 2:
                return None  # one image without its batch: channels come first
            units, axis = module.out_channels, 1
            size = module.padding
            none = size == "valid" or (not isinstance(size, str) and not any(size))
            padded = not none and module.padding_mode == "zeros"
            if module.groups > 1:
                alone = module.groups == module.in_channels == module.out_channels
                if not alone or value is None or value.axis != 1 or value.repeat != 1:
                    return None
                return self._depthwise(name, module, value, padded)
        if value is not None and value.axis != axis:
            self.spaces.pin(value.space, name)
            value = None
        if value is None:
            value = self._unfollowed(name, module, axis)
        space = self.spaces.new(units)
        self.spaces.slices.append((name, space))
        reader, constant = read(name, module, value, space, padded)
        self.spaces.readers.append(reader)
        return Value(space, axis, constant)

    def _unfollowed(self, name: str, module: Any, axis: int) -> Value:
        """A layer's inputs where it is not known what they are: all of them stay."""
        size = module.in_features if isinstance(module, nn.Linear) else module.in_channels
        space = self.spaces.new(size)
        self.spaces.pin(space, f"the inputs of {name}")
        return Value(space, axis, unknown(size))

    def _depthwise(self, name: str, module: Any, value: Value, padded: bool) -> Value:
        """A convolution of each channel by itself: its channels are those that it reads."""
        self.spaces.slices.append((name, value.space))
        weight = module.weight.detach().double().cpu().reshape(len(value.constant), -1)
        constant = zeros_only(value.constant) if padded else value.constant
        constant = torch.where((weight != 0).any(1), weight.sum(1) * constant, 0.0)
        if module.bias is not None:
            constant = constant + module.bias.detach().double().cpu()
        return value.with_constant(constant)

    def _flat(self, value: Value, shape: tuple[int, ...]) -> Value | None:
        if value.axis != 1 or len(shape) < 2 or shape[1] != len(value.constant) * value.repeat:
            return None
        each = 1
        for size in shape[2:]:
            each *= size
        return Value(value.space, 1, value.constant, value.repeat * each)

    def _function(self, node: fx.Node) -> Value | None:
        if node.target in _BINARY:
            return self._binary(node)
        value = self._given(node)
        if value is None or len(node.all_input_nodes) < 1:
            return None
        shape = self.shapes.get(node.all_input_nodes[0], ())
        target, others = node.target, node.all_input_nodes[1:]
        if target in ("view", "reshape") or target is torch.reshape:
            sizes: Any = node.args[1:]
            sizes = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
            whole = len(sizes) == 2 and sizes[1] == -1 and is_batch(sizes[0])
            return self._flat(value, shape) if whole else None
        if others:
            return None
        if target in _FUNCTIONS or target in _METHODS:
            return value.with_constant(call(node, value.constant))
        if target is F.dropout:
            return value
        if target in (torch.flatten, "flatten"):
            flat = (*node.args[1:], *node.kwargs.values())
            return self._flat(value, shape) if flat in ((1,), (1, -1)) else None
        if len(shape) < 3 or value.axis != 1 or node.kwargs.get("return_indices"):
            return None
        if target in (*_FUNCTION_POOLS, *_FUNCTION_ADAPTIVE):
            return value
        if target in _FUNCTION_AVERAGES:
            return value.with_constant(zeros_only(value.constant))
        if target in (torch.mean, "mean"):
            axes: Any = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
            listed = [axes] if isinstance(axes, int) else axes
            if isinstance(listed, (tuple, list)):
                places = {int(axis) % len(shape) for axis in listed if isinstance(axis, int)}
                return value if places == set(range(2, len(shape))) else None
        return None

    def _binary(self, node: fx.Node) -> Value | None:
        if len(node.args) != 2 or node.kwargs:
            return None
        does = _BINARY[node.target]
        a, b = (self.values.get(x) if isinstance(x, fx.Node) else x for x in node.args)
        if isinstance(a, Value) and isinstance(b, (int, float)):
            return a.with_constant(does(a.constant, b))
        if isinstance(b, Value) and isinstance(a, (int, float)):
            return b.with_constant(does(a, b.constant))
        if not (isinstance(a, Value) and isinstance(b, Value)):
            return None
        shapes = [self.shapes.get(x) for x in node.all_input_nodes]
        if len(set(shapes)) != 1 or (a.axis, a.repeat) != (b.axis, b.repeat):
            return None
        space = self.spaces.unite(a.space, b.space)
        return Value(space, a.axis, does(a.constant, b.constant), a.repeat)
