"""Modules of every kind, and models built as torchvision, timm and transformers build theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 3


def _noise(*shape: int) -> Tensor:
    return torch.randn(12, *shape, generator=torch.Generator().manual_seed(0))


def _words(length: int, size: int = 7) -> Tensor:
    return torch.randint(0, size, (12, length), generator=torch.Generator().manual_seed(0))


class Head(nn.Module):
    """A module, then the mean over all positions but the last axis, then a linear layer."""

    def __init__(self, body: nn.Module, width: int) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        found = self.body(x)
        found = found[0] if isinstance(found, tuple) else found
        out: Tensor = self.head(found.flatten(1, -2).mean(1) if found.dim() > 2 else found)
        return out


class Attend(nn.Module):
    def __init__(self, width: int, **options: int | bool) -> None:
        super().__init__()
        self.mha = nn.MultiheadAttention(width, 2, batch_first=True, **options)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        sizes = self.mha.kdim or x.shape[-1], self.mha.vdim or x.shape[-1]
        out: Tensor = self.mha(x, x[..., : sizes[0]], x[..., : sizes[1]])[0]
        return out


class Twice(nn.Module):
    """Bilinear in (x, x); or an encoder and decoder of the same sequence."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x, x)
        return out


class Steps(nn.Module):
    """A recurrent cell over a sequence."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for one in x.unbind(1):
            state = self.cell(one, state)
        out: Tensor = state[0] if isinstance(state, tuple) else state
        return out


def _conv(layer: nn.Module, *more: nn.Module, features: int) -> nn.Sequential:
    return nn.Sequential(layer, *more, nn.ReLU(), nn.Flatten(), nn.Linear(features, CLASSES))


class BasicBlock(nn.Module):
    """As torchvision's: two 3x3 convolutions with batch norms, and a shortcut."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.downsample = None
        if stride != 1 or inside != outside:
            conv = nn.Conv2d(inside, outside, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, grouped 3x3, 1x1."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        half = outside // 2
        self.conv1 = nn.Conv2d(inside, half, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(half)
        self.conv2 = nn.Conv2d(half, half, 3, stride, 1, groups=2, bias=False)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = nn.Conv2d(half, outside, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        self.downsample = nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn3(self.conv3(functional.relu(self.bn2(self.conv2(out)))))
        return functional.relu(out + self.downsample(x))


class ResNet(nn.Module):
    def __init__(self, block: Callable[[int, int, int], nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(block(8, 8, 1))
        self.layer2 = nn.Sequential(block(8, 16, 2))
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.layer1(functional.relu(self.bn1(self.conv1(x)))))
        out: Tensor = self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))
        return out


class MobileNet(nn.Module):
    """Inverted residuals: expand, depthwise, project; ReLU6; squeeze and excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8))
        self.expand = nn.Sequential(nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
        depthwise = nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False)
        self.depthwise = nn.Sequential(depthwise, nn.BatchNorm2d(16), nn.Hardswish())
        self.squeeze, self.excite = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
        self.project = nn.Sequential(nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(8, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        inner = self.depthwise(self.expand(x))
        weight = self.excite(
            functional.relu(self.squeeze(functional.adaptive_avg_pool2d(inner, 1)))
        )
        x = x + self.project(inner * functional.hardsigmoid(weight))
        out: Tensor = self.classifier(x.mean((2, 3)))
        return out


class LayerScale(nn.Module):
    """As timm's: a factor a channel; a parameter there, a buffer where a ticket shall store it."""

    def __init__(self, width: int, *, buffer: bool) -> None:
        super().__init__()
        value = torch.full((width,), 0.1)
        if buffer:
            self.register_buffer("gamma", value)
        else:
            self.gamma = nn.Parameter(value)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class ViTBlock(nn.Module):
    """Pre-norm, one fused qkv projection, layer scale."""

    def __init__(self, width: int, *, buffer: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.ls1, self.ls2 = (LayerScale(width, buffer=buffer) for _ in range(2))
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, n, 3, 2, d // 2).permute(2, 0, 3, 1, 4)
        heads = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d)
        x = x + self.ls1(self.proj(heads))
        out: Tensor = x + self.ls2(self.mlp(self.norm2(x)))
        return out


class ViT(nn.Module):
    def __init__(self, *, buffer: bool = True) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, 4)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 16))
        self.pos_embed = nn.Parameter(torch.randn(1, 5, 16) * 0.02)
        self.blocks = nn.Sequential(ViTBlock(16, buffer=buffer), ViTBlock(16, buffer=buffer))
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        out: Tensor = self.head(self.norm(self.blocks(x))[:, 0])
        return out


@dataclass(frozen=True)
class Config:
    """What a transformers model is made from."""

    vocab_size: int = 7
    n_positions: int = 6
    n_embd: int = 16
    n_head: int = 2
    n_layer: int = 2


class Conv1D(nn.Module):
    """GPT-2's linear layer: its weight is (inputs, outputs)."""

    def __init__(self, outputs: int, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs) * 0.02)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


