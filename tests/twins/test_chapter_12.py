"""Relational biases and driving, by numbers: who minds the order of the input, and graphs that are none.

PyTorch's side is held against independent referees. The ladder has shown that Keras gives the same.
"""

import re

import networkx
import numpy as np
import pytest
import torch

from compare.worker import pictures
from tests.helpers.slides import outputs
from torch_impl import train
from torch_impl.exercises.driving import inductive_biases
from twin import data
from twin.catalogue import find
from twin.data import connectome, karate_club, sweeps
from twin.errors import TwinError

LAYERS = ("fully_connected", "convolutional", "recurrent", "graph")
ANSWERS = tuple(f"{change} {answer}" for change in ("shifted", "permuted") for answer in ("moves", "stays", "pooled"))


def table(kind):
    """What `inductive_biases` found of each layer, by its answers' names."""
    rows = outputs("inductive_biases")[f"table_of_{kind}"]
    return {
        layer: {answer for answer, found in zip(ANSWERS, row, strict=True) if found}
        for layer, row in zip(LAYERS, rows, strict=True)
    }


def graph_network(seed=0):
    """The model in float64, freshly initialised."""
    twin = find("graph_network")
    return train.build(twin, dict(twin.small.arguments), "float64", seed).model.eval()


# Table 1


def test_table_1_holds_for_a_signal_that_stays_clear_of_both_ends():
    found = table("burst")
    translation, permutation = {"shifted moves", "shifted pooled"}, {"permuted moves", "permuted pooled"}
    assert found["fully_connected"] == set()
    assert found["convolutional"] == found["recurrent"] == translation
    assert found["graph"] == translation | permutation  # a shift is one of the permutations


def test_erratum_e_table_1_is_about_equivariance():
    for kind in ("burst", "signal"):
        found = table(kind)
        assert not any({"shifted stays", "permuted stays"} & answers for answers in found.values())  # nobody's output
    for layer in ("convolutional", "recurrent"):
        assert "shifted moves" in table("burst")[layer]
        assert "shifted moves" not in table("signal")[layer]  # where the signal reaches the ends
    assert {"permuted moves", "permuted pooled"} <= table("signal")["graph"]


def test_a_graph_convolution_is_kipf_and_wellings():
    given, out = data.load("karate_club").test, outputs("inductive_biases")
    edges = given["adjacency"].astype(np.float64) + np.eye(34)
    roots = np.diag(edges.sum(1) ** -0.5)
    expected = np.maximum(roots @ edges @ roots @ given["signal"].astype(np.float64) @ given["graph_kernel"], 0)
    np.testing.assert_allclose(out["signal_graph"], expected, atol=1e-12)
    assert sum(np.prod(shape) + shape[1] for shape in ((1433, 16), (16, 7))) == 23_063  # their network for Cora


def test_a_graph_convolution_is_that_of_torch_geometric():
    geometric = pytest.importorskip("torch_geometric.nn")
    given = {name: torch.from_numpy(array) for name, array in data.load("karate_club").test.items()}
    layer = geometric.GCNConv(4, 4, bias=False)
    with torch.no_grad():
        layer.lin.weight.copy_(given["graph_kernel"].T)
        theirs = torch.relu(layer(given["signal"], given["adjacency"].nonzero().T))
    ours = inductive_biases.graph_convolution(given["signal"], given["adjacency"], given["graph_kernel"])
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_the_karate_club_is_zacharys():
    theirs = networkx.to_numpy_array(networkx.karate_club_graph(), weight=None)
    np.testing.assert_array_equal(data.load("karate_club").test["adjacency"], theirs)
    assert sum(map(len, karate_club.FRIENDS.values())) == 78


# The graph network


def test_permuted_neurons_get_permuted_answers():
    x = torch.from_numpy(data.load("connectome", {"test_count": 2, "train_count": 1}).test["x"]).double()
    model, order = graph_network(), torch.from_numpy(np.random.default_rng(0).permutation(100))
    with torch.no_grad():
        before, after = model(x), model(x[:, order][:, :, order])
        turned = model(x.transpose(1, 2))
    torch.testing.assert_close(after, before[:, order], atol=1e-12, rtol=1e-9)
    assert (turned - before).abs().max() > 1e-3  # but the direction of an edge matters


