"""Every kind of module, unmodified: exact masks, tickets, plain state_dicts, both front ends."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from search_models import train
from search_zoo import CLASSES, GPT, KINDS, BasicBlock, Config, LayerScale, Make, ResNet, ViT
from torch import Tensor, nn

from strongticket.errors import InputError
from strongticket.laws import Normal, SignedConstant
from strongticket.networks import Network
from strongticket.search import EdgePopup, keep_count
from strongticket.search.functional import Masked
from strongticket.search.gates import TopK
from strongticket.tickets import Ticket

STEPS = 3
LABELS = torch.arange(12) % CLASSES


def outputs(model: nn.Module, x: Tensor) -> Tensor:
    """The model's outputs in evaluation, twice: with autograd and (fast paths) without."""
    model.eval()
    with torch.no_grad():
        fast = model(x)
    return torch.stack([model(x).detach(), fast])


@pytest.mark.parametrize(("make", "x"), KINDS.values(), ids=KINDS)
def test_a_search_over_any_module(make: Make, x: Tensor, tmp_path: Path) -> None:
    model = make()
    keys, types = list(model.state_dict()), [type(m) for m in model.modules()]
    network = Network.sample(model, SignedConstant(), 0)
    search = EdgePopup(network, 0.4, lr=0.5, momentum=0.0, backend="torch")
    assert set(network.masked) == {n for n, p in model.named_parameters() if p.dim() > 1}
    before = {name: score.clone() for name, score in search.scores().items()}
    train(model, search, x, LABELS, 1)
    for name, score in search.scores().items():
        grad = model.get_parameter(name).grad
        assert grad is not None
        assert grad.to_dense().any()  # what it computes depends on every masked parameter
        step = grad.to_dense() * torch.from_numpy(network.weights(name)) * before[name].sign()
        assert torch.equal(score, before[name] - step * 0.5)
    train(model, search, x, LABELS, STEPS)
    masks = search.masks()
    for name, mask in masks.items():
        weights = torch.from_numpy(network.weights(name))
        assert int(mask.sum()) == keep_count(0.4, weights.numel())
        assert torch.equal(model.get_parameter(name).detach(), weights * mask)
    ticket = Ticket.load(search.ticket().save(tmp_path / "t.safetensors"))
    wanted = outputs(model, x)
    assert torch.equal(outputs(ticket.into(make()), x), wanted)
    plain = make()
    assert list(model.state_dict()) == list(plain.state_dict()) == keys
    assert [type(m) for m in model.modules()] == types
    plain.load_state_dict(model.state_dict())
    assert torch.equal(outputs(plain, x), wanted)


@pytest.mark.parametrize(("make", "x"), KINDS.values(), ids=KINDS)
def test_the_second_front_end_over_any_module(make: Make, x: Tensor) -> None:
    one, other = make(), make()
    search = EdgePopup(
        Network.sample(one, SignedConstant(), 0), 0.4, lr=0.5, momentum=0.0, backend="torch"
    )
    module = Masked(Network.sample(other, SignedConstant(), 0), TopK(), density=0.4)
    optimizer = torch.optim.SGD(module.parameters(), 0.5)
    for _ in range(STEPS):
        for model, moved in ((one, search), (module, optimizer)):
            torch.manual_seed(0)  # the same dropout
            train(model, moved, x, LABELS, 1)
        for name, score in search.scores().items():
            torch.testing.assert_close(module.scores()[name], score, rtol=1e-4, atol=1e-5)
    wanted, found = outputs(module.ticket().into(make()), x), outputs(module, x)
    assert torch.equal(wanted[1], found[1])
    torch.testing.assert_close(wanted[0], found[0])  # without gradients torch takes fast paths


def test_the_fast_path_of_evaluation_sees_the_mask() -> None:
    make, x = KINDS["encoder"]
    model = make()
    search = EdgePopup(Network.sample(model, SignedConstant(), 0), 0.3)
    train(model, search, x, LABELS, 1)
    slow, fast = outputs(model, x)
    torch.testing.assert_close(fast, slow)
    dense = make()
    Network.sample(dense, SignedConstant(), 0)
    assert not torch.allclose(outputs(dense, x)[1], fast)


def test_the_row_of_padding_keeps_its_scores() -> None:
    make, x = KINDS["embedding"]
    model = make()
    search = EdgePopup(Network.sample(model, SignedConstant(), 0), 0.5, lr=0.5)
    first = search.scores()["body.weight"].clone()
    train(model, search, x, LABELS, STEPS)
    moved = (search.scores()["body.weight"] != first).any(1)
    assert not moved[0]  # torch gives it no gradient: it stays a fixed, random, masked vector
    assert moved[1:].all()


