"""What is particular to one baseline: its formula, its padding, its chain."""

import numpy as np
import pytest
import torch
from torch import Tensor

from simmst.errors import ConfigError
from simmst.models.ast_mtl import ASTMTL, TaskAttention
from simmst.models.baseline import join_nodes, split_nodes
from simmst.models.convlstm import ConvLSTM
from simmst.models.cslsl import CSLSL
from simmst.models.dcrnn import DCRNN
from simmst.models.dlinear import DLinear, moving_average
from simmst.models.informer import Informer
from simmst.models.itransformer import ITransformer
from simmst.models.lstm import LSTM
from simmst.models.mttc import MTTC
from simmst.models.stgcn import STGCN, GatedConvolution
from simmst.models.transformer import Transformer


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def marks(batch: int, history: int, horizon: int) -> tuple[Tensor, Tensor]:
    return normal(batch, history, 4, seed=8), normal(batch, horizon, 4, seed=9)


def ring(nodes: int) -> Tensor:
    return torch.eye(nodes).roll(1, 0) + torch.eye(nodes).roll(-1, 0)


def test_splitting_the_nodes_and_joining_them_again_changes_nothing() -> None:
    x = normal(2, 5, 3, 4)
    torch.testing.assert_close(split_nodes(x)[1], x[0, :, 1])
    torch.testing.assert_close(join_nodes(split_nodes(x), 3), x)


def test_a_moving_average_repeats_the_ends() -> None:
    expected = torch.tensor([(0 + 0 + 3) / 3, (0 + 3 + 9) / 3, (3 + 9 + 9) / 3])
    torch.testing.assert_close(moving_average(torch.tensor([0.0, 3.0, 9.0]), 3), expected)


def test_dlinear_starts_as_the_mean_of_the_window() -> None:
    model, x = DLinear(2, 30, 3), normal(2, 30, 4, 2)
    torch.nn.init.zeros_(model.trend.bias)
    torch.nn.init.zeros_(model.rest.bias)
    out = model(x, *marks(2, 30, 3))
    torch.testing.assert_close(out, x.mean(1, keepdim=True).expand(-1, 3, -1, -1))


