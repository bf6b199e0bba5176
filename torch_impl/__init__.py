"""Every twin in native PyTorch: the same files, the same names, the same order as in keras_impl."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the type checker holds these modules against the seam
    from torch_impl import ablation, criteria, describe, timing, tracing, train
    from twin import seam

    _TRAIN: seam.Train[train.Run] = train
    _TIMING: seam.Timing[train.Run] = timing
    _TRACING: seam.Tracing = tracing
    _CRITERIA: seam.Criteria = criteria
    _DESCRIBE: seam.Describe = describe
    _ABLATION: seam.Ablation[train.Run] = ablation