def test_tied_weights_are_one_parameter_everywhere() -> None:
    model = GPT(Config())
    x = KINDS["gpt"][1]
    search = EdgePopup(Network.sample(model, SignedConstant(), 0), 0.5)
    train(model, search, x, LABELS, STEPS)
    assert "lm_head.weight" not in search.masks()
    assert "lm_head.weight" in model.state_dict()
    assert model.lm_head.weight is model.wte.weight
    fresh = search.ticket().into(GPT(Config()))
    assert fresh.lm_head.weight is fresh.wte.weight
    untied = copy.deepcopy(model)
    untied.lm_head.weight = nn.Parameter(model.wte.weight.detach().clone())
    with pytest.raises(InputError, match=r"knows no parameter lm_head\.weight"):
        search.ticket().into(untied)


def test_rules_say_what_is_masked() -> None:
    model = ViT()
    network = Network.sample(
        model,
        SignedConstant(),
        0,
        include=["blocks.*", "patch.*"],
        exclude=["*.proj.weight", "patch.weight"],
    )
    assert list(network.masked) == [
        f"blocks.{i}.{part}.weight" for i in range(2) for part in ("qkv", "mlp.0", "mlp.2")
    ]
    search = EdgePopup(network, 0.5)
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (name in search.masks())
        if name in ("pos_embed", "head.weight", "blocks.0.proj.weight"):  # frozen, dense, drawn
            assert torch.equal(parameter.detach(), torch.from_numpy(network.weights(name)))
    train(model, search, KINDS["vit"][1], LABELS, STEPS)
    x = KINDS["vit"][1]
    assert torch.equal(outputs(search.ticket().into(ViT()), x), outputs(model, x))


def test_a_layer_scale_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError) as caught:
        Network.sample(ViT(buffer=False), SignedConstant(), 0)
    said = str(caught.value)
    assert "blocks.1.ls2.gamma (of a LayerScale)" in said
    assert "register each as a buffer, which a ticket stores" in said
    model = ViT(buffer=False)
    for module in list(model.modules()):  # the recipe of docs/any-model.md; keys are unchanged
        if isinstance(module, LayerScale):
            value = module.gamma.detach()
            del module.gamma
            module.register_buffer("gamma", value)
    assert set(model.state_dict()) == set(ViT(buffer=False).state_dict())
    ticket = EdgePopup(Network.sample(model, SignedConstant(), 0), 0.5).ticket()
    assert float(ticket.buffers["blocks.0.ls1.gamma"][0]) == pytest.approx(0.1)


def test_norms_without_parameters_or_left_alone() -> None:
    x = KINDS["resnet of basic blocks"][1]
    model, other = ResNet(BasicBlock), ResNet(BasicBlock)
    for net in (model, other):
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.affine = False
                module.register_parameter("weight", None)
                module.register_parameter("bias", None)
    search = EdgePopup(Network.sample(model, SignedConstant(), 0), 0.5)
    train(model, search, x, LABELS, STEPS)
    assert torch.equal(outputs(search.ticket().into(other), x), outputs(model, x))
    affine = ResNet(BasicBlock)
    with torch.no_grad():
        affine.bn1.weight.fill_(3.0)
    Network.sample(affine, SignedConstant(), 0)
    assert not any(
        m.weight.requires_grad for m in affine.modules() if isinstance(m, nn.BatchNorm2d)
    )
    assert torch.equal(affine.bn1.weight.detach(), torch.ones(8))  # constants, as a ticket fills


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: nn.Sequential(nn.LazyLinear(8)), r"0\.weight has no shape yet: run the model"),
        (
            lambda: nn.Linear(6, 8, dtype=torch.complex64),
            "weight is torch.complex64: laws draw real weights",
        ),
        (lambda: nn.Linear(0, 3), r"weight of shape \(3, 0\) is empty"),
    ],
    ids=["lazy", "complex", "empty"],
)
def test_parameters_that_no_law_can_fill(make: Make, says: str) -> None:
    model = make()
    with pytest.raises(InputError, match=says):
        Network.sample(model, Normal(), 0)


def test_masks_and_tickets_that_do_not_fit() -> None:
    model = ResNet(BasicBlock)
    ticket = EdgePopup(Network.sample(model, SignedConstant(), 0), 0.5).ticket()
    wrong = ResNet(BasicBlock)
    wrong.fc = nn.Linear(16, 5)
    before = [p.detach().clone() for p in wrong.parameters()]
    with pytest.raises(InputError, match=r"needs fc\.weight of shape \(3, 16\), got \(5, 16\)"):
        ticket.into(wrong)
    with pytest.raises(InputError, match=r"needs a buffer bn1\.running_mean"):
        ticket.into(nn.Sequential(nn.Linear(3, 3)))
    assert all(torch.equal(p, q) for p, q in zip(before, wrong.parameters(), strict=True))
