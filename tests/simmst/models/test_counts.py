"""Numbers of parameters, beside those of the public implementations where one has the same form."""

import pytest
import torch

from simmst.models.ast_mtl import ASTMTL
from simmst.models.convlstm import ConvLSTM
from simmst.models.cslsl import CSLSL
from simmst.models.dcrnn import DCRNN
from simmst.models.dlinear import DLinear
from simmst.models.informer import Informer
from simmst.models.itransformer import ITransformer
from simmst.models.lstm import LSTM
from simmst.models.mttc import MTTC
from simmst.models.staeformer import STAEformer
from simmst.models.stgcn import STGCN
from simmst.models.transformer import Transformer

RING = torch.eye(100).roll(1, 0) + torch.eye(100).roll(-1, 0)
GRID = torch.arange(100).view(10, 10)


def count(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def published(**changes: object) -> dict[str, object]:
    return {"width": 512, "heads": 8, "hidden": 2048, **changes}


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (DLinear(1, 24, 1), 50),  # TSLib
        (LSTM(1, 24, 1), 54_657),  # neuralforecast
        (ITransformer(1, 24, 1), 202_753),  # thuml/iTransformer, TSLib, neuralforecast, BasicTS
        (ITransformer(1, 96, 96, **published()), 6_404_704),
        # zhouhaoyi/Informer2020 at ETTh1, without BatchNorm (2 x 512) and the biases of four keys.
        (Informer(7, 96, 24, **published(label=48)), 11_330_055 - 1_024 - 4 * 512),
        (Informer(100, 24, 1, hidden=128), 175_588 - 128 - 4 * 64),
        (Transformer(1, 24, 1), 93_889),
        # TSLib's at N = 100 has no biases in its four embedding maps.
        (Transformer(100, 24, 1, hidden=128), 162_852 + 4 * 64),
        (DCRNN(1, 12, 12, RING), 371_393),  # liyaguang/DCRNN
        (DCRNN(1, 12, 12, RING, hidden=32, layers=1), 31_905),  # chnsh/DCRNN_PyTorch
        # hazdzz/STGCN, without its alignment convolutions, which are never called.
        (STGCN(1, 12, 1, RING), 189_825 - 14_784),
        (STAEformer(1, 12, 12, 100, 288), 1_156_260),  # XDZhelheim/STAEformer
        (STAEformer(1, 12, 12, 207, 288), 1_258_980),
        (ConvLSTM(1, 12, 1, GRID, layers=1), 150_016 + 65),  # ndrplz/ConvLSTM_pytorch, and the head
        (ConvLSTM(1, 12, 1, GRID), 445_184 + 65),
        (MTTC(3, 24, 1), 261_091),
        (ASTMTL(3, 24, 1, RING), 904_042),
        (CSLSL(3, 24, 1, 100, 24), 152_097),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, torch.nn.Module) else str(value),
)
def test_the_number_of_parameters(model: torch.nn.Module, parameters: int) -> None:
    assert count(model) == parameters


def test_the_recurrent_part_of_cslsl() -> None:
    model = CSLSL(3, 24, 1, 100, 24)
    assert count(model.long) + count(model.short) == 149_760
