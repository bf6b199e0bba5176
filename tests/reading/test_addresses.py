"""Addresses of reference pages and papers: a rule, and known addresses that it gives."""

import importlib
import operator
import re
from importlib.util import find_spec

import pytest

from compare.reading import addresses, counterparts
from compare.reading.aligned import read
from twin.catalogue import TWINS

pytestmark = pytest.mark.skipif(not find_spec("keras"), reason="Keras says where its names come from")

KERAS, TORCH = "https://keras.io/api/", "https://docs.pytorch.org/docs/stable/"
KNOWN = {
    "keras.layers.Dense": KERAS + "layers/core_layers/dense/#dense-class",
    "keras.layers.Conv2D": KERAS + "layers/convolution_layers/convolution2d/#conv2d-class",
    "keras.layers.Conv2DTranspose": KERAS + "layers/convolution_layers/convolution2d_transpose/#conv2dtranspose-class",
    "keras.layers.SeparableConv2D": KERAS + "layers/convolution_layers/separable_convolution2d/#separableconv2d-class",
    "keras.layers.MaxPooling2D": KERAS + "layers/pooling_layers/max_pooling2d/#maxpooling2d-class",
    "keras.layers.GlobalAveragePooling2D": KERAS
    + "layers/pooling_layers/global_average_pooling2d/#globalaveragepooling2d-class",
    "keras.layers.LSTM": KERAS + "layers/recurrent_layers/lstm/#lstm-class",
    "keras.layers.ConvLSTM2D": KERAS + "layers/recurrent_layers/conv_lstm2d/#convlstm2d-class",
    "keras.layers.BatchNormalization": KERAS
    + "layers/normalization_layers/batch_normalization/#batchnormalization-class",
    "keras.layers.Dropout": KERAS + "layers/regularization_layers/dropout/#dropout-class",
    "keras.layers.MultiHeadAttention": KERAS + "layers/attention_layers/multi_head_attention/#multiheadattention-class",
    "keras.layers.UpSampling2D": KERAS + "layers/reshaping_layers/up_sampling2d/#upsampling2d-class",
    "keras.layers.Concatenate": KERAS + "layers/merging_layers/concatenate/#concatenate-class",
    "keras.layers.ReLU": KERAS + "layers/activation_layers/relu/#relu-class",
    "keras.layers.LeakyReLU": KERAS + "layers/activation_layers/leaky_relu/#leakyrelu-class",
    "keras.layers.RandomFlip": KERAS + "layers/preprocessing_layers/image_augmentation/random_flip/#randomflip-class",
    "keras.layers.Layer": KERAS + "layers/base_layer/#layer-class",
    "keras.Model": KERAS + "models/model/#model-class",
    "keras.ops.concatenate": KERAS + "ops/numpy/#concatenate-function",
    "keras.ops.relu": KERAS + "ops/nn/#relu-function",
    "keras.ops.scan": KERAS + "ops/core/#scan-function",
    "keras.ops.logsumexp": KERAS + "ops/core/#logsumexp-function",
    "keras.ops.fft": KERAS + "ops/fft/#fft-function",
    "keras.ops.qr": KERAS + "ops/linalg/#qr-function",
    "keras.ops.image.resize": KERAS + "ops/image/#resize-function",
    "keras.losses.SparseCategoricalCrossentropy": KERAS
    + "losses/probabilistic_losses/#sparsecategoricalcrossentropy-class",
    "keras.losses.Huber": KERAS + "losses/regression_losses/#huber-class",
    "keras.optimizers.AdamW": KERAS + "optimizers/adamw/#adamw-class",
    "keras.optimizers.schedules.CosineDecay": KERAS
    + "optimizers/learning_rate_schedules/cosine_decay/#cosinedecay-class",
    "keras.callbacks.LambdaCallback": KERAS + "callbacks/lambda_callback/#lambdacallback-class",
    "keras.initializers.GlorotUniform": KERAS + "layers/initializers/#glorotuniform-class",
    "torch.nn.Linear": TORCH + "generated/torch.nn.Linear.html",
    "torch.nn.functional.cross_entropy": TORCH + "generated/torch.nn.functional.cross_entropy.html",
    "torch.cat": TORCH + "generated/torch.cat.html",
    "torch.linalg.solve": TORCH + "generated/torch.linalg.solve.html",
    "torch.nn.Parameter": TORCH + "generated/torch.nn.parameter.Parameter.html",
    "torch.nn.init.kaiming_normal_": TORCH + "nn.init.html#torch.nn.init.kaiming_normal_",
    "torch.utils.data.DataLoader": TORCH + "data.html#torch.utils.data.DataLoader",
    "torch.float64": TORCH + "tensor_attributes.html#torch.dtype",
    "torch.optim.lr_scheduler.StepLR": TORCH + "generated/torch.optim.lr_scheduler.StepLR.html",
}
FORM = re.compile(
    r"https://keras\.io/api/([a-z0-9_]+/)+#[a-z0-9_]+-(class|function)"
    r"|https://docs\.pytorch\.org/docs/stable/(generated/torch[A-Za-z0-9_.]+\.html|[a-z_.]+\.html#torch[A-Za-z0-9_.]+)"
)
# Modules that a file names without calling anything of them by that name, and a class that Keras's pages leave out.
WITHOUT_A_PAGE = {"keras.initializers", "keras.Variable", "torch.nn.init", "torch.inf"}


