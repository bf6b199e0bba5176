"""What the slides get wrong: each mistake has a test that shows it by computation, test_erratum_<deck>_<what>.

docs/errata.md lists the same names. Those of a chapter's models stand in the tests of that chapter.
"""

import itertools
import re
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.helpers.slides import (
    GRAD_X_ON_THE_SLIDE,
    GRAD_Y_ON_THE_SLIDE,
    SAME_ON_THE_SLIDE,
    outputs,
    run,
)
from torch_impl import train
from torch_impl.exercises.sequences import attention
from twin.batches import exercise_inputs
from twin.catalogue import find

ERRATA = Path(__file__).parents[2] / "docs" / "errata.md"


def parameters(*modules):
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def test_every_erratum_is_listed_and_shown():
    listed = re.findall(r"test_erratum_\w+", ERRATA.read_text(encoding="utf-8"))
    files = Path(__file__).parent.glob("test_*.py")
    shown = [re.findall(r"^def (test_erratum_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE) for file in files]
    assert sorted(listed) == sorted(itertools.chain(*shown))


def test_erratum_a_product_graph():
    out = outputs("autograd_product")
    on_the_slide = np.ones((3, 4))
    np.testing.assert_array_equal(out["total_z_automatic"], on_the_slide)  # b = a + z
    assert np.abs(out["product_z_automatic"] - on_the_slide).max() > 1  # b = a * z
    np.testing.assert_allclose(out["product_z_automatic"], GRAD_X_ON_THE_SLIDE * GRAD_Y_ON_THE_SLIDE, rtol=1e-14)


def test_erratum_a_exchanged_factors():
    out = outputs("autograd_product")
    np.testing.assert_allclose(out["total_y_automatic"], GRAD_X_ON_THE_SLIDE, atol=1e-12)
    np.testing.assert_allclose(out["total_x_automatic"], GRAD_Y_ON_THE_SLIDE, atol=1e-12)
    assert np.abs(out["total_x_automatic"] - GRAD_X_ON_THE_SLIDE).max() > 1


def test_erratum_a_backward_argument():
    total = torch.ones(3, requires_grad=True).sum()
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        total.backward(torch.tensor([1.0]))
    total.backward(torch.tensor(1.0))


def test_erratum_a_variable():
    tensor = torch.randn(3, 4)
    variable = torch.autograd.Variable(tensor, requires_grad=True)
    assert type(variable) is torch.Tensor
    assert variable.data_ptr() == tensor.data_ptr()
    assert torch.randn(3, 4, requires_grad=True).requires_grad


def test_erratum_a_overlap_is_no_probability():
    out = run(
        "box_metrics",
        truth_boxes=((0.0, 0.0, 4.0, 4.0),), truth_image=(0,), truth_class=(0,), classes=(0,),
        boxes=((2.0, 0.0, 6.0, 4.0),), box_image=(0,), box_class=(0,), score=(0.9,),
    )  # fmt: skip
    assert out["iou"].item() == pytest.approx(1 / 3)
    assert (out["area_precision"].item(), out["area_recall"].item()) == (0.5, 0.5)


def test_erratum_b_same_padding_image():
    inputs, out = find("conv2d_by_hand").literals, outputs("conv2d_by_hand")
    changed = np.argwhere(np.array(inputs["image"]) != np.array(inputs["changed"]))
    np.testing.assert_array_equal(changed, [[3, 1]])
    wrong_rows = np.flatnonzero((out["same_framework"] != SAME_ON_THE_SLIDE).any(1))
    np.testing.assert_array_equal(wrong_rows + 1, [3, 5])
    rows = [0, 1, 2, 4]
    np.testing.assert_array_equal(out["same_changed_framework"][rows], SAME_ON_THE_SLIDE[rows])


def test_erratum_b_same_padding_value():
    right = outputs("conv2d_by_hand")["same_changed_framework"]
    np.testing.assert_array_equal(np.argwhere(right != SAME_ON_THE_SLIDE), [[3, 1]])
    assert (SAME_ON_THE_SLIDE[3, 1], right[3, 1]) == (2, 3)


def test_erratum_b_conv2d_moves_in_two_directions():
    assert nn.Conv1d(1, 1, 3)(torch.zeros(1, 1, 9)).shape == (1, 1, 7)  # seven places along the time
    assert nn.Conv2d(1, 1, 3)(torch.zeros(1, 1, 9, 8)).shape == (1, 1, 7, 6)  # and six across


def test_erratum_b_output_is_not_filter_sized():
    assert nn.Conv2d(1, 4, 3)(torch.zeros(1, 1, 20, 30)).shape == (1, 4, 18, 28)
    assert nn.Conv3d(1, 4, 3)(torch.zeros(1, 1, 10, 20, 30)).shape == (1, 4, 8, 18, 28)


def test_erratum_b_conv1d_output():
    embedding, length = 6, 25
    y = nn.Conv1d(embedding, 32, kernel_size=3)(torch.zeros(1, embedding, length))
    assert y.shape == (1, 32, length - 3 + 1)


def test_erratum_b_class_names():
    for axes in "123":
        assert hasattr(nn, f"Conv{axes}d")
        assert not hasattr(nn, f"Conv{axes}D")


def test_erratum_b_dilation():
    x = torch.zeros(1, 1, 7, requires_grad=True)
    convolution = nn.Conv1d(1, 1, 3, dilation=2, bias=False)
    nn.init.ones_(convolution.weight)
    convolution(x)[0, 0, 1].backward()
    assert x.grad[0, 0].tolist() == [0, 1, 0, 1, 0, 1, 0]  # gaps between the kernel's own elements


def test_erratum_b_pooling_windows():
    x = torch.rand(1, 3, 8, 8, requires_grad=True)
    assert nn.MaxPool2d(3, 2)(x).shape == (1, 3, 3, 3)  # overlapping windows of odd size, as in AlexNet
    same_size = nn.AvgPool2d(3, 1, 1)(x)  # the windows that deck D's Inception module takes the maximum of
    assert same_size.shape == x.shape
    same_size[0, 0].sum().backward()
    torch.testing.assert_close(x.grad[0, 0, 4, 4], torch.tensor(1.0))  # in nine windows, a ninth of each


def windows_of(pixel):
    """How many windows of a 3x3 kernel without padding a pixel of a 5x5 image is in."""
    image = torch.zeros(1, 1, 5, 5)
    image[0, 0][pixel] = 1
    return F.conv2d(image, torch.ones(1, 1, 3, 3)).sum().item()


def test_erratum_b_border_is_seen():
    assert (windows_of((0, 0)), windows_of((0, 2)), windows_of((2, 2))) == (1, 3, 9)


def test_erratum_b_stride_has_no_direction():
    x = torch.arange(9.0).reshape(1, 1, 9)
    with pytest.raises(RuntimeError, match="non-positive stride"):
        F.conv1d(x, torch.ones(1, 1, 3), stride=-2)
    from_behind = F.conv1d(x.flip(-1), torch.ones(1, 1, 3), stride=2).flip(-1)
    torch.testing.assert_close(from_behind, F.conv1d(x, torch.ones(1, 1, 3), stride=2))


def test_erratum_b_out_channels():
    convolution = nn.Conv1d(in_channels=5, out_channels=7, kernel_size=3)
    assert convolution.weight.shape == (7, 5, 3)  # seven kernels of two dimensions each


def test_erratum_b_groups():
    with pytest.raises(TypeError, match="group"):
        nn.Conv1d(4, 4, 3, group=2)
    assert nn.Conv1d(4, 4, 3, groups=2).weight.shape == (4, 2, 3)


def test_erratum_c_gan_formulas():
    generator = torch.Generator().manual_seed(0)
    real, noise = torch.randn(256, generator=generator) + 2, torch.randn(256, generator=generator)
    weight, shift = torch.tensor(0.5, requires_grad=True), torch.tensor(0.0, requires_grad=True)
    discriminator = lambda x: torch.sigmoid(weight * (x - 1))
    fake_seen = (1 - discriminator(noise + shift)).log().mean()  # the slide minimizes it for the discriminator
    value = discriminator(real).log().mean() + fake_seen  # and maximizes this for the generator
    by_weight, by_shift = torch.autograd.grad(value, (weight, shift), retain_graph=True)
    assert by_weight > 0  # maximizing the value tells real from fake more sharply: the discriminator's task
    assert by_shift < 0  # for the generator it would move the samples, around 0, further from the real ones, around 2
    by_weight, by_shift = torch.autograd.grad(fake_seen, (weight, shift))
    assert -by_shift > 0  # minimizing the other one moves them nearer: the generator's task
    assert -by_weight < 0  # for the discriminator it would blur the difference


def test_erratum_c_map_is_not_the_threshold():
    out = outputs("box_metrics")
    assert out["map"] >= 0.5
    assert out["true_positives"][0].sum() == 7  # of ten boxes, at IoU 0.5: a mean over all cannot say which are true
    found_by_area = (out["iou"].max(1) >= 0.5).sum()
    assert found_by_area == 8  # those seven, and the second box on an object that is taken


def test_erratum_c_map_is_not_accuracy():
    score = np.array(find("box_metrics").literals["score"])
    score[[6, 9]] = 0.99, 0.98  # the two boxes that lie on nothing, now with the most confidence
    usual, overconfident = run("box_metrics", thresholds=(0.5,)), run("box_metrics", thresholds=(0.5,), score=score)
    # The share of true boxes is the same.
    assert usual["true_positives"].mean() == overconfident["true_positives"].mean() == 0.7
    assert usual["map"] > overconfident["map"] + 0.05


def test_erratum_c_boltzmann_energy():
    energy = lambda weight, visible, hidden: -weight * visible * hidden
    states = [(v, h) for v in (-1, 1) for h in (-1, 1)]
    lowest = lambda weight: {s for s in states if energy(weight, *s) == min(energy(weight, *t) for t in states)}
    assert lowest(+0.7) == {(-1, -1), (1, 1)}  # equal signs agree with a positive weight
    assert lowest(-0.7) == {(-1, 1), (1, -1)}  # and opposite signs with a negative one
    assert energy(0.7, 0, 0) == 0 > energy(0.7, 1, 1)  # a restricted machine's units are 0 and 1: no -1 there


def test_erratum_c_bellman_words():
    discount, rewards = 0.9, [1.0, 10.0]  # state 0, state 1, the end
    q = [rewards[0] + discount * rewards[1], rewards[1]]
    assert q[0] == rewards[0] + discount * q[1]  # the formula: today's Q from tomorrow's
    assert q[1] != rewards[0] + q[0]  # the sentence: tomorrow's Q from today's


def test_erratum_c_q_takes_the_action_once():
    q = chain_values()
    stay, move = 0, 1
    assert q[0, stay] == pytest.approx(0.9 * q[0, move])  # stays once, then takes the best way
    assert q[0, stay] > 0  # staying for ever earns nothing


def test_erratum_c_q_learning_is_value_based():
    rng = np.random.default_rng(0)
    q = np.zeros((4, 2))
    for _ in range(2000):  # behaves at random throughout: no policy is ever adjusted
        state, action = rng.integers(0, 3), rng.integers(0, 2)
        after = state + action
        q[state, action] += 0.5 * (float(after == 3) + 0.9 * q[after].max() - q[state, action])
    np.testing.assert_allclose(q, chain_values(), atol=1e-6)
    assert (q[:3].argmax(1) == 1).all()


def chain_values():
    """Best returns of a chain of four states: stay or move right, reward 1 on entering the last, discount 0.9."""
    q = np.zeros((4, 2))
    for _ in range(50):
        for state in range(3):
            for action in range(2):
                q[state, action] = float(state + action == 3) + 0.9 * q[state + action].max()
    return q


def test_erratum_c_coco_counts():
    assert round(27_450 / 11_530, 1) == 2.4  # VOC: boxes over images is the slide's objects per image
    objects = 7.3 * 200_000
    assert objects == pytest.approx(1_500_000, rel=0.05)  # what the later page says
    assert objects > 2.5 * 500_000  # what this page says


def test_erratum_c_autoencoder_code():
    inputs, code = 64, 16
    autoencoder = nn.Sequential(nn.Linear(inputs, code), nn.Tanh(), nn.Linear(code, inputs))
    assert code < inputs < parameters(autoencoder) == 2_128


def test_erratum_c_bits_for_pixels():
    image = torch.zeros(1, 3, 12, 10, dtype=torch.uint8)
    labels = nn.Conv2d(3, 5, 1)(image.float()).argmax(1)  # one class per pixel
    assert labels.numel() == 12 * 10
    assert image.numel() * 8 == 24 * labels.numel()


def test_erratum_d_size_is_not():
    x = torch.zeros(1, 8, 4, 4)
    assert x.size() is not x.size()  # each call makes a new object, so the condition holds for any two tensors
    assert x.size() == x.size()
    equalizer = nn.Conv2d(8, 8, 1)
    shortcut = equalizer(x) if x.size() is not x.size() else x
    assert shortcut is not x  # never the identity, at 72 parameters a block here
    assert parameters(equalizer) == 72


def test_erratum_d_dropout_after_output():
    torch.manual_seed(0)
    logits = torch.full((1000, 10), -20.0)
    logits[:, 3] = 20.0  # sure and right
    label = torch.full((1000,), 3)
    dropped = F.dropout(logits, 0.5)
    assert F.cross_entropy(logits, label) < 1e-6
    assert F.cross_entropy(dropped, label) > 0.5
    assert 0.4 < (dropped[:, 3] == 0).float().mean() < 0.6  # half of the time the right class is erased


def test_erratum_d_fourth_padding():
    def features(fourth):
        pads, widths = [1, 1, 1, fourth, 1, 1], [1, 16, 16, 32, 32, 64, 64]
        blocks = [nn.Conv2d(widths[i], widths[i + 1], 3, padding=pad) for i, pad in enumerate(pads)]
        for place in (6, 4, 2):
            blocks.insert(place, nn.MaxPool2d(2))
        return nn.Sequential(*blocks)(torch.zeros(1, 1, 28, 28)).shape[1:]

    assert features(fourth=2) == (64, 4, 4)
    assert features(fourth=1) == (64, 3, 3)


def test_erratum_d_bottleneck_activation():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 6, 6)
    branch = nn.Sequential(nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 8, 1))
    as_on_the_slide = x + torch.relu(branch(x))
    as_published = torch.relu(x + branch(x))
    assert (as_on_the_slide >= x).all()  # the branch can only add
    assert (as_on_the_slide < 0).any()  # and the sum is not rectified
    assert (as_published < x).any()
    assert (as_published >= 0).all()


