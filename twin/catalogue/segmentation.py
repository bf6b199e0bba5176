"""Chapter 8: segmentation."""

from twin.spec import Difference, Metric, Optimizer, Size, Tolerance, Twin

YOLACT_SCALES = tuple(pixels / 550 for pixels in (24, 48, 96, 192, 384))  # of its anchors, shares of the picture
HE_NORMAL = Difference(
    "He initialization of convolutions: Keras cuts the normal distribution off at two standard deviations",
    "he_normal and kaiming_normal_ are what each framework's users write; both have the same variance",
)

TWINS = (
    Twin(
        name="encoder_decoder",
        title="Encoder and decoder: unpooling to remembered places",
        kind="model",
        deck="C",
        topic="Deconvolution, unpooling",
        paper="Noh, Hong and Han, Learning deconvolution network for semantic segmentation, 2015, section 3; "
        "Badrinarayanan, Kendall and Cipolla, SegNet, 2017",
        model="EncoderDecoder",
        small=Size(
            {"image_shape": (32, 32, 1), "num_classes": 3, "widths": (16, 32, 48), "num_convs": (1, 1, 1)},
            parameters=37_875,
        ),
        paper_size=Size(
            {
                "image_shape": (224, 224, 3),
                "num_classes": 12,
                "widths": (64, 128, 256, 512, 512),
                "num_convs": (2, 2, 3, 3, 3),
            },
            parameters=29_449_932,
        ),
        data="scenes",
        data_options={"target": "mask", "only": (0, 1), "train_count": 1000, "test_count": 200},
        inputs={"x": "images"},
        outputs={"y": "images"},
        loss="cross_entropy",
        optimizer=Optimizer("adam", learning_rate=4e-3, schedule="cosine"),
        metric=Metric("mean_mask_iou", target=0.7, chance=0.29, margin=0.035),  # of 200 pictures, as U-Net's
        epochs=8,
        batch_size=16,
        tolerances={
            "forward": Tolerance(
                "at the published size rounding decides which of two values in a window is the larger, and unpooling "
                "puts it where that one was: in training mode native twins are 7e-3 apart, an engine 1.1e-2 (measured)",
                rel_l2=5e-2,
            )
        },
        differences=(
            Difference(
                "Pooling that tells the places of its maxima, and unpooling, are written out in Keras",
                "keras.ops has neither; windows by a reshape, argmax and one_hot are the same on every backend",
            ),
        ),
    ),
    Twin(
        name="fcn",
        title="FCN: fully convolutional network",
        kind="model",
        deck="D",
        topic="Fully convolutional network",
        paper="Long, Shelhamer and Darrell, Fully convolutional networks for semantic segmentation, 2015, sections 3 "
        "and 4, figure 3",
        model="FCN",
        small=Size(
            {
                "image_shape": (32, 32, 1),
                "num_classes": 3,
                "widths": (16, 32, 48),
                "num_convs": (2, 1, 1),
                "fc_kernel": 3,
                "fc_dim": 48,
                "num_skips": 2,
                "dropout": 0.1,
            },
            parameters=44_425,
        ),
        paper_size=Size(
            {
                "image_shape": (224, 224, 3),
                "num_classes": 21,
                "widths": (64, 128, 256, 512, 512),
                "num_convs": (2, 2, 3, 3, 3),
                "fc_kernel": 7,
                "fc_dim": 4096,
                "num_skips": 2,
                "dropout": 0.5,
            },
            parameters=134_362_751,
            published=True,
        ),
        ladder={"dropout": 0.0},
        data="scenes",
        data_options={"target": "mask", "only": (0, 1), "train_count": 1000, "test_count": 200},
        inputs={"x": "images"},
        outputs={"y": "images"},
        loss="cross_entropy",
        optimizer=Optimizer("adam", learning_rate=5e-3, schedule="cosine"),
        metric=Metric("mean_mask_iou", target=0.75, chance=0.29, margin=0.035),  # of 200 pictures, as U-Net's
        epochs=12,
        batch_size=16,
        differences=(HE_NORMAL,),
    ),
    Twin(
        name="unet",
        title="U-Net",
        kind="model",
        deck="C",
        topic="U-Net",
        paper="Ronneberger, Fischer and Brox, U-Net: convolutional networks for biomedical image segmentation, 2015, "
        "section 2 and figure 1",
        model="UNet",
        small=Size({"image_shape": (32, 32, 1), "num_classes": 3, "base_channels": 12, "depth": 2}, parameters=65_799),
        paper_size=Size(
            {"image_shape": (512, 512, 1), "num_classes": 2, "base_channels": 64, "depth": 4}, parameters=31_030_658
        ),
        data="scenes",
        data_options={"target": "mask", "only": (0, 1), "train_count": 1000, "test_count": 200},
        inputs={"x": "images"},
        outputs={"y": "images"},
        loss="cross_entropy",
        optimizer=Optimizer("adam", learning_rate=4e-3, schedule="cosine"),
        # A mean over 200 pictures of something between 0 and 1 has at most the noise of a share of them: 0.033.
        metric=Metric("mean_mask_iou", target=0.7, chance=0.29, margin=0.035),
        epochs=8,
        batch_size=16,
        tolerances=dict.fromkeys(
            ("gradients", "optimizer"),
            Tolerance(
                "TensorFlow adds up a bias gradient over all pixels one by one: 1.3e-6 off over 16,384 of them, where "
                "PyTorch's transposed convolution is 30 times closer",
                noise_ratio=50.0,
            ),
        ),
        differences=(HE_NORMAL,),
    ),
    Twin(
        name="yolact",
        title="YOLACT: prototypes and coefficients",
        kind="model",
        deck="D",
        topic="YOLACT",
        paper="Bolya, Zhou, Xiao and Lee, YOLACT: real-time instance segmentation, 2019, section 3",
        model="YOLACT",
        small=Size(
            {
                "image_shape": (48, 48, 1),
                "width": 8,
                "stages": (1, 1, 1),
                "channels": 32,
                "num_extra": 0,
                "scales": (0.25, 0.35, 0.5),
                "num_prototypes": 8,
                "num_classes": 3,
            },
            parameters=127_504,
        ),
        paper_size=Size(
            {
                "image_shape": (550, 550, 3),
                "width": 64,
                "stages": (3, 4, 23, 3),
                "channels": 256,
                "num_extra": 2,
                "scales": YOLACT_SCALES,
                "num_prototypes": 32,
                "num_classes": 80,
            },
            parameters=50_136_511,
            target_options={
                "sides": (69, 35, 18, 9, 5),
                "scales": YOLACT_SCALES,
                "size": 552,
                "reduction": 4,
                "positives": 100,
                "train_count": 32,
                "test_count": 8,
            },
        ),
        data="crowd_masks",
        data_options={
            "sides": (12, 6, 3),
            "scales": (0.25, 0.35, 0.5),
            "reduction": 2,
            "positives": 12,
            "only": (0, 1, 2),
            "train_count": 2000,
        },
        inputs={"x": "images"},
        outputs={
            **dict.fromkeys(("offsets", "logits", "boxes", "scores", "coefficients"), "as is"),
            "prototypes": "images",
        },
        targets={"masks": "images", "shapes": "images"},
        loss="own",
        optimizer=Optimizer("adam", learning_rate=2e-3, schedule="cosine"),
        metric=Metric("mean_mask_average_precision", target=0.65, chance=0.0, margin=0.065),  # a tenth of the target
        epochs=8,
        batch_size=32,
        tolerances={
            "float64": Tolerance(
                "TensorFlow resizes in float32 whatever it is given (measured: outputs 5e-8, updates 1e-7)",
                rel_l2=1e-6,
            )
        },
        differences=(HE_NORMAL,),
    ),
)