@pytest.mark.parametrize("make", [LSTM, Informer, Transformer, ITransformer])
def test_a_window_scaled_and_moved_has_its_forecast_scaled_and_moved(make) -> None:
    model, x = make(1, 24, 3).eval(), normal(2, 24, 5, 1)
    calendar = marks(2, 24, 3)
    moved = model(3.0 * x + 7.0, *calendar)
    torch.testing.assert_close(moved, 3.0 * model(x, *calendar) + 7.0, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("make", [LSTM, Informer, Transformer])
def test_without_normalising_it_does_not(make) -> None:
    model, x = make(1, 24, 3, normalise=False).eval(), normal(2, 24, 5, 1)
    calendar = marks(2, 24, 3)
    assert not torch.allclose(model(3.0 * x + 7.0, *calendar), 3.0 * model(x, *calendar) + 7.0, atol=0.1)


@pytest.mark.parametrize("make", [Informer, Transformer])
@pytest.mark.parametrize("label", [0, 12])
def test_any_start_token_up_to_the_history(make, label: int) -> None:
    assert make(1, 12, 2, label=label)(normal(2, 12, 3, 1), *marks(2, 12, 2)).shape == (2, 2, 3, 1)
    with pytest.raises(ConfigError, match=r"label must lie in 0..lookback \(12\), got 13"):
        make(1, 12, 2, label=13)


def test_informer_at_short_windows_is_full_attention() -> None:
    # 15 steps and a start token of 11 + 4: factor 5 selects every query, and a larger one cannot select more.
    x, calendar = normal(2, 15, 3, 1), marks(2, 15, 4)
    few, all_ = Informer(1, 15, 4, label=11, factor=5).eval(), Informer(1, 15, 4, label=11, factor=99).eval()
    all_.load_state_dict(few.state_dict())
    assert torch.equal(few(x, *calendar), all_(x, *calendar))


def test_informer_at_long_windows_is_not() -> None:
    x, calendar = normal(2, 48, 3, 1), marks(2, 48, 4)
    few, all_ = Informer(1, 48, 4, factor=1).eval(), Informer(1, 48, 4, factor=99).eval()
    all_.load_state_dict(few.state_dict())
    assert not torch.allclose(few(x, *calendar), all_(x, *calendar))
    assert torch.equal(few(x, *calendar), few(x, *calendar))  # the draw of keys repeats in evaluation mode


@pytest.mark.parametrize("history", [1, 3, 8, 9, 12, 30])
def test_stgcn_takes_any_window(history: int) -> None:
    out = STGCN(2, history, 3, ring(5))(normal(2, history, 5, 2), *marks(2, history, 3))
    assert out.shape == (2, 3, 5, 2)


def test_stgcn_pads_a_short_window_with_its_first_step() -> None:
    short, full = STGCN(1, 4, 2, ring(5)).eval(), STGCN(1, 9, 2, ring(5)).eval()
    full.load_state_dict(short.state_dict())
    x = normal(2, 4, 5, 1)
    padded = torch.cat([x[:, :1].expand(-1, 5, -1, -1), x], dim=1)
    torch.testing.assert_close(short(x, *marks(2, 4, 2)), full(padded, *marks(2, 9, 2)))


def test_a_gated_convolution_is_conv1d_with_a_padded_residual() -> None:
    layer, x = GatedConvolution(2, 3, 3), normal(4, 7, 5, 2)
    kernel = layer.convolution.weight.view(6, 2, 3)
    p, q = torch.nn.functional.conv1d(split_nodes(x).mT, kernel, layer.convolution.bias).mT.chunk(2, -1)
    residual = torch.nn.functional.pad(split_nodes(x)[:, 2:], (0, 1))
    torch.testing.assert_close(layer(x), join_nodes((p + residual) * torch.sigmoid(q), 5))


def test_dcrnn_without_edges_is_a_gru_encoder_and_decoder_on_each_node_alone() -> None:
    model = DCRNN(1, 6, 3, torch.zeros(4, 4), hidden=5).eval()
    history, calendar = normal(2, 6, 4, 1), marks(2, 6, 3)
    changed = history.clone()
    changed[:, :, 0] += 1.0
    same = torch.isclose(model(changed, *calendar), model(history, *calendar)).all(dim=(0, 1, 3))
    assert same.tolist() == [False, True, True, True]


def test_dcrnn_reads_its_own_forecasts_and_a_longer_horizon_only_adds_steps() -> None:
    short, long = DCRNN(1, 6, 2, ring(4), hidden=5), DCRNN(1, 6, 7, ring(4), hidden=5)
    long.load_state_dict(short.state_dict())
    history = normal(2, 6, 4, 1)
    torch.testing.assert_close(long(history, *marks(2, 6, 7))[:, :2], short(history, *marks(2, 6, 2)))


def test_convlstm_lays_the_nodes_out_as_its_grid_says() -> None:
    # One layer of 3 x 3 reads no farther than the next place; after one step of history, exactly that.
    grid = torch.tensor([[4, 2, 0], [1, 5, 3]])
    model, x = ConvLSTM(1, 1, 1, grid, hidden=4, layers=1).eval(), normal(1, 1, 6, 1)
    changed = x.clone()
    changed[:, :, 4] += 1.0
    moved = ~torch.isclose(model(changed, *marks(1, 1, 1)), model(x, *marks(1, 1, 1)))
    assert set(torch.nonzero(moved.flatten()).flatten().tolist()) == {4, 2, 1, 5}


def test_convlstm_refuses_a_grid_that_misses_a_node() -> None:
    with pytest.raises(ValueError, match="each node"):
        ConvLSTM(1, 4, 1, torch.tensor([[0, 1], [1, 3]]))


@pytest.mark.parametrize("history", [1, 3, 24, 30])
def test_mttc_takes_any_window(history: int) -> None:
    assert MTTC(3, history, 2)(normal(2, history, 4, 3), *marks(2, history, 2)).shape == (2, 2, 4, 3)


def test_task_attention_asks_with_the_shared_state_and_answers_with_the_tasks() -> None:
    layer = TaskAttention(6, heads=2, key_width=3).double()
    shared, task = normal(2, 5, 6).double(), normal(2, 5, 6, seed=1).double()
    q, k, v = (
        x.detach().numpy().reshape(2, 5, 2, 3) for x in (layer.query(shared), layer.key(task), layer.value(task))
    )
    expected = np.empty((2, 5, 2, 3))
    for batch in range(2):
        for head in range(2):
            scores = q[batch, :, head] @ k[batch, :, head].T / np.sqrt(3)
            weights = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
            expected[batch, :, head] = weights @ v[batch, :, head]
    out = layer.out(torch.from_numpy(expected.reshape(2, 5, 6)))
    torch.testing.assert_close(layer(shared, task), out)


@pytest.mark.parametrize(("history", "horizon"), [(24, 1), (24, 24), (6, 15)])
def test_ast_mtl_takes_any_horizon_and_reads_the_calendar_ahead(history: int, horizon: int) -> None:
    model = ASTMTL(2, history, horizon, ring(5), hidden=8).eval()
    x, (past, ahead) = normal(2, history, 5, 2), marks(2, history, horizon)
    out = model(x, past, ahead)
    assert out.shape == (2, horizon, 5, 2)
    assert not torch.allclose(out, model(x, past, ahead + 1.0))
    assert torch.equal(out, model(x, past + 1.0, ahead))


def test_ast_mtl_joins_its_tasks() -> None:
    model = ASTMTL(2, 6, 1, ring(5), hidden=8).eval()
    x, calendar = normal(2, 6, 5, 2), marks(2, 6, 1)
    changed = x.clone()
    changed[..., 1] += 1.0
    assert not torch.allclose(model(changed, *calendar)[..., 0], model(x, *calendar)[..., 0])


def gru(cell: torch.nn.GRU, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Last state of a GRU along `[L, I]`, by its equations."""
    w_x, w_h, b_x, b_h = (
        getattr(cell, f"{name}_l0").detach().numpy() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    for step in x:
        (r_x, z_x, n_x), (r_h, z_h, n_h) = np.split(w_x @ step + b_x, 3), np.split(w_h @ h + b_h, 3)
        r, z = 1 / (1 + np.exp(-(r_x + r_h))), 1 / (1 + np.exp(-(z_x + z_h)))
        h = (1 - z) * np.tanh(n_x + r * n_h) + z * h
    return h


def test_cslsl_is_its_chain_of_grus_and_labels() -> None:
    order = (2, 0, 1)
    model = CSLSL(3, 8, 2, nodes=3, steps_per_day=24, order=order, hidden=5, recent=3).double().eval()
    history, calendar = normal(1, 8, 3, 3).double(), [m.double() for m in marks(1, 8, 2)]
    inputs = model._inputs(history, calendar[0])[1].detach().numpy()  # of node 1: [L, width]
    state, label, expected = np.zeros(5), None, np.empty((2, 3))
    for place, service in enumerate(order):
        state = gru(model.short[place], inputs[-3:], gru(model.long[place], inputs[:-3], state))
        features = torch.from_numpy(state)
        if place:
            features = torch.cat([features, model.label[place - 1](label)])
        label = model.heads[place](features)
        expected[:, service] = label.detach().numpy()
    np.testing.assert_allclose(model(history, *calendar)[0, :, 1].detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": (0, 0, 1)}, "order must hold each of 0..2 once"),
        ({"recent": 8}, r"recent must lie in 1..7"),
        ({"lookback": 1}, "lookback must be at least 2"),
        ({"services": 0}, "services must be at least 1"),
        ({"nodes": 0}, "nodes must be at least 1"),
    ],
)
def test_a_meaningless_chain_is_refused(changes: dict, message: str) -> None:
    arguments = {"services": 3, "lookback": 8, "horizon": 2, "nodes": 4, "steps_per_day": 24, **changes}
    with pytest.raises(ConfigError, match=message):
        CSLSL(**arguments)