def test_erratum_d_equalizer_without_use():
    layer, downsample = nn.Conv2d(256, 512, 1, 2), nn.Conv2d(256, 512, 1, 2)
    dim_equalizer = nn.Conv2d(256, 512, kernel_size=1)
    x = torch.randn(1, 256, 4, 4)
    out = layer(x) + downsample(x)  # the way of a block that halves
    out.sum().backward()
    assert all(parameter.grad is not None for parameter in (*layer.parameters(), *downsample.parameters()))
    assert all(parameter.grad is None for parameter in dim_equalizer.parameters())
    assert parameters(dim_equalizer) == 131_584


def test_erratum_e_parameters_per_pair_of_channels():
    out = outputs("why_deep")
    channels = find("why_deep").literals["channels"]
    assert channels[0] == 1
    for row, c in enumerate(channels):
        np.testing.assert_array_equal(out["large_parameters"][row], np.array([25, 49]) * c**2)
        np.testing.assert_array_equal(out["small_parameters"][row], np.array([18, 27]) * c**2)


def lenet_features():
    """The convolutions of the first network, as on the slide."""
    return [nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Conv2d(16, 120, 5)]


def vgg_style_features():
    """Those of the second: each 5x5 replaced by two 3x3."""
    widths = [1, 6, 16, 120]
    pairs = pairwise(widths)
    return [convolution for a, b in pairs for convolution in (nn.Conv2d(a, b, 3), nn.Conv2d(b, b, 3))]


