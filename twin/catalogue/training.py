"""Chapter 4: better training."""

from twin.spec import Difference, Metric, Optimizer, Size, Tolerance, Twin

TWINS: tuple[Twin, ...] = (
    Twin(
        name="augmentation",
        title="Augmented pictures",
        kind="exercise",
        deck="B, D",
        topic="Data augmentation; image transforms",
        paper="Shorten and Khoshgoftaar, A survey on image data augmentation for deep learning, 2019",
        data="photographs",
        data_options={"count": 6, "height": 36, "width": 48},
        inputs={"pictures": "images"},
        outputs={"*": "images"},
        differences=(
            Difference(
                "what brightness, contrast and saturation mean",
                "Keras adds a number, scales each channel's distance from its mean, and scales the S of HSV; "
                "torchvision multiplies, and blends with the mean grey and with the grey picture. Both ways are "
                "written on both sides",
            ),
            Difference(
                "the frame of a blurred picture",
                "Keras's gaussian_blur sees black beyond the edge, torchvision's a reflection: both sides reflect here",
            ),
        ),
        tolerances={
            "float64": Tolerance(
                "TensorFlow's own kernels for affine maps and for resizing compute in float32 (4e-7 off)", rel_l2=5e-6
            )
        },
    ),
    Twin(
        name="schedules",
        title="Learning rate schedules",
        kind="exercise",
        deck="D, E",
        topic="Learning rate decay; learning schedule setting",
        paper="Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017, section 3",
        literals={"rate": (0.1,), "lengths": (4, 12)},
        tolerances={
            "float64": Tolerance(
                "Keras's schedules turn their numbers into float32 tensors, whatever the floatx (2e-7 off)", rel_l2=1e-6
            )
        },
    ),
    Twin(
        name="ensemble",
        title="Ensemble of epochs",
        kind="model",
        deck="D",
        topic="Ensemble learning",
        paper="Xie, Xu and Chuang, Horizontal and vertical ensemble with deep representation for classification, 2013, "
        "section 3.1",
        model="Ensemble",
        small=Size({"image_shape": (16, 16, 1), "num_classes": 10, "num_members": 3}, parameters=38_282),
        data="digits",
        data_options={"size": 16},
        inputs={"x": "images"},
        loss="phases",
        optimizer=Optimizer("adam", learning_rate=2e-3),
        metric=Metric("accuracy", target=0.97, chance=0.1, margin=0.01),
        epochs=12,
        batch_size=32,
        flatten={
            f"{network}.dense1": f"{network}.conv2" for network in ("learner", "members.0", "members.1", "members.2")
        },
    ),
    Twin(
        name="custom_dataset",
        title="Data sets of one's own",
        kind="exercise",
        deck="B, E",
        topic="Custom dataset and DataLoader; image dataset; homework 1",
        paper="Paszke et al., PyTorch: an imperative style, high-performance deep learning library, 2019, section 4.2",
        data="digits",
        data_options={"flat": True},
        differences=(
            Difference(
                "what a worker is",
                "PyTorch's DataLoader starts processes; Keras's PyDataset threads, which work within fit and predict",
            ),
        ),
    ),
    Twin(
        name="transfer_learning",
        title="Transfer learning",
        kind="model",
        deck="B, C",
        topic="Transfer learning: pre-training and fine-tuning",
        paper="Yosinski et al., How transferable are features in deep neural networks?, 2014, sections 2 and 4",
        model="TransferNet",
        small=Size({"image_shape": (24, 24, 1), "width": 16, "num_classes": 2}, parameters=130),
        data="faces",
        data_options={"size": 24, "train_count": 40},
        inputs={"x": "images"},
        loss="phases",
        optimizer=Optimizer("adam", learning_rate=1e-3),
        metric=Metric("accuracy", target=0.93, chance=0.5, margin=0.025),
        epochs=60,
        batch_size=32,
        differences=(
            Difference(
                "BatchNorm in frozen features",
                "trainable=False also means inference mode in Keras; in PyTorch requires_grad=False does not, so the "
                "forward pass of frozen features calls eval()",
            ),
        ),
    ),
    Twin(
        name="initializers",
        title="Initial weights",
        kind="exercise",
        deck="D",
        topic="He initialization",
        paper="He et al., Delving deep into rectifiers, 2015, section 2.2",
        data="standard_draws",
        data_options={"rows": 144, "columns": 32},
    ),
)
