"""Chapter 1: tensors and gradients."""

from twin.spec import Optimizer, Twin

TWINS: tuple[Twin, ...] = (
    Twin(
        name="tensors",
        title="Rank, axes, broadcasting, einsum and einops",
        kind="exercise",
        deck="A, E",
        topic="What is a tensor; axes; einops",
        paper="Harris et al., Array programming with NumPy, 2020, figure 1; Rogozhnikov, Einops, 2022, section 3",
        inputs={"images": "images"},
        literals={
            "vector": (0.5, -1.0, 2.0),
            "matrix": ((1.0, 2.0, 4.0), (-3.0, 5.0, 0.25)),
            "other": ((2.0, 0.0, 1.0, -1.0), (0.5, 3.0, -2.0, 4.0), (1.5, -0.5, 6.0, 0.75)),
            "images": (  # pixel by pixel: hundreds the picture, tens the place, ones the channel
                (
                    ((111.0, 112.0, 113.0), (121.0, 122.0, 123.0), (131.0, 132.0, 133.0), (141.0, 142.0, 143.0)),
                    ((151.0, 152.0, 153.0), (161.0, 162.0, 163.0), (171.0, 172.0, 173.0), (181.0, 182.0, 183.0)),
                ),
                (
                    ((211.0, 212.0, 213.0), (221.0, 222.0, 223.0), (231.0, 232.0, 233.0), (241.0, 242.0, 243.0)),
                    ((251.0, 252.0, 253.0), (261.0, 262.0, 263.0), (271.0, 272.0, 273.0), (281.0, 282.0, 283.0)),
                ),
            ),
        },
    ),
    Twin(
        name="autograd_product",
        title="Gradients of a product and a sum",
        kind="exercise",
        deck="A",
        topic="TORCH.AUTOGRAD",
        paper="Linnainmaa, Taylor expansion of the accumulated rounding error, 1976",
        literals={  # numpy.random.seed(0), then three calls of randn(3, 4), as on the slide, to its eight digits
            "x": (
                (1.76405235, 0.40015721, 0.97873798, 2.2408932),
                (1.86755799, -0.97727788, 0.95008842, -0.15135721),
                (-0.10321885, 0.4105985, 0.14404357, 1.45427351),
            ),
            "y": (
                (0.76103773, 0.12167502, 0.44386323, 0.33367433),
                (1.49407907, -0.20515826, 0.3130677, -0.85409574),
                (-2.55298982, 0.6536186, 0.8644362, -0.74216502),
            ),
            "z": (
                (2.26975462, -1.45436567, 0.04575852, -0.18718385),
                (1.53277921, 1.46935877, 0.15494743, 0.37816252),
                (-0.88778575, -1.98079647, -0.34791215, 0.15634897),
            ),
        },
    ),
    Twin(
        name="autograd_polynomial",
        title="Gradients of 3a^3 - b^2",
        kind="exercise",
        deck="A",
        topic="Differentiation in Autograd",
        paper="PyTorch tutorial, A gentle introduction to torch.autograd",
        literals={"a": (2.0, 3.0), "b": (6.0, 4.0)},
    ),
    Twin(
        name="backprop_by_hand",
        title="Two layers, forward and backward by hand",
        kind="exercise",
        deck="A",
        topic="Forward and backward propagation",
        paper="Rumelhart, Hinton and Williams, Learning representations by back-propagating errors, 1986",
        literals={
            "x": ((0.5, -1.0, 0.25), (1.5, 0.75, -0.5), (-0.25, 0.5, 1.0), (-1.25, -0.5, 0.75), (0.0, 1.25, -1.5)),
            "t": ((1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (1.0, -1.0), (-0.5, 0.25)),
            "w1": ((0.2, -0.4, 0.6, 0.1), (-0.3, 0.5, 0.25, -0.7), (0.8, 0.15, -0.55, 0.35)),
            "b1": (0.1, -0.2, 0.05, 0.3),
            "w2": ((0.7, -0.25), (-0.6, 0.4), (0.3, 0.9), (-0.15, 0.5)),
            "b2": (0.2, -0.1),
        },
    ),
    Twin(
        name="train_loop",
        title="A training loop written out, beside fit",
        kind="exercise",
        deck="E",
        topic="Custom dataset, loader, schedule, train and evaluate",
        paper="Robbins and Monro, A stochastic approximation method, 1951",
        data="digit_training",
        loss="cross_entropy",
        optimizer=Optimizer("sgd", learning_rate=0.5),
        epochs=5,
        batch_size=32,
    ),
    Twin(
        name="model_styles",
        title="Sequential, functional and subclass",
        kind="exercise",
        deck="E",
        topic="Load Model",
        paper="Paszke et al., PyTorch: an imperative style, high-performance deep learning library, 2019, section 4.1",
        literals={
            "x": ((0.5, -1.0, 0.25), (1.5, 0.75, -0.5), (-0.25, 0.5, 1.0), (-1.25, -0.5, 0.75), (0.0, 1.25, -1.5)),
            "w1": ((0.2, -0.4, 0.6, 0.1), (-0.3, 0.5, 0.25, -0.7), (0.8, 0.15, -0.55, 0.35)),
            "b1": (0.1, -0.2, 0.05, 0.3),
            "w2": ((0.7, -0.25), (-0.6, 0.4), (0.3, 0.9), (-0.15, 0.5)),
            "b2": (0.2, -0.1),
        },
    ),
)
