"""Half of the simulated worlds are spoilt; re-weighting against a little real traffic finds which."""

import numpy as np
from gallery import BLUE, ORANGE, picture, save

from simmst.reweighting.learn import default_solver, reweight
from simmst.reweighting.problems import proxy_problem
from simmst.reweighting.weights import SampleWeights
from simmst.simulator.city import SimulatedWorlds, synthetic_target
from simmst.traffic.scaling import NodeScaler
from simmst.traffic.windows import WindowDataset

worlds = SimulatedWorlds.generate(60, hours=216, services=("internet",), seed=0)
worlds, bad = worlds.with_bad_worlds(0.5, seed=0)  # hours permuted, or a day of 30 to 37 hours
simulated = worlds.windows(lookback=48, horizon=1, per_world=40, seed=0)
city = synthetic_target(seed=1, days=21, services=("internet",), nodes=4)  # stands for real traffic
real = WindowDataset.cut(city, NodeScaler.fit(city.values), 48, 1, 48, 24 * 21)

task = proxy_problem(simulated, real, SampleWeights.per_world(simulated.world), share=0.5)
learned = reweight(task, default_solver(task, iterations=30), world=simulated.world, bad=bad)
weight = np.array([learned.weights[simulated.world == w].mean() for w in range(60)])
order = np.argsort(weight)

figure = picture(7.5, 3.2)
axes = figure.subplots()
rank = np.arange(60)
axes.bar(rank[~bad[order]], weight[order][~bad[order]], color=BLUE, label="sound world")
axes.plot(rank[bad[order]], weight[order][bad[order]] + 0.01, "x", color=ORANGE, label="spoilt world")
axes.set(xlabel="simulated world, by weight", ylabel="learnt weight", ylim=(0, 1.1))
axes.set_title(f"area under the curve {learned.diagnostics.auc:.2f}, {learned.result.nit} iterations")
axes.legend(loc="upper left", fontsize="small")
save(figure, __file__)
