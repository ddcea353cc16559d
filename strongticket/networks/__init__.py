"""Frozen random networks: architecture, laws and a seed; weights on demand."""

from strongticket.networks._architectures import MLP as MLP
from strongticket.networks._architectures import Architecture as Architecture
from strongticket.networks._architectures import UserModel as UserModel
from strongticket.networks._network import Network as Network
from strongticket.networks._network import Parameter as Parameter
