"""What a model costs: the multiply-adds of one row, such as a picture, on its way through."""

import numpy as np
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from torch_impl import train


def multiply_adds(run: train.Run, batch: dict[str, np.ndarray]) -> int:
    """Multiplications, each with its addition, in the convolutions and matrix products of an inference.

    What works on single values (activations, norms, pooling) is not counted, as is usual in the papers.
    """
    # On a CPU attention is one operation that the counter does not know; MATH makes it two matrix products.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        train.forward(run, batch)
    return counter.get_total_flops() // 2  # multiplications and additions were counted apart
