"""The embedding of a series: one product in place of a convolution."""

import torch

from simmst.nn.embedding import sinusoid
from simmst.nn.series import SeriesEmbedding


def test_the_values_pass_the_circular_convolution() -> None:
    embedding = SeriesEmbedding(channels=2, marks=3, width=8).eval()
    generator = torch.Generator().manual_seed(0)
    values, marks = (torch.randn(4, 7, n, generator=generator) for n in (2, 3))
    expected = embedding.value(values.transpose(1, 2)).transpose(1, 2) + embedding.external(marks) + sinusoid(7, 8)
    torch.testing.assert_close(embedding(values, marks), expected)
