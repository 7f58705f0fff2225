"""Path loss of 3GPP TR 38.901 over distance, and how often a link has a line of sight."""

import numpy as np
from gallery import BLUE, GREEN, ORANGE, picture, save

from simmst.simulator.radio.links import line_of_sight_probability, path_loss

metres = np.geomspace(20, 5000, 200)
figure = picture(8, 3.4)
left, right = figure.subplots(1, 2)
for environment, colour in (("UMi", BLUE), ("UMa", ORANGE), ("RMa", GREEN)):
    for sight, dash in ((True, "-"), (False, "--")):
        left.semilogx(metres, path_loss(environment, metres, 2.1, sight), dash, color=colour)
    right.semilogx(metres, line_of_sight_probability(environment, metres), color=colour, label=environment)
left.set(xlabel="distance (m)", ylabel="path loss (dB)", title="2.1 GHz; solid: line of sight, dashed: none")
right.set(xlabel="distance (m)", ylabel="probability", title="Line of sight")
for axes in (left, right):
    axes.grid(alpha=0.3, which="both")
right.legend(fontsize="small")
save(figure, __file__)
