"""The trainable parameters of a model as one vector."""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from simmst.errors import ConfigError


class FlatModel:
    """A private copy of a model, called with a flat parameter vector `[p]`.

    The copy keeps its training or evaluation mode, its buffers and its frozen parameters, so that what
    happens to the original afterwards does not change the function.

    Parameters
    ----------
    model : Module
        Its parameters with ``requires_grad`` make up the vector; all of one dtype, on one device.
    """

    def __init__(self, model: nn.Module) -> None:
        self.start = flatten(model)
        self.model = copy.deepcopy(model)
        self._shapes = {name: p.shape for name, p in self.model.named_parameters() if p.requires_grad}
        for module in self.model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
                raise ConfigError(
                    "the model holds a BatchNorm in training mode, which couples the samples of a batch: a "
                    "sample's weight would not weigh that sample alone. Use LayerNorm, or call model.eval()"
                )

    @property
    def size(self) -> int:
        """Length p of the vector."""
        return self.start.numel()

    def at(self, flat: Tensor) -> Callable[..., Tensor]:
        """Return the model as a function of its inputs, at these parameters; differentiable in them."""
        pieces = torch.split(flat, [math.prod(shape) for shape in self._shapes.values()])
        views = {
            name: piece.view(shape) for (name, shape), piece in zip(self._shapes.items(), pieces, strict=True)
        }

        def call(*inputs: Tensor) -> Tensor:
            out: Tensor = functional_call(self.model, views, inputs)
            return out

        return call


def flatten(model: nn.Module) -> Tensor:
    """Copy the trainable parameters of a model into one vector `[p]`."""
    parameters = [p.detach() for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise ConfigError("the model has no parameter with requires_grad=True")
    kinds = {(p.dtype, p.device) for p in parameters}
    if len(kinds) > 1:
        raise ConfigError(f"the model's parameters differ in dtype or device: {sorted(map(str, kinds))}")
    return torch.cat([p.flatten() for p in parameters])


def load_flat(model: nn.Module, flat: Tensor) -> None:
    """Copy a vector `[p]` into the trainable parameters of a model."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    with torch.no_grad():
        for parameter, piece in zip(parameters, torch.split(flat, [p.numel() for p in parameters]), strict=True):
            parameter.copy_(piece.view_as(parameter))
