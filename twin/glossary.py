"""The vocabulary of both frameworks: what a word of Keras is called in PyTorch, and in Korean.

`keras_impl/glossary.py` and `torch_impl/glossary.py` each have a function of an entry's name, in this order: two or
three lines that do the same thing in that framework's words. Tests run both and compare what they return.
"""

from dataclasses import dataclass

import numpy as np

from twin.errors import unknown


@dataclass(frozen=True)
class Entry:
    """A word and its counterpart.

    Args:
        name: of the two functions, and on the command line.
        keras: what Keras calls it, at most 23 characters.
        torch: what PyTorch calls it, at most 23 characters.
        korean: the Korean word.
        deck: the letters of the decks that use this Korean word; empty where the slides leave it in English, and the
            Korean is the usual one.
        changes: one sentence on what changes from one framework to the other.
        see: rows of the catalogue of differences (twin/differences) in which the two words do not mean the same.
        backends: the backends of Keras on which its lines run; empty for all.
    """

    name: str
    keras: str
    torch: str
    korean: str
    deck: str
    changes: str
    see: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()


TOPICS: dict[str, tuple[Entry, ...]] = {
    "Tensors": (
        Entry(
            "tensor",
            "ops.convert_to_tensor",
            "torch.from_numpy",
            "텐서",
            "B",
            "A Keras tensor is its backend's own, and on TensorFlow and JAX it cannot be changed in place; PyTorch's "
            "can, and shares the memory of the NumPy array that it came from.",
        ),
        Entry(
            "axis",
            "axis",
            "dim",
            "축",
            "A, B",
            "The argument's name; PyTorch also takes `axis` in most functions, but writes `dim`.",
            see=("softmax_axis", "std_ddof"),
        ),
        Entry(
            "numpy",
            "ops.convert_to_numpy",
            "x.detach().numpy()",
            "넘파이 배열",
            "",
            "PyTorch's tensor must leave the graph first (`detach`), and a GPU (`cpu`); Keras does both itself.",
        ),
        Entry(
            "channels",
            "channels_last",
            "channels first",
            "채널",
            "B, D, E",
            "A batch of images is (B, H, W, C) in Keras and (B, C, H, W) in PyTorch.",
            see=("flatten_order", "patch_order"),
        ),
    ),
    "Layers": (
        Entry(
            "layer",
            "keras.layers.Layer",
            "torch.nn.Module",
            "층",
            "B, C, D, E",
            "In Keras, models are layers that also have `fit`; in PyTorch both are modules, and "
            "`torch.nn.functional` has the functions without weights.",
        ),
        Entry(
            "dense",
            "Dense(units)",
            "Linear(in, out)",
            "완전 연결층, 밀집층",
            "",
            "Keras takes the width of the output, and sees the input's at the first call; PyTorch takes both.",
            see=("dense_init",),
        ),
        Entry(
            "kernel",
            "layer.kernel",
            "layer.weight",
            "커널, 가중치",
            "B",
            "Keras's kernel is (in, out), PyTorch's weight (out, in): one is the other's transpose.",
            see=("dense_kernel_layout",),
        ),
        Entry(
            "convolution",
            "Conv2D(filters, size)",
            "Conv2d(in, out, size)",
            "합성곱층",
            "B",
            "PyTorch also takes the input's channels, and both its name and its `2d` are written in lower case.",
            see=("conv_init",),
        ),
        Entry(
            "padding",
            'padding="same"',
            "padding=1",
            "패딩",
            "B",
            "Keras states the size of the output, PyTorch the number of zeros on each side; PyTorch knows "
            '`padding="same"` at stride 1 only.',
            see=("same_padding_stride", "max_pool_same"),
        ),
        Entry(
            "pooling",
            "MaxPooling2D(2)",
            "MaxPool2d(2)",
            "풀링층",
            "B",
            "The name only: in both the stride is the window's size by default.",
            see=("average_pool_padding",),
        ),
        Entry(
            "global_pooling",
            "GlobalAveragePooling2D",
            "AdaptiveAvgPool2d(1)",
            "전역 평균 풀링",
            "",
            "PyTorch keeps two axes of length 1, which `flatten` takes away; a mean over both axes is the same.",
        ),
        Entry(
            "flatten",
            "Flatten()",
            "Flatten()",
            "벡터화층",
            "B",
            "Keras goes through H, W, C and PyTorch through C, H, W, so that the next layer's weights have another "
            "order.",
            see=("flatten_order",),
        ),
        Entry(
            "activation",
            'activation="relu"',
            "relu(x)",
            "활성화 함수",
            "B, D",
            "In Keras an argument of most layers, in PyTorch a call or a module of its own.",
            see=("gelu_approximate", "leaky_relu_slope"),
        ),
        Entry(
            "embedding",
            "Embedding(input_dim, n)",
            "Embedding(num, dim)",
            "임베딩",
            "B",
            "The names of the arguments, and the spread of the initial values.",
            see=("embedding_init", "embedding_padding"),
        ),
        Entry(
            "mask",
            "mask, mask_zero=True",
            "a mask of one's own",
            "마스크",
            "",
            "Keras's layers pass a mask on to each other; in PyTorch it is an argument of those functions that know "
            "one, or a line of arithmetic.",
            see=("attention_mask_meaning", "rnn_padding"),
        ),
        Entry(
            "recurrent",
            "return_sequences=True",
            "output, (h, c)",
            "순환층",
            "",
            "Keras returns the last step by default; PyTorch returns all steps and the last states, and needs "
            "`batch_first=True` for the same order of axes.",
            see=("rnn_batch_first", "lstm_two_biases"),
        ),
        Entry(
            "bidirectional",
            "Bidirectional(layer)",
            "bidirectional=True",
            "양방향 순환층",
            "",
            "In Keras a wrapper around a layer, in PyTorch an argument of the layer; both put the outputs of the two "
            "directions side by side.",
            see=("bidirectional_last",),
        ),
        Entry(
            "attention",
            "dot_product_attention",
            "scaled_dot_product_...",
            "어텐션",
            "",
            "The order of the axes: Keras has the heads behind the tokens, PyTorch before them; and which value of a "
            "mask hides a token.",
            see=("attention_layout", "attention_mask_meaning", "attention_scale"),
        ),
        Entry(
            "ctc",
            "losses.ctc",
            "ctc_loss",
            "CTC 손실",
            "",
            "Keras takes logits with the batch first and counts steps and labels itself; PyTorch takes logarithms of "
            "probabilities with the time first, and both counts.",
            see=("ctc_reduction",),
        ),
        Entry(
            "dropout",
            "Dropout(rate)",
            "Dropout(p)",
            "드롭아웃",
            "",
            "The argument's name: in both it is the share that is dropped, and the rest is scaled by 1 / (1 - p).",
            see=("dropout_default_mode",),
        ),
    ),
    "Models": (
        Entry(
            "sequential",
            "keras.Sequential([..])",
            "torch.nn.Sequential(..)",
            "순차 모델",
            "",
            "Keras takes a list, PyTorch the modules one by one.",
        ),
        Entry(
            "functional",
            "keras.Model(in, out)",
            "no counterpart",
            "함수형 모델",
            "",
            "Keras joins layers by calling them on a symbolic input; in PyTorch such a graph is the body of `forward`.",
        ),
        Entry(
            "subclass",
            "call(self, x)",
            "forward(self, x)",
            "상속",
            "E",
            "The method's name, and who passes on the mode: Keras's `call` takes `training` where a layer below needs "
            "it, and PyTorch's modules remember it.",
            see=("call_without_training",),
        ),
        Entry(
            "custom_layer",
            "build, add_weight",
            "torch.nn.Parameter",
            "사용자 정의 층",
            "",
            "Keras makes weights in `build`, when the input's shape is known; PyTorch in the constructor.",
        ),
        Entry(
            "initializer",
            'kernel_initializer=".."',
            "nn.init.ones_(..)",
            "초깃값",
            "D",
            "In Keras an argument of the layer, in PyTorch a function that fills the weight afterwards; its trailing "
            "underscore says that it works in place.",
            see=("dense_init", "he_normal_truncation"),
        ),
        Entry(
            "summary",
            "model.summary()",
            "print(model)",
            "모델 요약",
            "",
            "PyTorch prints the modules only: it shows no shapes, because no shape is known before a call.",
        ),
        Entry(
            "trainable",
            "layer.trainable = False",
            "requires_grad_(False)",
            "동결",
            "",
            "Keras freezes a layer, and a frozen BatchNorm also stops updating its statistics; PyTorch freezes "
            "parameters, and BatchNorm goes on updating.",
            see=("batchnorm_frozen",),
        ),
        Entry(
            "statistics",
            "non_trainable_weights",
            "buffers()",
            "이동 평균",
            "",
            "In both, BatchNorm's moving mean is not trained, with opposite momentum: Keras's 0.9 is PyTorch's 0.1.",
            see=("batchnorm_momentum", "batchnorm_variance"),
        ),
        Entry(
            "transfer",
            "model.layers[:-1]",
            "children()",
            "전이 학습",
            "B",
            "Keras gives a model's layers as a list, for reuse; in PyTorch one takes the modules, or replaces the "
            "last attribute.",
        ),
        Entry(
            "hook",
            "a model of the outputs",
            "register_forward_hook",
            "특징맵",
            "B",
            "To see inside, Keras builds a second model that ends earlier; PyTorch calls a function as values pass by.",
        ),
    ),
    "Objects and graphs": (
        Entry(
            "transposed",
            "Conv2DTranspose",
            "ConvTranspose2d",
            "전치 합성곱, 디컨볼루션",
            "",
            "Both enlarge a map by weights that learn; where kernels overlap, padding cuts off other pixels.",
            see=("conv_transpose_same",),
        ),
        Entry(
            "unpooling",
            "no counterpart",
            "max_unpool2d",
            "언풀링",
            "",
            "PyTorch's pooling tells the places of its maxima; in Keras you compare each place with its window's "
            "maximum, which puts a value down twice where two places tie.",
        ),
        Entry(
            "iou",
            "compute_iou(a, b, ..)",
            "no counterpart",
            "겹침 비율",
            "",
            "Keras has it in `keras.utils.bounding_boxes`; PyTorch's users take `torchvision.ops.box_iou`, or write "
            "it.",
        ),
        Entry(
            "nms",
            "no counterpart",
            "no counterpart",
            "비최댓값 억제",
            "",
            "PyTorch's users take `torchvision.ops.nms`, Keras's that of their backend. A loop of fixed length also "
            "compiles (`twin show nms`).",
        ),
        Entry(
            "anchor",
            "ops.meshgrid",
            "torch.meshgrid",
            "앵커 박스",
            "",
            "Boxes around the middle of every place of a map; write `indexing` out.",
            see=("meshgrid_indexing",),
        ),
        Entry(
            "proposal",
            "ops.top_k",
            "torch.topk",
            "영역 제안",
            "",
            "A region proposal network keeps the boxes with the best scores; Keras takes rows by `take`, PyTorch by an "
            "index.",
        ),
        Entry(
            "roi_pooling",
            "AdaptiveMaxPooling2D(n)",
            "AdaptiveMaxPool2d(n)",
            "관심 영역 풀링",
            "",
            "The largest feature of each bin of a region; `torchvision.ops.roi_pool` does it for many regions at once "
            "(`twin show fast_rcnn`).",
        ),
        Entry(
            "roi_align",
            "image.map_coordinates",
            "grid_sample",
            "관심 영역 정렬",
            "",
            "Features between the pixels. Keras counts in pixels, row first; PyTorch from -1 to 1 between the edges, "
            "column first (`align_corners=False`).",
        ),
        Entry(
            "prototype",
            "ops.einsum",
            "torch.einsum",
            "프로토타입",
            "",
            "The same line: an object's mask mixes the picture's prototypes by its coefficients (`twin show yolact`).",
        ),
        Entry(
            "box_loss",
            "losses.Huber(delta)",
            "SmoothL1Loss(beta)",
            "스무스 L1 손실",
            "",
            "Equal at 1, the default of both; at another value, PyTorch's is Huber's loss divided by it.",
            see=("smooth_l1_beta",),
        ),
        Entry(
            "policy_gradient",
            "random.categorical",
            "Categorical(logits=..)",
            "정책 경사",
            "",
            "The loss of the actions that were taken. PyTorch's distribution draws an action (`sample`) and says its "
            "`log_prob`; in Keras you take it out of the log-softmax.",
            see=("multinomial_replacement",),
        ),
        Entry(
            "message_passing",
            "ops.segment_sum",
            "index_add",
            "메시지 전달",
            "",
            "Each edge takes its sender's features, and each node sums what arrives; Keras says how many nodes there "
            "are, PyTorch adds to a tensor of zeros.",
        ),
    ),
    "Training": (
        Entry(
            "compile",
            "model.compile(..)",
            "two objects",
            "컴파일",
            "",
            "Keras binds optimizer and loss to the model; in PyTorch they are objects that the loop calls, and "
            "`torch.compile` is something else: it compiles the code.",
            see=("jit_compile_auto",),
        ),
        Entry(
            "fit",
            "model.fit(..)",
            "a loop",
            "학습",
            "A, B, C, D, E",
            "PyTorch leaves the loop to its user: gradients to zero, forward, loss, backward, step.",
            see=("default_batch_size", "shuffle_default", "last_batch"),
        ),
        Entry(
            "train_step",
            "train_step(self, data)",
            "the loop's body",
            "학습 단계",
            "",
            "To train otherwise, Keras overrides a method or writes a step of its own; PyTorch changes the lines.",
        ),
        Entry(
            "gradient",
            "GradientTape",
            "loss.backward()",
            "역전파",
            "C",
            "Each backend of Keras has its own way (`tf.GradientTape`, `jax.value_and_grad`, autograd), which "
            "keras_impl/backend gives one name; PyTorch stores the gradient at each parameter, and adds to the "
            "stored one.",
            see=("gradient_accumulation",),
        ),
        Entry(
            "loss",
            "from_logits=True",
            "cross_entropy",
            "손실 함수",
            "A, C",
            "PyTorch's loss takes logits, always; Keras's takes probabilities, unless `from_logits=True`.",
            see=("cross_entropy_logits", "loss_reduction"),
        ),
        Entry(
            "optimizer",
            "Adam(learning_rate)",
            "Adam(parameters(), lr)",
            "옵티마이저",
            "",
            "PyTorch's optimizer gets the parameters when it is made, Keras's at its first step; their epsilons "
            "differ.",
            see=("adam_epsilon", "sgd_learning_rate"),
        ),
        Entry(
            "schedule",
            "learning_rate=schedule",
            "scheduler.step()",
            "학습률 감소",
            "D",
            "Keras's optimizer asks its schedule at every step; PyTorch's schedule advances at a call, usually once "
            "an epoch.",
            see=("schedule_step", "step_decay"),
        ),
        Entry(
            "epoch",
            "epochs=, batch_size=",
            "for epoch, for batch",
            "에포크",
            "",
            "Arguments in Keras, two nested loops in PyTorch; both count an optimizer's step per batch.",
            see=("default_batch_size",),
        ),
        Entry(
            "regularizer",
            "kernel_regularizer",
            "weight_decay",
            "규제",
            "",
            "Keras adds a penalty to the loss, layer by layer; PyTorch's optimizer adds the gradient, so the factor is "
            "twice Keras's.",
            see=("l2_regularizer", "sgd_weight_decay"),
        ),
        Entry(
            "clipping",
            "global_clipnorm",
            "clip_grad_norm_",
            "기울기 클리핑",
            "",
            "An argument of Keras's optimizer, a line between `backward` and `step` in PyTorch; Keras's `clipnorm` "
            "is per weight, which is something else.",
            see=("clipnorm",),
        ),
        Entry(
            "training_flag",
            "training=False",
            "train(), eval()",
            "학습/평가 모드",
            "",
            "Keras's mode is an argument of the call, and False by default; PyTorch's is a state of the module, and "
            "training by default.",
            see=("dropout_default_mode", "batchnorm_default_mode"),
        ),
        Entry(
            "callback",
            "callbacks=[..]",
            "a line in the loop",
            "콜백",
            "",
            "Keras calls a function at the end of an epoch; in PyTorch the same lines are at the end of the loop.",
            see=("plateau_patience",),
        ),
        Entry(
            "metric",
            "keras.metrics",
            "a line, or torchmetrics",
            "정확도",
            "C, D, E",
            "Keras's metrics accumulate over batches; PyTorch has none of its own.",
            see=("binary_accuracy_logits", "auc_thresholds"),
        ),
        Entry(
            "evaluate",
            "model.evaluate(..)",
            "a loop, eval()",
            "평가",
            "C",
            "Keras goes through the batches in inference mode and averages the losses; in PyTorch it is a second loop.",
            see=("last_batch",),
        ),
        Entry(
            "predict",
            "model.predict(x)",
            "torch.inference_mode()",
            "예측",
            "A, C, D, E",
            "PyTorch needs two calls: `eval()` for the layers, and `inference_mode()` so that it keeps no graph.",
        ),
    ),
    "Data": (
        Entry(
            "dataset",
            "keras.utils.PyDataset",
            "utils.data.Dataset",
            "데이터셋",
            "B, C, E",
            "An item of Keras's is a whole batch, an item of PyTorch's a single row.",
        ),
        Entry(
            "loader",
            "fit(x, y, batch_size=)",
            "DataLoader(..)",
            "데이터 로더",
            "",
            "Keras's `fit` cuts arrays into batches itself and shuffles by default; a DataLoader shuffles only with "
            "`shuffle=True`.",
            see=("shuffle_default", "default_batch_size"),
        ),
    ),
    "Running": (
        Entry(
            "weights",
            "model.get_weights()",
            "model.state_dict()",
            "가중치",
            "B, C, D",
            "A list in Keras, a dictionary by name in PyTorch; its kernels are transposed.",
            see=("dense_kernel_layout",),
        ),
        Entry(
            "save",
            "model.save",
            "torch.save",
            "모델 저장",
            "E",
            "Keras's file has the architecture too; PyTorch's usual one has the weights, for a model that the code "
            "builds.",
        ),
        Entry(
            "export",
            "model.export",
            "torch.export",
            "배포",
            "E",
            "Keras writes a TensorFlow SavedModel by default; PyTorch writes a graph that was traced with an example.",
            backends=("tensorflow",),
        ),
        Entry(
            "device",
            "keras.device",
            ".to(device)",
            "장치",
            "",
            "Keras computes on the GPU where there is one; PyTorch only if you move model and data there.",
        ),
        Entry(
            "precision",
            '"mixed_bfloat16"',
            "torch.autocast",
            "혼합 정밀도",
            "",
            "A policy of the layer or of everything in Keras, a block around the calls in PyTorch; both keep weights "
            "in float32.",
            see=("tf32_policy",),
        ),
        Entry(
            "seed",
            "set_random_seed",
            "torch.manual_seed",
            "시드",
            "",
            "Keras's seeds Python and NumPy too; neither makes the two frameworks draw the same numbers.",
            see=("seed_argument", "seed_scope"),
        ),
    ),
}
ENTRIES: dict[str, Entry] = {entry.name: entry for entries in TOPICS.values() for entry in entries}


