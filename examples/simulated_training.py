"""Trained on simulated traffic alone, a ridge forecasts a city that it has never seen."""

import numpy as np
from gallery import BLACK, BLUE, ORANGE, picture, save

from simmst.reweighting.proxy import RidgeLevel, window_samples
from simmst.reweighting.weights import SampleWeights
from simmst.simulator.city import SimulatedWorlds, synthetic_target
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset

worlds = SimulatedWorlds.generate(150, hours=216, services=("internet",), seed=0)
samples = window_samples(worlds.windows(lookback=48, horizon=1, per_world=60, seed=0), rescale=False)
ridge = RidgeLevel(samples, SampleWeights.per_sample(len(samples.targets)))
theta = ridge.solution(np.ones(len(samples.targets)))

city = synthetic_target(seed=7, days=16, services=("internet",), nodes=4)  # beyond the training prior
scaler = NodeScaler.fit(city.values[: 9 * 24])
windows = WindowDataset.cut(city, scaler, lookback=48, horizon=1, first=9 * 24)
node = windows.batch(np.arange(len(windows))).node
inputs = window_samples(windows, rescale=False)
scaled = (inputs.features @ theta.reshape(inputs.features.shape[1], -1))[:, None, :]
forecast = scaler.inverse(scaled, node)[:, 0, 0].reshape(-1, 4)  # the four nodes of each hour in turn
truth = city.values[9 * 24 :, :, 0]

figure = picture(8.5, 3.2)
axes = figure.subplots()
days = np.arange(len(truth)) / 24
axes.plot(days, truth[:, 0], color=BLACK, lw=1, label="traffic")
axes.plot(days, forecast[:, 0], "--", color=BLUE, label="one hour ahead, trained on simulated worlds only")
axes.plot(days, city.values[8 * 24 : -24, 0, 0], ":", color=ORANGE, label="same hour yesterday")
axes.set(xlabel="day", ylabel="internet traffic (records per hour)", ylim=(0, 1.25 * truth[:, 0].max()))
error = np.abs(forecast - truth).mean() / np.abs(city.values[8 * 24 : -24, :, 0] - truth).mean()
axes.set_title(f"error over that of yesterday's value: {error:.2f}")
axes.legend(fontsize="small", ncols=3, loc="upper center")
save(figure, __file__)
