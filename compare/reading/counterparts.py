"""Which call of PyTorch stands for which of Keras, and what changes: the vocabulary of the twins, in one place."""

# Long: the counterparts are one table, in which a reader looks a call up.
import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from compare.reading.aligned import Reading


@dataclass(frozen=True)
class Counterpart:
    """A pair of calls.

    Args:
        keras, torch: as they are written, with the arguments that matter; "" where that side needs none.
        changes: what a reader who ports the call must change or know.
        rows: names in the catalogue of differences that say more.
    """

    keras: str
    torch: str
    changes: str
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Use:
    """A counterpart in a twin, and the lines on which either side uses it."""

    counterpart: Counterpart
    keras: tuple[int, ...]
    torch: tuple[int, ...]


COUNTERPARTS = (
    Counterpart(
        "keras.Model",
        "torch.nn.Module",
        "`call` is `forward`; PyTorch's sizes are all known when the constructor ends, Keras's when it sees a shape.",
        ("reserved_name", "call_without_training"),
    ),
    Counterpart("keras.layers.Layer", "torch.nn.Module", "PyTorch has one class for layers and models."),
    Counterpart(
        "keras.Input(shape)",
        "",
        "Calling the model on it makes Keras's weights; PyTorch's layers take the input's size as an argument, and "
        "need no such call.",
    ),
    Counterpart("keras.Sequential([...])", "torch.nn.Sequential(...)", "A list in Keras, arguments in PyTorch."),
    Counterpart(
        "",
        "torch.nn.ModuleList(...)",
        "Keras finds layers in a plain list; PyTorch does not, and would not train them.",
        ("layer_list",),
    ),
    Counterpart(
        "self.add_weight(shape, initializer)",
        "torch.nn.Parameter(tensor)",
        "Keras takes an initializer, PyTorch the tensor itself.",
    ),
    Counterpart(
        "keras.layers.Dense(units)",
        "torch.nn.Linear(in_features, out_features)",
        "PyTorch asks for the width that comes in, keeps its kernel as (out, in), and starts from another draw.",
        ("dense_kernel_layout", "dense_init"),
    ),
    Counterpart(
        "keras.layers.Conv2D(filters, kernel_size)",
        "torch.nn.Conv2d(in_channels, out_channels, kernel_size)",
        "Channels last in Keras, second in PyTorch; `strides` is `stride`, `use_bias` is `bias`; and "
        '"same" with a stride pads unevenly in Keras and is refused by PyTorch.',
        ("same_padding_stride", "conv_init"),
    ),
    Counterpart(
        "keras.layers.Conv2DTranspose(filters, kernel_size, strides)",
        "torch.nn.ConvTranspose2d(in_channels, out_channels, kernel_size, stride)",
        'Channels as in a convolution; Keras\'s "same" cuts off what PyTorch needs `padding` and `output_padding` for.',
        ("conv_transpose_same",),
    ),
    Counterpart(
        "keras.layers.DepthwiseConv2D(kernel_size)",
        "torch.nn.Conv2d(channels, channels, kernel_size, groups=channels)",
        "PyTorch has no layer of its own for it: as many groups as channels.",
        ("same_padding_stride",),
    ),
    Counterpart(
        "keras.layers.MaxPooling2D(pool_size)",
        "torch.nn.MaxPool2d(kernel_size)",
        '`strides` is `stride`, and is the window\'s size in both; "same" has no counterpart, PyTorch pads evenly.',
        ("max_pool_same",),
    ),
    Counterpart("keras.layers.MaxPooling1D(pool_size)", "torch.nn.MaxPool1d(kernel_size)", "As in two dimensions."),
    Counterpart(
        "keras.layers.MaxPooling3D(pool_size)",
        "torch.nn.MaxPool3d(kernel_size)",
        '"same" with the window\'s size as stride is `ceil_mode=True`: both round up and pad behind only.',
        ("max_pool_same", "max_pool3d_ties"),
    ),
    Counterpart(
        "keras.layers.UpSampling2D(size)",
        "torch.nn.Upsample(scale_factor)",
        "Both repeat each pixel where nothing else is asked for.",
        ("nearest_resize",),
    ),
    Counterpart(
        "",
        "torch.nn.Buffer(tensor)",
        "A constant is a plain attribute in Keras; in PyTorch a buffer, so that it moves with the module to a "
        "device or another precision.",
    ),
    Counterpart(
        "keras.layers.AveragePooling2D(pool_size)",
        "torch.nn.AvgPool2d(kernel_size)",
        "Where there is padding, PyTorch counts its zeros in the mean, Keras does not.",
        ("average_pool_padding",),
    ),
    Counterpart(
        "keras.layers.BatchNormalization(momentum, epsilon)",
        "torch.nn.BatchNorm2d(num_features, eps, momentum)",
        "Keras's momentum is the share kept, PyTorch's the share replaced; the default epsilons differ.",
        ("batchnorm_momentum", "batchnorm_epsilon", "batchnorm_variance"),
    ),
    Counterpart(
        "",
        "torch.nn.BatchNorm1d(num_features, eps, momentum)",
        "Keras has one BatchNormalization for rows and pictures; of sequences PyTorch wants the channels second.",
        ("batchnorm_momentum", "batchnorm_epsilon", "batchnorm_variance"),
    ),
    Counterpart(
        "",
        "torch.nn.BatchNorm3d(num_features, eps, momentum)",
        "Keras's BatchNormalization is for any number of axes, PyTorch has a layer for each; else as in two.",
        ("batchnorm_momentum", "batchnorm_epsilon", "batchnorm_variance"),
    ),
    Counterpart(
        "keras.layers.LayerNormalization(epsilon)",
        "torch.nn.LayerNorm(normalized_shape, eps)",
        "PyTorch asks for the shape that is normalized; 1e-3 is Keras's default epsilon, 1e-5 PyTorch's.",
        ("layernorm_epsilon",),
    ),
    Counterpart(
        "LocalResponseNorm()",
        "torch.nn.LocalResponseNorm(size)",
        "Keras has none; PyTorch divides alpha by the size of the window.",
    ),
    Counterpart(
        "keras.layers.Dropout(rate)",
        "torch.nn.Dropout(p)",
        "Keras takes the mode as an argument of each call, PyTorch sets it by `train()` and `eval()`.",
        ("dropout_default_mode", "dropout_scaling"),
    ),
    Counterpart(
        "keras.layers.GaussianNoise(stddev)", "GaussianNoise(stddev)", "PyTorch has none; a module of five lines is it."
    ),
    Counterpart(
        "keras.layers.Flatten()",
        "torch.nn.Flatten()",
        "Keras reads (H, W, C), PyTorch (C, H, W): the next dense kernel's rows stand in another order.",
        ("flatten_order",),
    ),
    Counterpart(
        "keras.layers.LSTM(units)",
        "torch.nn.LSTM(input_size, hidden_size, batch_first=True)",
        "Keras gives the last output, PyTorch all outputs and the states; PyTorch has two biases and time first.",
        ("lstm_two_biases", "rnn_batch_first", "lstm_init"),
    ),
    Counterpart(
        "keras.layers.Embedding(input_dim, output_dim)",
        "torch.nn.Embedding(num_embeddings, embedding_dim)",
        "The table is `embeddings` in Keras and `weight` in PyTorch; both start from other random numbers.",
        ("embedding_padding", "embedding_padding_vector"),
    ),
    Counterpart(
        'embeddings_initializer="normal"',
        "torch.nn.init.normal_(weight, std)",
        "An argument in Keras, a call afterwards in PyTorch.",
        ("normal_initializer_std",),
    ),
    Counterpart(
        "keras.layers.GRU(units)",
        "torch.nn.GRU(input_size, hidden_size, batch_first=True)",
        "Keras gives the last output, PyTorch all outputs and the last state; the gates stand in another order; "
        "`reset_after=True`, Keras's default, is the only form that PyTorch has.",
        ("gru_gate_order", "gru_reset_after", "rnn_batch_first"),
    ),
    Counterpart(
        "keras.layers.Bidirectional(layer)",
        "torch.nn.LSTM(..., bidirectional=True)",
        "A layer around a layer in Keras, an argument in PyTorch; both put the two outputs side by side at every step.",
        ("bidirectional_last",),
    ),
    Counterpart("keras.layers.ReLU()", "torch.nn.ReLU()", "Nothing."),
    Counterpart("keras.layers.Identity()", "torch.nn.Identity()", "Nothing."),
    Counterpart(
        "keras.layers.Normalization(mean, variance)",
        "(x - mean) / deviation",
        "Keras's layer takes the variance; torch itself has no such layer.",
    ),
    Counterpart(
        "keras.layers.RandomBrightness(factor)",
        "torchvision's ColorJitter",
        "Keras adds to the pixels, torchvision multiplies them; torch itself has neither.",
    ),
    Counterpart(
        "keras.layers.RandomContrast(factor)",
        "torchvision's ColorJitter",
        "Keras stretches each channel around its own mean, torchvision around the mean grey.",
    ),
    Counterpart(
        "keras.layers.RandomSaturation(factor)",
        "torchvision's ColorJitter",
        "Keras scales the saturation of HSV, torchvision blends with the grey picture.",
    ),
    Counterpart("keras.layers.RandomHue(factor)", "torchvision's ColorJitter", "Both turn the hue of HSV."),
    Counterpart("keras.layers.Conv1D(filters)", "torch.nn.Conv1d(in_channels, out_channels)", "As in two dimensions."),
    Counterpart("keras.layers.Conv3D(filters)", "torch.nn.Conv3d(in_channels, out_channels)", "As in two dimensions."),
    Counterpart(
        "keras.layers.Conv1DTranspose(filters)",
        "torch.nn.ConvTranspose1d(in_channels, out_channels)",
        "As in two dimensions.",
        ("conv_transpose_same",),
    ),
    Counterpart(
        "keras.layers.Conv3DTranspose(filters)",
        "torch.nn.ConvTranspose3d(in_channels, out_channels)",
        "As in two dimensions.",
        ("conv_transpose_same",),
    ),
    Counterpart("keras.ops.relu(x)", "torch.relu(x)", "Nothing."),
    Counterpart("keras.ops.tanh(x)", "torch.tanh(x)", "Nothing."),
    Counterpart("keras.ops.sigmoid(x)", "torch.sigmoid(x)", "Nothing."),
    Counterpart("keras.ops.silu(x)", "torch.nn.functional.silu(x)", "Nothing."),
    Counterpart(
        "keras.ops.gelu(x, approximate)",
        "torch.nn.functional.gelu(x, approximate)",
        "Keras's function is approximate by default, PyTorch's exact.",
        ("gelu_approximate", "gelu_float64"),
    ),
    Counterpart(
        "keras.ops.leaky_relu(x, negative_slope)",
        "torch.nn.functional.leaky_relu(x, negative_slope)",
        "The default slopes differ.",
        ("leaky_relu_op_slope",),
    ),
    Counterpart("keras.ops.softmax(x, axis)", "torch.softmax(x, dim)", "`axis` is `dim`."),
    Counterpart("keras.ops.log_softmax(x, axis)", "torch.nn.functional.log_softmax(x, dim)", "`axis` is `dim`."),
    Counterpart("keras.ops.log_sigmoid(x)", "torch.nn.functional.logsigmoid(x)", "Another spelling."),
    Counterpart(
        "keras.ops.dot_product_attention(query, key, value)",
        "torch.nn.functional.scaled_dot_product_attention(query, key, value)",
        "Keras attends over (B, T, heads, D), PyTorch over (B, heads, T, D).",
        ("attention_layout", "attention_scale", "attention_mask_meaning"),
    ),
    Counterpart(
        "keras.ops.pad(x, widths)",
        "torch.nn.functional.pad(x, widths)",
        "A pair per axis from the first in Keras; in PyTorch a flat list that begins with the last axis.",
    ),
    Counterpart(
        "keras.ops.max_pool(x, pool_size)",
        "torch.nn.functional.max_pool2d(x, kernel_size)",
        '"same" pads unevenly in Keras; PyTorch has `ceil_mode`.',
        ("max_pool_same",),
    ),
    Counterpart(
        "",
        "torch.nn.functional.max_pool3d(x, kernel_size)",
        "Keras's max_pool is for any number of axes. Its `strides` is the window's size; JAX must be given it.",
        ("max_pool3d_ties",),
    ),
    Counterpart(
        "keras.ops.average_pool(x, pool_size)",
        "torch.nn.functional.avg_pool2d(x, kernel_size)",
        "PyTorch counts the zeros of its padding.",
        ("average_pool_padding",),
    ),
    Counterpart(
        "keras.ops.conv(x, kernel)",
        "torch.nn.functional.conv2d(x, weight)",
        "Kernels (H, W, in, out) in Keras, (out, in, H, W) in PyTorch.",
        ("same_padding_stride",),
    ),
    Counterpart(
        "keras.ops.image.resize(x, size)",
        "torch.nn.functional.interpolate(x, size)",
        "Half-pixel centres in both where `align_corners=False`; antialias where asked for.",
        ("bilinear_resize", "nearest_resize"),
    ),
    Counterpart("keras.ops.mean(x, axis)", "torch.mean(x, dim)", "`axis` is `dim`, `keepdims` is `keepdim`."),
    Counterpart("keras.ops.sum(x, axis)", "torch.sum(x, dim)", "`axis` is `dim`.", ("integer_sum",)),
    Counterpart("keras.ops.max(x, axis)", "torch.amax(x, dim)", "`torch.max` with a dim returns the places too."),
    Counterpart("keras.ops.amax(x, axis)", "torch.amax(x, dim)", "`axis` is `dim`."),
    Counterpart("keras.ops.argmax(x, axis)", "torch.argmax(x, dim)", "`axis` is `dim`."),
    Counterpart("keras.ops.concatenate(xs, axis)", "torch.cat(xs, dim)", "Another name, and `axis` is `dim`."),
    Counterpart("keras.ops.stack(xs, axis)", "torch.stack(xs, dim)", "`axis` is `dim`."),
    Counterpart(
        "keras.ops.split(x, parts, axis)",
        "torch.split(x, size, dim)",
        "A number of parts in Keras, the size of a part in PyTorch.",
        ("split_meaning",),
    ),
    Counterpart(
        "keras.ops.repeat(x, count, axis)",
        "tensor.expand(...)",
        "PyTorch's `repeat` tiles; `expand` copies nothing.",
        ("repeat_meaning",),
    ),
    Counterpart(
        "keras.ops.reshape(x, shape)", "tensor.view(shape), torch.reshape(x, shape)", "Nothing but the order of axes."
    ),
    Counterpart(
        "keras.ops.transpose(x, axes)", "tensor.permute(axes), tensor.T", "Two axes, `transpose`; more, `permute`."
    ),
    Counterpart("keras.ops.squeeze(x, axis)", "tensor.squeeze(dim)", "`axis` is `dim`."),
    Counterpart("keras.ops.swapaxes(x, a, b)", "tensor.transpose(a, b)", "Another name."),
    Counterpart(
        "keras.ops.take(x, places, axis)", "x[:, places], torch.index_select", "PyTorch indexes as NumPy does."
    ),
    Counterpart("keras.ops.moveaxis(x, from, to)", "tensor.movedim(from, to)", "Another name."),
    Counterpart("keras.ops.cast(x, dtype)", "tensor.to(dtype)", "A method in PyTorch."),
    Counterpart("keras.ops.shape(x)", "x.shape", "Keras's may be symbolic; PyTorch's are numbers."),
    Counterpart("keras.ops.matmul(a, b)", "torch.matmul(a, b), a @ b", "Nothing."),
    Counterpart("keras.ops.einsum(rule, ...)", "torch.einsum(rule, ...)", "Nothing."),
    Counterpart(
        "keras.ops.take_along_axis(x, places, axis)",
        "torch.take_along_dim(x, places, dim), torch.gather",
        "`axis` is `dim`.",
    ),
    Counterpart("keras.ops.where(condition, a, b)", "torch.where(condition, a, b)", "Nothing."),
    Counterpart("keras.ops.clip(x, low, high)", "torch.clip(x, low, high), torch.clamp", "Nothing."),
    Counterpart("keras.ops.square(x)", "torch.square(x)", "Nothing."),
    Counterpart("keras.ops.sqrt(x)", "torch.sqrt(x)", "Nothing."),
    Counterpart(
        "keras.ops.stop_gradient(x)",
        "torch.no_grad(), tensor.detach()",
        "A function of a value in Keras; in PyTorch a block of lines that records nothing, or a method.",
    ),
    Counterpart(
        "keras.ops.convert_to_numpy(x)", "tensor.cpu().numpy()", "PyTorch's must be on the CPU and off the graph."
    ),
    Counterpart(
        "keras.ops.convert_to_tensor(x)", "torch.tensor(x), torch.from_numpy(x)", "`from_numpy` shares the memory."
    ),
    Counterpart(
        "keras.Variable(value)",
        "tensor.clone().requires_grad_()",
        "In PyTorch every tensor may have a gradient; Keras's variables are a class.",
    ),
    Counterpart(
        "keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
        "torch.nn.CrossEntropyLoss()",
        "PyTorch takes logits, Keras takes probabilities by default; the arguments are in the other order.",
        ("cross_entropy_logits", "ignored_labels"),
    ),
    Counterpart(
        "keras.losses.sparse_categorical_crossentropy(target, outputs, from_logits=True)",
        "torch.nn.functional.cross_entropy(outputs, target)",
        "The arguments change places; Keras gives a loss per row, PyTorch the mean.",
        ("cross_entropy_logits",),
    ),
    Counterpart(
        "keras.losses.MeanSquaredError()",
        "torch.nn.MSELoss()",
        "The arguments change places: Keras takes the target first, PyTorch the outputs.",
    ),
    Counterpart(
        "keras.losses.ctc(target, outputs)",
        "torch.nn.functional.ctc_loss(log_probabilities, target, steps, lengths)",
        "Keras takes logits, (B, T, classes), counts steps and labels itself, and gives a loss per row; PyTorch takes "
        "normalized ones, (T, B, classes), and its mean divides each row by its length first. Class 0 is the blank.",
        ("ctc_reduction",),
    ),
    Counterpart(
        "keras.losses.huber(target, outputs, delta)",
        "torch.nn.functional.huber_loss(outputs, target, delta)",
        "The arguments change places.",
        ("huber_delta",),
    ),
    Counterpart(
        "keras.optimizers.SGD(learning_rate)",
        "torch.optim.SGD(parameters, lr)",
        "PyTorch takes the parameters that it trains; the default rates differ.",
        ("sgd_learning_rate", "sgd_momentum_rate"),
    ),
    Counterpart(
        "keras.optimizers.Adam(learning_rate)",
        "torch.optim.Adam(parameters, lr)",
        "PyTorch takes the parameters that it trains; epsilon differs in its default and in where it is added.",
        ("adam_epsilon", "adam_epsilon_hat"),
    ),
    Counterpart(
        "keras.optimizers.schedules.ExponentialDecay(rate, steps, decay)",
        "torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma)",
        "Keras's schedule is the optimizer's rate and counts its steps; PyTorch's advances at `schedule.step()`.",
        ("schedule_step", "step_decay"),
    ),
    Counterpart(
        "keras.optimizers.schedules.CosineDecay(rate, steps)",
        "torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max)",
        "After its end Keras's stays at its last value, PyTorch's rises again.",
        ("cosine_after_end", "schedule_step"),
    ),
    Counterpart("keras.metrics.Mean()", "total += value * rows", "PyTorch has no metrics of its own.", ("last_batch",)),
    Counterpart(
        "keras.callbacks.LambdaCallback(...)",
        "a line in the loop",
        "PyTorch's loop is the user's: what is to happen stands in it.",
    ),
    Counterpart(
        "keras.utils.PyDataset",
        "torch.utils.data.DataLoader, torch.utils.data.Dataset",
        "Keras's hands out batches, PyTorch's single rows, which a DataLoader makes into batches.",
        ("default_batch_size", "shuffle_default"),
    ),
    Counterpart(
        "keras.initializers.RandomNormal(stddev)",
        "stddev * torch.randn(shape)",
        "Neither cuts the tails off; the default deviations differ.",
        ("normal_initializer_std",),
    ),
    Counterpart(
        "kernel_initializer=keras.initializers.RandomNormal(stddev)",
        "torch.nn.init.normal_(weight, std)",
        "An argument of the layer in Keras, a call afterwards in PyTorch, whose default deviation is 1 and not 0.05.",
        ("normal_initializer_std",),
    ),
    Counterpart(
        'kernel_initializer="he_normal"',
        "torch.nn.init.kaiming_normal_(weight)",
        "An argument of the layer in Keras, which truncates the distribution; in PyTorch a call afterwards.",
        ("he_normal_truncation",),
    ),
    Counterpart(
        'kernel_initializer="glorot_uniform"',
        "torch.nn.init.xavier_uniform_(weight)",
        "Keras's default; in PyTorch a call afterwards.",
        ("dense_init", "conv_init"),
    ),
    Counterpart(
        'bias_initializer="zeros"', "torch.nn.init.zeros_(bias)", "Keras's default; in PyTorch a call afterwards."
    ),
    Counterpart(
        "gamma_initializer=keras.initializers.Constant(value)",
        "torch.nn.init.constant_(weight, value)",
        "An argument of the layer in Keras, a call afterwards in PyTorch.",
    ),
    Counterpart(
        'kernel_initializer="ones"',
        "torch.nn.init.ones_(weight)",
        "An argument in Keras, a call afterwards in PyTorch.",
    ),
    Counterpart('activation="tanh"', "torch.nn.Tanh()", "An argument of the layer in Keras, a layer in PyTorch."),
    Counterpart(
        "keras.random.normal(shape, seed)",
        "torch.randn(shape, generator)",
        "The same seed gives the same draws in Keras each time; a PyTorch generator moves on.",
        ("seed_argument", "seed_scope"),
    ),
    Counterpart(
        "keras.random.uniform(shape, seed)",
        "torch.rand(shape, generator)",
        "As with normal draws.",
        ("seed_argument",),
    ),
)