def test_erratum_e_lenet_filters():
    dense = [nn.Linear(120, 84), nn.Linear(84, 10)]
    assert parameters(*lenet_features(), *dense) == 61_706 == find("lenet").paper_size.parameters
    seven = [nn.Conv2d(c.in_channels, c.out_channels, 7) for c in lenet_features()]
    assert parameters(*seven, *dense) > 61_706
    x = torch.zeros(1, 1, 32, 32)
    for convolution in seven[:2]:
        x = F.avg_pool2d(convolution(x), 2)
    assert x.shape[-1] < 7  # with 7x7 filters nothing would be left for the third


def test_erratum_e_vgg_style_parameters():
    assert parameters(*lenet_features()) == 50_692
    assert parameters(*vgg_style_features()) == 150_710  # three times as many, not half
    assert parameters(nn.Conv2d(16, 120, 5)) == 48_120
    assert parameters(nn.Conv2d(16, 120, 3), nn.Conv2d(120, 120, 3)) == 147_120  # the pair widens at once


def test_erratum_e_vgg_style_activation():
    torch.manual_seed(0)
    first, second = nn.Conv2d(1, 6, 3).double(), nn.Conv2d(6, 6, 3).double()
    x = torch.randn(1, 1, 12, 12, dtype=torch.float64)
    turned = second.weight.flip(2, 3).transpose(0, 1)  # (in, out, 3, 3)
    kernel = F.conv2d(first.weight.transpose(0, 1), turned.transpose(0, 1), padding=2).transpose(0, 1)  # (6, 1, 5, 5)
    bias = second.bias + second.weight.sum((2, 3)) @ first.bias
    assert kernel.shape == (6, 1, 5, 5)
    torch.testing.assert_close(second(first(x)), F.conv2d(x, kernel, bias))  # one 5x5 convolution does the same


