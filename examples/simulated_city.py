"""A simulated city: where its traffic is, and how its week goes."""

import numpy as np
from gallery import BLUE, GREEN, ORANGE, picture, save

from simmst.simulator.city import draw_world
from simmst.simulator.prior.informed import informed_prior

SERVICES = ("call", "sms", "internet")
world = draw_world(informed_prior(), hours=168, services=SERVICES, seed=12, world=2, side=24)
city = world.traffic()
mean = city.values.mean(axis=0).reshape(24, 24, 3)

figure = picture(9, 3.6)
left, right = figure.subplots(1, 2, width_ratios=(1, 1.7))
shown = left.imshow(mean[..., 2], origin="lower", cmap="cividis")
figure.colorbar(shown, ax=left, label="internet traffic (records per hour)", shrink=0.85)
left.set(xlabel="squares to the east", ylabel="squares to the north", title="Mean of a week")
hours = np.arange(168) / 24
for s, (colour, dash) in enumerate(((BLUE, "-"), (GREEN, "--"), (ORANGE, ":"))):
    total = city.values[..., s].sum(axis=1)
    right.plot(hours, total / total.mean(), dash, color=colour, label=SERVICES[s])
right.set(xlabel="day", ylabel="traffic over its mean", ylim=(0, 2), title="All squares together")
right.grid(alpha=0.3)
right.legend(fontsize="small", ncols=3)
save(figure, __file__)
