"""Frozen random networks: architecture, laws and a seed; weights on demand."""

from typing import TYPE_CHECKING, Any

from strongticket.networks._architectures import MLP as MLP
from strongticket.networks._architectures import Architecture as Architecture
from strongticket.networks._architectures import UserModel as UserModel
from strongticket.networks._network import Network as Network
from strongticket.networks._network import Parameter as Parameter

if TYPE_CHECKING:
    from strongticket.networks._modules import ReluNetwork as ReluNetwork
    from strongticket.networks._modules import relu_network as relu_network


def __getattr__(name: str) -> Any:  # these two need torch, which networks alone do not
    if name in ("ReluNetwork", "relu_network"):
        from strongticket.networks import _modules

        return getattr(_modules, name)
    raise AttributeError(f"module 'strongticket.networks' has no attribute {name!r}")