def test_erratum_e_dense_without_activation():
    torch.manual_seed(0)
    for widths in ((120, 84, 10), (2, 10, 2)):  # LeNet style, and the page that shows how to write a network
        first, second = nn.Linear(*widths[:2]).double(), nn.Linear(*widths[1:]).double()
        x = torch.randn(5, widths[0], dtype=torch.float64)
        weight, bias = second.weight @ first.weight, second.bias + second.weight @ first.bias
        torch.testing.assert_close(second(first(x)), F.linear(x, weight, bias))


def test_erratum_e_resnet_style_is_linear():
    torch.manual_seed(0)
    block = nn.Conv2d(120, 120, 1).double()
    x = torch.randn(1, 120, 3, 3, dtype=torch.float64)
    with_identity = block.weight + torch.eye(120, dtype=torch.float64)[..., None, None]
    torch.testing.assert_close(block(x) + x, F.conv2d(x, with_identity, block.bias))


def test_erratum_e_depthwise_groups():
    as_on_the_slide, depthwise = nn.Conv2d(20, 20, 3), nn.Conv2d(20, 20, 3, groups=20)
    assert parameters(as_on_the_slide) == 20 * 20 * 9 + 20
    assert parameters(depthwise) == 20 * 9 + 20
    x = torch.zeros(1, 20, 5, 5, requires_grad=True)
    depthwise(x)[0, 7].sum().backward()
    assert x.grad.abs().sum((0, 2, 3)).nonzero().flatten().tolist() == [7]  # sees its own channel only


