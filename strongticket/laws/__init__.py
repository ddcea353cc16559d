"""Weight laws as theorems name them: random words become exact dyadic weights."""

from strongticket.laws._grid import Grid as Grid
from strongticket.laws._law import Law as Law
from strongticket.laws._log_uniform import LogUniform as LogUniform
from strongticket.laws._normal import Normal as Normal
from strongticket.laws._signed_constant import SignedConstant as SignedConstant
from strongticket.laws._specs import LAWS as LAWS
from strongticket.laws._specs import from_spec as from_spec
from strongticket.laws._uniform import Uniform as Uniform