def find(term: str) -> list[Entry]:
    """The entry of that name, or those in which Keras, PyTorch or Korean calls it so.

    Raises:
        TwinError: with the nearest names.
    """
    if term in ENTRIES:
        return [ENTRIES[term]]
    wanted = term.casefold()
    named = [
        entry
        for entry in ENTRIES.values()
        if any(wanted in words.casefold() for words in (entry.name, entry.keras, entry.torch, entry.korean))
    ]
    if not wanted.strip() or not named:
        raise unknown("term", term, ENTRIES)
    return named


def inputs() -> dict[str, np.ndarray]:
    """What the functions may ask for by name: rows with their targets and labels, a batch of images, and boxes.

    `hidden` (3, 4) and `output` (4, 2) are the kernels of the model that they are given.
    """
    rng = np.random.default_rng(0)
    shapes = {"x": (8, 3), "y": (8, 2), "image": (2, 6, 4, 3), "hidden": (3, 4), "output": (4, 2)}
    drawn = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    boxes = np.array([[0, 0, 4, 4], [1, 0, 5, 4], [6, 1, 9, 3], [0, 1, 4, 5]], np.float32)
    return drawn | {"labels": np.array([0, 1, 1, 0, 1, 0, 0, 1], np.int32), "boxes": boxes}