class GPTBlock(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        d = config.n_embd
        self.config = config
        self.ln_1, self.ln_2 = nn.LayerNorm(d), RMSNorm(d)
        self.c_attn, self.c_proj = Conv1D(3 * d, d), Conv1D(d, d)
        self.c_fc, self.c_out = Conv1D(2 * d, d), Conv1D(d, 2 * d)
        causal = torch.ones(config.n_positions, config.n_positions, dtype=torch.bool).tril()
        self.register_buffer("bias", causal, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        q, k, v = (
            t.reshape(b, n, self.config.n_head, -1).transpose(1, 2)
            for t in self.c_attn(self.ln_1(x)).split(d, -1)
        )
        heads = functional.scaled_dot_product_attention(q, k, v, attn_mask=self.bias[:n, :n])
        x = x + self.c_proj(heads.transpose(1, 2).reshape(b, n, d))
        out: Tensor = x + self.c_out(functional.gelu(self.c_fc(self.ln_2(x))))
        return out


class GPT(nn.Module):
    """A language model whose read-out is its embedding."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        self.h = nn.ModuleList([GPTBlock(config) for _ in range(config.n_layer)])
        self.ln_f = nn.LayerNorm(config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, words: Tensor) -> Tensor:
        x = self.wte(words) + self.wpe(torch.arange(words.shape[1], device=words.device))
        for block in self.h:
            x = block(x)
        out: Tensor = self.lm_head(self.ln_f(x))[:, -1]
        return out


def _encoder(**options: bool | str | float) -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, **options)  # type: ignore[arg-type]
    return Head(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), 8)


Make = Callable[[], nn.Module]
KINDS: dict[str, tuple[Make, Tensor]] = {
    "linear": (
        lambda: nn.Sequential(nn.Linear(6, 8), nn.PReLU(8), nn.RMSNorm(8), nn.Linear(8, CLASSES)),
        _noise(6),
    ),
    "bilinear": (lambda: Head(Twice(nn.Bilinear(6, 6, 8)), 8), _noise(6)),
    "conv1d": (
        lambda: _conv(nn.Conv1d(4, 8, 3, groups=2, dilation=2), features=40),
        _noise(4, 9),
    ),
    "conv2d": (
        lambda: _conv(nn.Conv2d(4, 8, 3, 2, groups=4), nn.BatchNorm2d(8), features=32),
        _noise(4, 5, 5),
    ),
    "conv3d": (
        lambda: _conv(nn.Conv3d(2, 4, 2), nn.BatchNorm3d(4, affine=False), features=108),
        _noise(2, 4, 4, 4),
    ),
    "transposed 1d": (
        lambda: _conv(nn.ConvTranspose1d(4, 6, 3, groups=2), features=48),
        _noise(4, 6),
    ),
    "transposed 2d": (
        lambda: _conv(
            nn.ConvTranspose2d(4, 6, 3, 2), nn.InstanceNorm2d(6, affine=True), features=294
        ),
        _noise(4, 3, 3),
    ),
    "transposed 3d": (
        lambda: _conv(nn.ConvTranspose3d(2, 4, 2), nn.GroupNorm(2, 4), features=256),
        _noise(2, 3, 3, 3),
    ),
    "embedding": (lambda: Head(nn.Embedding(7, 4, padding_idx=0), 4), _words(3)),
    "sparse embedding": (lambda: Head(nn.Embedding(7, 4, sparse=True), 4), _words(3)),
    "embedding bag": (
        lambda: Head(nn.EmbeddingBag(7, 4, padding_idx=0, sparse=True, mode="sum"), 4),
        _words(3),
    ),
    "attention": (lambda: Head(Attend(8), 8), _noise(4, 8)),
    "attention, k and v": (lambda: Head(Attend(8, kdim=5, vdim=6), 8), _noise(4, 8)),
    "attention, bias_kv": (lambda: Head(Attend(8, add_bias_kv=True), 8), _noise(4, 8)),
    "encoder": (lambda: _encoder(dropout=0.1), _noise(4, 8)),
    "pre-norm encoder": (
        lambda: _encoder(norm_first=True, activation="gelu", dropout=0.0),
        _noise(4, 8),
    ),
    "transformer": (
        lambda: Head(Twice(nn.Transformer(8, 2, 1, 1, 16, batch_first=True)), 8),
        _noise(4, 8),
    ),
    "rnn": (
        lambda: Head(nn.RNN(6, 8, 2, bidirectional=True, batch_first=True), 16),
        _noise(5, 6),
    ),
    "lstm": (lambda: Head(nn.LSTM(6, 8, 2, batch_first=True), 8), _noise(5, 6)),
    "gru": (lambda: Head(nn.GRU(6, 8, batch_first=True), 8), _noise(5, 6)),
    "lstm cell": (lambda: Head(Steps(nn.LSTMCell(6, 8)), 8), _noise(3, 6)),
    "gru cell": (lambda: Head(Steps(nn.GRUCell(6, 8)), 8), _noise(3, 6)),
    "resnet of basic blocks": (lambda: ResNet(BasicBlock), _noise(3, 8, 8)),
    "resnet of bottlenecks": (lambda: ResNet(Bottleneck), _noise(3, 8, 8)),
    "mobilenet": (MobileNet, _noise(3, 8, 8)),
    "vit": (ViT, _noise(3, 8, 8)),
    "gpt": (lambda: GPT(Config()), _words(6)),
}
