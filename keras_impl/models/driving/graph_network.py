"""Graph network: edges, nodes and the graph as a whole are updated in turn, whatever the order of the nodes.

Battaglia et al., "Relational inductive biases, deep learning, and graph networks" (2018), section 3.2 and algorithm 1.
A block first updates every edge from itself, its sender, its receiver and the global attributes; then every node from
the edges that arrive at it and leave it; then the global attributes from all edges and nodes. The same functions serve
all edges and all nodes, and sums do not know an order: if the nodes are permuted, so are the answers, and nothing else
changes. Here the graph is a matrix of synapses between neurons, and each neuron is told its type.

Departures: each update is one dense layer and a ReLU; it takes the sum of one linear map for each of its inputs, which
is one map of the inputs put side by side. The graph is a matrix (N, N) of weights, as a sixth of its places are taken.
An updated edge counts as much as its weight, nothing where there is no edge, and aggregation is a mean over an axis.
Nodes see the edges that leave them too, as the paper's configurable blocks (section 4.2) allow.

Slides: deck E, table 1 (twice), the relational inductive biases of dense, convolutional, recurrent and graph layers.
"""

import keras
from keras import layers, ops

from keras_impl.saving import serializable


class GraphBlock(layers.Layer):
    """A graph network block: edges, nodes and global attributes to new ones.

    Args:
        in_dims: widths of the edges, nodes and global attributes that come in, which Keras could do without.
        edge_dim: width of the new edges.
        node_dim: width of the new nodes.
        global_dim: width of the new global attributes.
    """

    def __init__(self, in_dims, edge_dim, node_dim, global_dim):
        super().__init__()
        self.edge_from_edge = layers.Dense(edge_dim, use_bias=False)
        self.edge_from_sender = layers.Dense(edge_dim, use_bias=False)
        self.edge_from_receiver = layers.Dense(edge_dim, use_bias=False)
        self.edge_from_global = layers.Dense(edge_dim)
        self.node_from_edges = layers.Dense(node_dim)
        self.node_from_node = layers.Dense(node_dim, use_bias=False)
        self.node_from_global = layers.Dense(node_dim, use_bias=False)
        self.global_from_all = layers.Dense(global_dim)

    def call(self, edges, nodes, globals_, weights):
        """(B, N, N, E), (B, N, D), (B, G) and the graph (B, N, N, 1) to new edges, nodes and globals."""
        to_edge = self.edge_from_sender(nodes)[:, :, None] + self.edge_from_receiver(nodes)[:, None]
        to_edge = to_edge + self.edge_from_global(globals_)[:, None, None]
        edges = ops.relu(self.edge_from_edge(edges) + to_edge) * weights  # (B, N, N, edge_dim)

        received, sent = ops.mean(edges, axis=1), ops.mean(edges, axis=2)  # (B, N, edge_dim)
        to_node = self.node_from_edges(ops.concatenate([received, sent], axis=-1))
        to_node = to_node + self.node_from_global(globals_)[:, None]
        nodes = ops.relu(self.node_from_node(nodes) + to_node)  # (B, N, node_dim)

        everything = [ops.mean(received, axis=1), ops.mean(nodes, axis=1), globals_]
        globals_ = ops.relu(self.global_from_all(ops.concatenate(everything, axis=-1)))  # (B, global_dim)
        return edges, nodes, globals_


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class GraphNetwork(keras.Model):
    """Two blocks, and the class of every node.

    Args:
        edge_dim: width of the edges.
        node_dim: width of the nodes.
        global_dim: width of the global attributes.
        num_classes: classes of a node.
    """

    def __init__(self, edge_dim, node_dim, global_dim, num_classes):
        super().__init__()
        self.block1 = GraphBlock((1, 2, 1), edge_dim, node_dim, global_dim)
        self.block2 = GraphBlock((edge_dim, node_dim, global_dim), edge_dim, node_dim, global_dim)
        self.class_from_node = layers.Dense(num_classes)
        self.class_from_global = layers.Dense(num_classes, use_bias=False)
        self(keras.Input((None, None)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, N, N) weights of the edges from row to column to (B, N, num_classes) logits of the nodes."""
        edges = weights = x[..., None]  # (B, N, N, 1)
        nodes = ops.stack([ops.mean(x, axis=1), ops.mean(x, axis=2)], axis=-1)  # (B, N, 2): what comes and goes
        globals_ = ops.mean(nodes, axis=1)[:, :1]  # (B, 1): of all edges
        edges, nodes, globals_ = self.block1(edges, nodes, globals_, weights)
        _, nodes, globals_ = self.block2(edges, nodes, globals_, weights)
        return self.class_from_node(nodes) + self.class_from_global(globals_)[:, None]

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Cross-entropy, mean over all nodes (B, N)."""
        return ops.mean(keras.losses.sparse_categorical_crossentropy(y, y_pred, from_logits=True))
