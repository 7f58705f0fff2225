"""One way each to move on a fixed polyhedron, one interface (`Method`)."""

from cutplane.methods.base import Method
from cutplane.methods.level import Level
from cutplane.methods.linear import Linear
from cutplane.methods.penalty import Penalty
from cutplane.methods.primal_dual import PrimalDual
from cutplane.methods.proximal import Proximal

METHODS: dict[str, Method] = {
    "primal-dual": PrimalDual(),
    "linear": Linear(),
    "level": Level(),
    "proximal": Proximal(),
}
PENALTY: Method = Penalty()