@functools.cache
def name_of(call: str) -> str:
    """The name that a file refers to, of a call as it is written; "" where it is no name of a framework."""
    name = call.split("(")[0].split(",")[0]
    return name if name.startswith(("keras.", "torch.")) else ""


BY_NAME = {
    side: {name: each for each in reversed(COUNTERPARTS) if (name := name_of(getattr(each, side)))}
    for side in ("keras", "torch")
}


@functools.cache
def references(text: str) -> dict[str, list[int]]:
    """What a file uses of Keras or PyTorch: full name -> lines."""
    tree = ast.parse(text)
    known = dict(_imported(tree))
    found: dict[str, list[int]] = {}
    for name, node in _dotted(tree, known):
        if name.split(".")[0] in ("keras", "torch"):
            found.setdefault(name, []).append(node.lineno)
    return {name: sorted(set(lines)) for name, lines in found.items()}


@functools.cache
def uses(reading: Reading) -> tuple[Use, ...]:
    """The counterparts that a twin uses, in the order in which Keras's lines do, and where.

    A line of PyTorch belongs to a pair of calls if it stands in a row with a line that uses Keras's; or anywhere,
    where only one side needs a call.
    """
    keras, torch = (references("\n".join(getattr(reading, side))) for side in ("keras", "torch"))
    beside: dict[int, set[int]] = {}
    pairs: dict[int, set[int]] = {}
    for row in reading.rows:
        if row.torch:
            pairs.setdefault(row.pair, set()).add(row.torch)
    for row in reading.rows:
        if row.keras:
            beside[row.keras] = pairs.get(row.pair, set())
    found = []
    for each in COUNTERPARTS:
        ours, theirs = keras.get(name_of(each.keras), []), torch.get(name_of(each.torch), [])
        if name_of(each.keras) and name_of(each.torch):
            near = {line for number in ours for line in beside.get(number, ())}
            theirs = [line for line in theirs if line in near]
            if not theirs and sum(name_of(other.keras) == name_of(each.keras) for other in COUNTERPARTS) > 1:
                continue  # PyTorch has several for this one; it is another of them
        elif not name_of(each.keras) and each.keras and not theirs:
            continue
        if ours or (theirs and not name_of(each.keras)):
            found.append(Use(each, tuple(ours), tuple(theirs)))
    return tuple(sorted(found, key=lambda use: (use.keras or use.torch)[0]))