def test_a_block_is_algorithm_1_edge_by_edge():
    model, rng = graph_network(), np.random.default_rng(1)
    block = model.block2
    edges, nodes, globals_ = (torch.from_numpy(rng.standard_normal(s)) for s in ((1, 5, 5, 12), (1, 5, 24), (1, 8)))
    weights = torch.from_numpy((rng.random((1, 5, 5, 1)) < 0.6) * rng.random((1, 5, 5, 1)))
    parts = ("edge_from_edge", "edge_from_sender", "edge_from_receiver", "edge_from_global")
    kernel = torch.cat([getattr(block, part).weight for part in parts], dim=1)
    with torch.no_grad():
        new_edges, new_nodes, new_globals = block(edges, nodes, globals_, weights)
        for sender in range(5):
            for receiver in range(5):
                all_ = torch.cat([edges[0, sender, receiver], nodes[0, sender], nodes[0, receiver], globals_[0]])
                edge = torch.relu(kernel @ all_ + block.edge_from_global.bias) * weights[0, sender, receiver]
                torch.testing.assert_close(new_edges[0, sender, receiver], edge)
        kernel = torch.cat(
            [block.node_from_edges.weight, block.node_from_node.weight, block.node_from_global.weight], 1
        )
        for node in range(5):
            all_ = [new_edges[0, :, node].mean(0), new_edges[0, node].mean(0), nodes[0, node], globals_[0]]
            new = torch.relu(kernel @ torch.cat(all_) + block.node_from_edges.bias)
            torch.testing.assert_close(new_nodes[0, node], new)
        all_ = torch.cat([new_edges[0].mean((0, 1)), new_nodes[0].mean(0), globals_[0]])
        torch.testing.assert_close(new_globals[0], torch.relu(block.global_from_all(all_)))


def test_no_neuron_is_in_both_parts_and_every_one_has_an_edge():
    arrays, dataset = connectome.read(), data.load("connectome")
    assert [len(arrays[f"{side}_types"]) for side in ("left", "right")] == [209, 213]
    for part in (dataset.train, dataset.test):
        assert ((part["x"] > 0).any(1) | (part["x"] > 0).any(2)).all()
    share = np.bincount(dataset.test["y"].ravel()).max() / dataset.test["y"].size
    assert share == pytest.approx(find("graph_network").metric.chance, abs=0.01)


# Graphs that are none


