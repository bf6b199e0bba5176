"""MNIST: 70,000 handwritten digits of 28x28 pixels (LeCun, Cortes and Burges), for those who have the files."""

from twin.data import Dataset, idx
from twin.data.published import Source

SOURCE = Source(
    "mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
)


def load(
    train_count: int | None = None,
    test_count: int | None = None,
    size: int = 28,
    seed: int = 0,
    download: bool = False,
) -> Dataset:
    """Digits as `x` (N, size, size, 1) and labels `y` (N,).

    Args:
        train_count: so many of the 60,000, chosen by the seed; None for all.
        test_count: the same of the 10,000.
        size: height and width, by bilinear interpolation.
        seed: of the choice.
        download: whether to get the files if they are not here.
    """
    return idx.load(SOURCE, "handwritten digits of MNIST", train_count, test_count, size, seed, download)
