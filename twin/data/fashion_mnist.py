"""Fashion-MNIST: 70,000 pieces of clothing of 28x28 pixels (Xiao, Rasul and Vollgraf, 2017).

Debian has it as a package: apt install dataset-fashion-mnist.
"""

from twin.data import Dataset, idx
from twin.data.published import Source

CLASSES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
SOURCE = Source(
    "fashion_mnist",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    package="dataset-fashion-mnist",
    installed="/usr/share/datasets/fashion-mnist",
)


def load(
    train_count: int | None = None,
    test_count: int | None = None,
    size: int = 28,
    seed: int = 0,
    download: bool = False,
) -> Dataset:
    """Clothes as `x` (N, size, size, 1) and labels `y` (N,), an index into CLASSES.

    Args:
        train_count: so many of the 60,000, chosen by the seed; None for all.
        test_count: the same of the 10,000.
        size: height and width, by bilinear interpolation.
        seed: of the choice.
        download: whether to get the files if they are not here.
    """
    return idx.load(SOURCE, "clothes of Fashion-MNIST", train_count, test_count, size, seed, download)
