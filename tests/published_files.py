"""Files laid out as the authors of published data sets distribute them, made small."""

import numpy as np
from PIL import Image
from scipy.io import savemat


def picture(path, size, value=90):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


def table(path, **variables):
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables, oned_as="column")


def make_toronto(folder, numbers=(1, 2, 120)):
    base = folder / "eyetrackingdata" / "fixdens"
    for number in numbers:
        picture(base / "Original Image Set" / f"{number}.jpg", (51, 68))
    maps = np.empty((1, 120), dtype=object)
    for i in range(120):
        maps[0, i] = np.zeros((51, 68), np.uint8)
        maps[0, i][i % 51, i % 68] = 1
    table(base / "origfixdata.mat", white=maps)
    return folder