def test_erratum_e_nothing_after_depthwise():
    torch.manual_seed(0)
    depthwise, narrowing = nn.Conv2d(20, 20, 3, groups=20).double(), nn.Conv2d(20, 20, 1).double()
    scale = torch.rand(20, dtype=torch.float64)  # what squeeze and excitation finds for one picture
    x = torch.randn(1, 20, 6, 6, dtype=torch.float64)
    kernel = narrowing.weight * (scale[:, None, None, None] * depthwise.weight).transpose(0, 1)  # (20, 20, 3, 3)
    bias = narrowing.bias + narrowing.weight[..., 0, 0] @ (scale * depthwise.bias)
    torch.testing.assert_close(narrowing(depthwise(x) * scale[:, None, None]), F.conv2d(x, kernel, bias))


def test_erratum_e_linear_bottleneck():
    torch.manual_seed(0)
    narrow = torch.randn(1000, 20, dtype=torch.float64)  # what the last 1x1 convolution gives, normalized
    widened = narrow @ torch.randn(20, 120, dtype=torch.float64)
    recovered = lambda known: known @ torch.linalg.lstsq(known, narrow).solution
    assert (recovered(torch.relu(widened)) - narrow).square().mean() < 0.2  # in 120 channels a ReLU leaves most
    assert (recovered(torch.relu(narrow)) - narrow).square().mean() > 0.25  # in 20 it does not
    assert torch.relu(narrow).min() == 0  # and the branch could only add to what it is added to