def test_edges_become_a_matrix_from_sender_to_receiver():
    np.testing.assert_array_equal(connectome.adjacency([[0, 1], [2, 0]], 3), [[0, 1, 0], [0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(connectome.adjacency([[0, 1, 0.5], [0, 1, 2]], 2), [[0, 2.5], [0, 0]])


@pytest.mark.parametrize(
    ("edges", "nodes", "message"),
    [
        ([[0, 1], [1, 7]], 3, "edge 1 goes from node 1 to node 7; the graph has nodes 0 to 2: correct the edge"),
        ([[-1, 1]], 3, "edge 0 goes from node -1 to node 1; the graph has nodes 0 to 2"),
        ([[0.5, 1.0]], 2, "edge 0 goes from node 0.5 to node 1;"),
        ([[0, 1]], 3, "node 2 has no edge, so that a graph network learns nothing of it: leave it out, or give it an"),
        ([0, 1], 2, "edges have the shape (E, 2), sender and receiver, or (E, 3) with weights; not (2,)"),
    ],
)
def test_a_graph_that_is_none_is_one_clear_line(edges, nodes, message):
    with pytest.raises(TwinError, match=re.escape(message)) as error:
        connectome.adjacency(edges, nodes)
    assert "\n" not in str(error.value)


# Lidar


def test_points_lie_on_the_road_user_that_they_come_from():
    random = np.random.default_rng(0)
    points = sweeps.cast("car", (10.0, 0.0), 0.0, 1.0, random)
    assert len(points) > 200
    assert points[:, 0].min() == pytest.approx(10 - 2.1, abs=0.1)  # its near end; the far one is hidden behind it
    assert (abs(points[:, 1]) < 0.9 + 0.1).all()
    assert ((points[:, 2] > 0.2 - 0.1) & (points[:, 2] < 1.55 + 0.1)).all()
    lower = points[points[:, 2] < 0.9]
    assert lower[:, 0].std() < 0.05  # nothing is seen through the body
    far = sweeps.cast("car", (20.0, 0.0), 0.0, 1.0, random)
    assert len(far) < len(points) / 3


def test_the_order_of_the_points_does_not_matter_to_pointnet():
    twin = find("lidar_objects")
    model = train.build(twin, dict(twin.small.arguments), "float64").model.eval()
    x = torch.from_numpy(data.load(twin.data, {"train_count": 1, "test_count": 4}).test["x"]).double()
    order = torch.from_numpy(np.random.default_rng(0).permutation(64))
    with torch.no_grad():
        torch.testing.assert_close(model(x[:, order]), model(x))
        doubled = torch.cat([x, x], dim=1)
        torch.testing.assert_close(model(doubled), model(x))  # nor how often a point is seen
        assert (model(x[:, :8]) - model(x)).abs().max() > 1e-3


@pytest.mark.parametrize(("speed", "sideways"), [(8.0, 0.0), (5.0, 0.5)])
def test_when_and_where_a_collision_comes_is_told_from_two_sweeps(speed, sideways):
    random, interval = np.random.default_rng(1), 0.5
    places = [(20.0, 0.0), (20.0 - speed * interval, sideways * interval)]
    before, after = (sweeps.cast("car", place, np.pi, 1.0, random) for place in places)
    seconds, place = sweeps.collision(before, after, interval)
    assert seconds == pytest.approx((places[1][0] - 2.1) / speed, rel=0.1)  # until its front is where the sensor is
    assert abs(place).max() < 2 + abs(sideways) * seconds


def test_what_goes_away_never_collides_and_no_points_are_one_clear_line():
    random = np.random.default_rng(2)
    before, after = (sweeps.cast("pedestrian", (distance, 1.0), 0.0, 1.0, random) for distance in (8.0, 9.0))
    assert sweeps.collision(before, after, 0.5)[0] == float("inf")
    with pytest.raises(TwinError, match="points in both sweeps and an interval above 0; received 0 and"):
        sweeps.collision(before[:0], after, 0.5)
    with pytest.raises(TwinError, match="points must be at least 1; received 0"):
        sweeps.load(points=0)


def test_a_report_shows_clouds_from_above_and_from_the_side():
    cloud = np.array([[2.0, 0.0, 1.0], [-2.0, 1.0, -1.0], [9.0, 0.0, 0.0]])  # the last one is beyond the picture
    (above,), (side,) = (pictures._plotted(cloud[None], np.array([0]), axes) for axes in ((0, 1), (0, 2)))
    inked = [sorted((int(row), int(column)) for row, column in np.argwhere((p != 1).any(-1))) for p in (above, side)]
    for found, corners in zip(inked, ([(19, 6), (32, 57), (32, 62)], [(19, 57), (32, 62), (44, 6)]), strict=True):
        assert found == sorted((r + down, c + along) for r, c in corners for down in (0, 1) for along in (0, 1))
    part = sweeps.load(train_count=1, test_count=8).test
    right, wrong = np.eye(3)[part["y"]], np.eye(3)[(part["y"] + 1) % 3]
    made, other = (pictures.of_predictions(find("lidar_objects"), part, {"y": y})["pictures"] for y in (right, wrong))
    assert [each["of"] for each in made] == ["data", "data", "model"]
    assert made[2]["png"] == made[1]["png"] != other[2]["png"]
