"""Chapter 2: convolution."""

from twin.spec import Difference, Twin

TWINS: tuple[Twin, ...] = (
    Twin(
        name="conv2d_by_hand",
        title="Convolution as a sliding kernel",
        kind="exercise",
        deck="B",
        topic="Convolution layer",
        paper="Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 2",
        literals={
            "image": (
                (1.0, 1.0, 1.0, 0.0, 0.0),
                (0.0, 1.0, 1.0, 1.0, 0.0),
                (0.0, 0.0, 1.0, 1.0, 1.0),
                (0.0, 0.0, 1.0, 1.0, 0.0),
                (0.0, 1.0, 1.0, 0.0, 0.0),
            ),
            "changed": (
                (1.0, 1.0, 1.0, 0.0, 0.0),
                (0.0, 1.0, 1.0, 1.0, 0.0),
                (0.0, 0.0, 1.0, 1.0, 1.0),
                (0.0, 1.0, 1.0, 1.0, 0.0),
                (0.0, 1.0, 1.0, 0.0, 0.0),
            ),
            "kernel": ((1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 1.0)),
            "colour": (
                (
                    (253.0, 144.0, 120.0, 251.0, 41.0),
                    (67.0, 100.0, 32.0, 241.0, 23.0),
                    (209.0, 118.0, 124.0, 27.0, 59.0),
                    (210.0, 236.0, 105.0, 169.0, 19.0),
                    (35.0, 178.0, 199.0, 197.0, 4.0),
                ),
                (
                    (14.0, 125.0, 233.0, 201.0, 98.0),
                    (0.0, 0.0, 0.0, 0.0, 147.0),
                    (0.0, 0.0, 0.0, 0.0, 165.0),
                    (0.0, 0.0, 0.0, 0.0, 201.0),
                    (0.0, 0.0, 0.0, 0.0, 219.0),
                ),
                (
                    (165.0, 187.0, 209.0, 58.0, 7.0),
                    (0.0, 0.0, 0.0, 0.0, 159.0),
                    (0.0, 0.0, 0.0, 0.0, 204.0),
                    (0.0, 0.0, 0.0, 0.0, 30.0),
                    (0.0, 0.0, 0.0, 0.0, 79.0),
                ),
            ),
            "colour_kernel": (
                ((1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 1.0)),
                ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0)),
                ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0)),
            ),
        },
    ),
    Twin(
        name="conv_shapes",
        title="Convolutions of every kind: shapes and values",
        kind="exercise",
        deck="B",
        topic="Conv1D, Conv2D, Conv3D; Torch.nn.Convolution Layers",
        paper="Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, chapters 2, 4 and 5",
        data="random_signals",
        inputs={"image": "images", "volume": "clips"},
        outputs={"conv2d_*": "images", "transpose2d_*": "images", "conv3d_*": "clips", "transpose3d_*": "clips"},
        differences=(
            Difference(
                "a stride together with a dilation is left out",
                "Keras refuses it in its layers; PyTorch has it",
            ),
            Difference(
                "the dilation of a transposed convolution is left out",
                "on a CPU, TensorFlow has it in float32 through oneDNN only",
            ),
            Difference(
                'margins of a given width, and "reflect", "replicate" and "circular" ones, are made by hand in Keras',
                'its layers know "valid", "same" and, in one dimension, "causal", all with zeros',
            ),
            Difference('"same" at a stride is padded by hand in PyTorch', 'torch.nn.Conv2d(padding="same") refuses it'),
            Difference('"same" of a transposed convolution is cut by hand in PyTorch', "it cuts equal margins only"),
            Difference("a transposed convolution in groups is several layers in Keras", "its layer has no groups"),
        ),
    ),
    Twin(
        name="pooling",
        title="Maximum and average pooling",
        kind="exercise",
        deck="B",
        topic="Pooling layer",
        paper="Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 3",
        inputs={"even": "images", "odd": "images"},
        outputs={"*": "images"},
        literals={
            "even": (
                (
                    ((253.0,), (144.0,), (120.0,), (251.0,)),
                    ((67.0,), (100.0,), (32.0,), (241.0,)),
                    ((209.0,), (118.0,), (124.0,), (27.0,)),
                    ((210.0,), (236.0,), (105.0,), (169.0,)),
                ),
            ),
            "odd": (
                (
                    ((2.0,), (2.0,), (3.0,), (1.0,), (1.0,)),
                    ((1.0,), (4.0,), (3.0,), (4.0,), (1.0,)),
                    ((2.0,), (2.0,), (5.0,), (3.0,), (3.0,)),
                    ((1.0,), (3.0,), (3.0,), (4.0,), (1.0,)),
                    ((1.0,), (2.0,), (3.0,), (1.0,), (1.0,)),
                ),
            ),
        },
    ),
    Twin(
        name="feature_maps",
        title="What each layer sees",
        kind="exercise",
        deck="B",
        topic="Feature map",
        paper="Zeiler and Fergus, Visualizing and understanding convolutional networks, 2014, sections 2 and 4.1",
        data="learned_filters",
    ),
    Twin(
        name="edge_filters",
        title="Laplace, Sobel, Canny, Harris and learned filters",
        kind="exercise",
        deck="E",
        topic="ML vs DL: features by hand against learned",
        paper="Canny, A computational approach to edge detection, 1986; Harris and Stephens, A combined corner and "
        "edge detector, 1988",
        data="learned_filters",
        data_options={"only": ("image", "kernel1")},
    ),
    Twin(
        name="why_deep",
        title="One large filter against several small ones",
        kind="exercise",
        deck="D, E",
        topic="Why deep; 7x7 against three 3x3",
        paper="Simonyan and Zisserman, Very deep convolutional networks, 2015, section 2.3",
        literals={"image": ((1.0,) * 15,) * 15, "channels": (1, 16), "large": (5, 7)},
    ),
)