def test_erratum_e_depthwise_reason():
    torch.manual_seed(0)
    depthwise, ordinary = nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 3)
    with torch.no_grad():
        ordinary.weight.zero_()
        ordinary.bias.copy_(depthwise.bias)
        ordinary.weight[range(4), range(4)] = depthwise.weight[:, 0]
    x = torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(ordinary(x), depthwise(x))  # all the places that it sees, the ordinary one sees too


def mbconv_features(wide, narrow):
    """The feature block of the slide, less squeeze and excitation, which only scales channels."""
    return nn.Sequential(
        nn.Conv2d(wide, narrow, 1), nn.BatchNorm2d(narrow), nn.SiLU(), nn.Conv2d(narrow, narrow, 3),
        nn.Conv2d(narrow, narrow, 1), nn.BatchNorm2d(narrow),
    )  # fmt: skip


def test_erratum_e_mbconv_shortcut():
    torch.manual_seed(0)
    features, block = mbconv_features(120, 20), nn.Conv2d(20, 20, 1)
    nn.init.zeros_(features[-1].weight)  # a branch that is switched off, which a shortcut would pass by
    x = torch.randn(2, 120, 8, 8, requires_grad=True)
    inside = features(x)
    (block(inside) + inside).sum().backward()
    assert x.grad.abs().max() == 0  # nothing of the input is left
    assert inside.shape[2:] == (6, 6)  # and without padding the input could not be added


def test_erratum_e_mbconv_is_the_wrong_way_round():
    narrow, expansion = 20, 6
    on_the_slide, published = nn.Conv2d(120, narrow, 1), nn.Conv2d(narrow, narrow * expansion, 1)
    assert on_the_slide.out_channels < on_the_slide.in_channels
    assert published.out_channels == on_the_slide.in_channels == 120


def test_erratum_e_adam_parameters():
    model = nn.Linear(2, 2)
    with pytest.raises(TypeError):
        torch.optim.Adam(model.parameters, lr=0.001, weight_decay=0.0005)
    torch.optim.Adam(model.parameters(), lr=0.001, weight_decay=0.0005)


def test_erratum_e_spelling():
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), 0.1)
    with pytest.raises(TypeError, match="gama"):
        torch.optim.lr_scheduler.ExponentialLR(optimizer, gama=0.99)
    with pytest.raises(SyntaxError):
        compile("import torch.optim import lr_scheduler", "slide", "exec")
    assert not hasattr(nn, "Covn2d")


def test_erratum_e_names_that_do_not_exist():
    with pytest.raises(NameError, match="shinkage_rate"):
        (lambda dim, shrinkage_rate=0.25: int(dim * shinkage_rate))(20)  # noqa: F821
    with pytest.raises(NameError, match="inchannel"):
        nn.Conv2d(inchannel, 20, kernel_size=1, stride=1)  # noqa: F821
    assert find_spec("einops") is not None
    assert find_spec("eniops") is None


def test_erratum_e_schedule_never_steps():
    model, x = nn.Linear(2, 2), torch.ones(4, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, weight_decay=0.0005)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.99)
    for _ in range(3):  # the loop of the slide
        optimizer.zero_grad()
        F.mse_loss(model(x), x).backward()
        optimizer.step()
    assert optimizer.param_groups[0]["lr"] == 0.001
    scheduler.step()  # what belongs at the end of each epoch
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.00099)


def test_erratum_e_no_grad():
    model, x = nn.Linear(2, 2).eval(), torch.ones(4, 2)
    assert model(x).requires_grad  # eval() alone still records every step for a backward pass
    with torch.no_grad():
        assert not model(x).requires_grad