def linked():
    """The names of either framework that the pages of the twins link: what the files use, and what a call is beside."""
    for twin in TWINS.values():
        reading = read(twin)
        yield from (name for found in counterparts.names(reading).values() for name in found)
        for use in counterparts.uses(reading):
            yield from filter(None, map(counterparts.name_of, (use.counterpart.keras, use.counterpart.torch)))


@pytest.mark.parametrize("name", KNOWN)
def test_the_rule_gives_known_addresses(name):
    assert addresses.address(name) == KNOWN[name]


def test_every_name_of_the_twins_has_an_address_of_the_right_form():
    names = set(linked())
    assert len(names) > 200
    without = {name for name in names if not addresses.address(name)}
    assert without <= WITHOUT_A_PAGE
    for name in names - without:
        assert FORM.fullmatch(addresses.address(name)), name


@pytest.mark.parametrize("name", ["keras.layers.Conv9D", "keras.nothing.Dense", "numpy.sum", "keras.ops.cat"])
def test_what_is_not_in_the_package_has_no_address(name):
    assert addresses.address(name) == ""


@pytest.mark.framework
@pytest.mark.parametrize("package", ["keras", "torch"])
def test_every_name_that_is_linked_exists_in_the_installed_package(package):
    found = importlib.import_module(package)
    names = {name for name in linked() if name.startswith(f"{package}.")}
    assert len(names) > 100
    for name in sorted(names):
        operator.attrgetter(name.partition(".")[2])(found)  # raises, with the part that is missing


def test_every_paper_leads_somewhere():
    for twin in TWINS.values():
        found = addresses.papers(twin.paper)
        assert "; ".join(work for work, _ in found) == twin.paper
        for _, there in found:
            assert re.fullmatch(
                r"https://(arxiv\.org/abs/\d{4}\.\d{5}|arxiv\.org/abs/\d{4}\.\d{4}|scholar\.google.*)", there
            )
    resnet = addresses.papers(TWINS["resnet50"].paper)
    assert resnet[0][1] == "https://arxiv.org/abs/1512.03385"
    assert "section" not in addresses.papers(TWINS["har_lstm"].paper)[0][1]


def test_every_title_on_arxiv_is_cited_or_will_be():
    cited = " ".join(twin.paper for twin in TWINS.values()).lower()
    assert {title for title in addresses.ARXIV if title.lower() not in cited} <= {"Mask R-CNN"}
