"""Training in stages: what a stage changed is kept only where the validation error fell."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from simmst.errors import SimmstError
from simmst.models.simmstnet import SimMSTNet
from simmst.traffic.windows import WindowSource
from simmst.training.highway import start_highway


class BestStage:
    """The best state of a network so far; a stage that is no better than those before it is undone.

    Attributes
    ----------
    errors : dict of str to float
        Validation error of each stage, in their order.
    stage : str
        The one that the network's state is of.
    """

    def __init__(self) -> None:
        self.errors: dict[str, float] = {}
        self.stage = ""
        self._state: dict[str, Tensor] = {}

    def keep(self, stage: str, model: nn.Module, error: float) -> None:
        """Keep the network's state if its error is the lowest yet, else put the best one back into it.

        Raises
        ------
        SimmstError
            If the first error is no number.
        """
        lowest = min(self.errors.values(), default=float("inf"))
        self.errors[stage] = error
        if error < lowest:
            self.stage = stage
            self._state = {name: value.detach().clone() for name, value in model.state_dict().items()}
        elif not self._state:
            raise SimmstError(f"{stage}: the validation error is {error}, so there is no network to keep")
        else:
            model.load_state_dict(self._state)

    def keep_starts(
        self,
        model: nn.Module,
        network: SimMSTNet,
        windows: WindowSource,
        weights: NDArray[np.floating] | None,
        error: Callable[[], float],
    ) -> None:
        """Compare the network as it was built, "yesterday", with its closed-form start, "start".

        Parameters
        ----------
        model : Module
            The network, or a module that wraps it.
        network, windows, weights : SimMSTNet, WindowSource, float array or None
            As in `start_highway`.
        error : callable
            Measures the model on the validation part.
        """
        self.keep("yesterday", model, error())
        start_highway(network, windows, weights)
        self.keep("start", model, error())