def test_erratum_e_evaluation_keeps_no_loss():
    train_loader, test_loader = [(torch.ones(4, 2), torch.ones(4, 2))], [(torch.zeros(4, 2), torch.ones(4, 2))]
    model, criterion = nn.Linear(2, 2), nn.MSELoss()
    tepoch = train_loader
    model.eval()
    running_loss = 0.0
    for inputs, label in tepoch:  # as on the slide
        outputs = model(inputs)
        loss = criterion(outputs, label)
    assert running_loss == 0.0 < loss.item()
    assert inputs is train_loader[0][0]
    for inputs, label in test_loader:
        running_loss += criterion(model(inputs), label).item()
    assert running_loss > 0


class Items(torch.utils.data.Dataset):
    """64 items, each passed through `move` when it is taken."""

    def __init__(self, move):
        self.move = move

    def __len__(self):
        return 64

    def __getitem__(self, index):
        return self.move(torch.ones(3)), self.move(torch.ones(2))


def test_erratum_e_dataset_on_the_gpu():
    moves = []

    def to_device(tensor):
        moves.append(tensor.shape)
        return tensor.to("cpu")

    for _ in torch.utils.data.DataLoader(Items(to_device), batch_size=32):  # as on the slide
        pass
    assert len(moves) == 2 * 64
    moves.clear()
    for batch in torch.utils.data.DataLoader(Items(lambda tensor: tensor), batch_size=32):
        [to_device(tensor) for tensor in batch]
    assert len(moves) == 2 * 2


def test_erratum_e_tensor_of_a_label():
    label = 3
    assert torch.Tensor(label).shape == (3,)  # three numbers that were never set, not the number 3
    assert torch.tensor(label).item() == 3
    assert torch.Tensor([label]).dtype == torch.float32  # and never a whole number, which cross-entropy wants


def test_erratum_e_attention_is_no_dense_layer():
    weights, given = outputs("attention")["plain_weights"], exercise_inputs(find("attention"))
    other = run("attention", **given | {"tokens": -given["tokens"][::-1]})["plain_weights"]
    assert np.abs(weights - other).max() > 0.1  # of other content, other weights
    query = torch.randn(1, 8, 9, 64)
    assert attention.attend(query, query, query)[1].shape == (1, 8, 9, 64)  # nine tokens, and no weight was made for it
    over_time = nn.Linear(6, 6)
    assert over_time(torch.zeros(1, 32, 6)).shape == (1, 32, 6)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        over_time(torch.zeros(1, 32, 9))


def test_erratum_e_two_layers_are_not_two_directions():
    torch.manual_seed(0)
    x = torch.randn(1, 6, 3)
    later = x.clone()
    later[:, 4:] += 1
    stacked = nn.LSTM(3, 5, num_layers=2, batch_first=True)
    both_ways = nn.LSTM(3, 5, bidirectional=True, batch_first=True)
    torch.testing.assert_close(stacked(x)[0][:, :4], stacked(later)[0][:, :4])  # blind to what comes later
    assert (both_ways(x)[0][:, :4] - both_ways(later)[0][:, :4]).abs().max() > 1e-3


def test_erratum_e_crnn_reads_one_picture():
    twin = find("crnn")
    logits = train.build(twin, dict(twin.small.arguments)).model.eval()(torch.zeros(1, 1, 32, 64))
    assert logits.shape == (1, 64 // 4 - 1, 10 + 1)  # a step for each column of one picture; ten digits and the blank


def test_erratum_e_video_tokens_are_tubelets():
    twin = find("video_vit")
    model = train.build(twin, dict(twin.small.arguments)).model.eval()
    frames, height, width, _ = twin.small.arguments["clip_shape"]
    t, h, w = twin.small.arguments["tubelet_size"]
    assert model.pos_embedding.shape[1] - 1 == frames // t * (height // h) * (width // w) == 64 != frames
    clip = torch.randn(1, 1, frames, height, width)
    backwards = clip.unflatten(2, (-1, t)).flip(2).flatten(2, 3)  # the tubelets' order turned round in time
    nn.init.normal_(model.pos_embedding)
    assert (model(clip) - model(backwards)).abs().max() > 1e-2
    nn.init.zeros_(model.pos_embedding)
    torch.testing.assert_close(model(clip), model(backwards), atol=1e-5, rtol=1e-4)
