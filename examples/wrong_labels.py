"""Which digits have a wrong label? Their weights, learnt under a budget, say so."""

import numpy as np
from gallery import BLUE, ORANGE, picture, save
from sklearn.datasets import load_digits

from cutplane import BilevelSolver, zoo

entry = zoo.problem("hyper-cleaning")  # 60 digits, a third with a wrong label; a ridge below, clean digits above
result = BilevelSolver(method="linear", formulation="reduced").solve(entry.problem, entry.x0, entry.y0)
wrong = np.arange(60) % 3 == 0

figure = picture(8, 3.6)
left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
place = np.arange(60)
left.bar(place[~wrong], result.x[~wrong], color=BLUE, label="right label")
left.bar(place[wrong], result.x[wrong], color=ORANGE, hatch="///", label="wrong label")
left.set(xlabel="training digit (number)", ylabel="learnt weight", ylim=(0, 1.25))
left.set_title(f"{result.nit} iterations")
left.legend(fontsize="small", ncols=2)

images, labels = load_digits(n_class=3, return_X_y=True)
order = np.random.default_rng(0).permutation(labels.size)[:60]  # as the zoo draws them
lowest = np.argsort(result.x, kind="stable")[:12]
sheet = images[order[lowest]].reshape(3, 4, 8, 8).transpose(0, 2, 1, 3).reshape(24, 32)
right.imshow(sheet, cmap="gray_r")
for k, i in enumerate(lowest):
    given = (labels[order[i]] + 1) % 3 if wrong[i] else labels[order[i]]
    right.text(8 * (k % 4), 8 * (k // 4) + 1.6, str(given), color=ORANGE, weight="bold", size=15)
right.set(xticks=[], yticks=[], title="The twelve least trusted,\nwith the label that was given")
save(figure, __file__)