def spelled_alike(reading: Reading) -> list[str]:
    """The functions that both sides use under one name and that need no more words, such as `abs`."""
    keras, torch = (references("\n".join(getattr(reading, side))) for side in ("keras", "torch"))
    plain = [name.removeprefix("keras.ops.") for name in keras if name not in BY_NAME["keras"]]
    return sorted(name for name in plain if f"torch.{name}" in torch)


def names(reading: Reading) -> dict[str, list[str]]:
    """All that a twin uses of the frameworks, by side and in the order of the alphabet."""
    return {side: sorted(references("\n".join(getattr(reading, side)))) for side in ("keras", "torch")}


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The names that a file gives to what it imports, and what they stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield (each.asname, each.name) if each.asname else (each.name.split(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom):
            for each in node.names:
                yield each.asname or each.name, f"{node.module}.{each.name}"


def _dotted(node: ast.AST, known: dict[str, str]) -> Iterator[tuple[str, ast.expr]]:
    """The longest dotted names that begin with an imported one."""
    if isinstance(node, ast.Attribute | ast.Name):
        parts: list[str] = []
        at: ast.expr = node
        while isinstance(at, ast.Attribute):
            parts.append(at.attr)
            at = at.value
        if isinstance(at, ast.Name):
            if at.id in known:
                yield ".".join([known[at.id], *reversed(parts)]), node
            return
    for child in ast.iter_child_nodes(node):
        yield from _dotted(child, known)
