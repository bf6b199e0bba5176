"""Recurrent layers: Keras's side."""

from keras import layers, ops

from keras_impl.differences import with_weights


def lstm_two_biases(x, kernel, recurrent_kernel, bias):
    return with_weights(layers.LSTM(4), x, kernel, recurrent_kernel, bias)(x)


def lstm_two_biases_equal(x, kernel, recurrent_kernel, bias):
    return with_weights(layers.LSTM(4), x, kernel, recurrent_kernel, 2 * bias)(x)


def gru_gate_order(x, kernel, recurrent_kernel):
    units = len(recurrent_kernel)
    return with_weights(layers.GRU(units, use_bias=False), x, kernel, recurrent_kernel)(x)


def gru_gate_order_equal(x, kernel, recurrent_kernel):
    units = len(recurrent_kernel)
    return with_weights(layers.GRU(units, use_bias=False), x, _swapped(kernel), _swapped(recurrent_kernel))(x)


def _swapped(kernel):
    """Reset, update, new (PyTorch) to update, reset, new (Keras), or back."""
    first, second, new = ops.split(kernel, 3, axis=-1)
    return ops.concatenate([second, first, new], axis=-1)


def gru_reset_after(x, kernel, recurrent_kernel):
    return with_weights(layers.GRU(4, reset_after=False, use_bias=False), x, kernel, recurrent_kernel)(x)


def gru_reset_after_equal(x, kernel, recurrent_kernel):
    return with_weights(layers.GRU(4, reset_after=True, use_bias=False), x, kernel, recurrent_kernel)(x)


def bidirectional_last(x, kernel, recurrent_kernel):
    layer = layers.Bidirectional(layers.SimpleRNN(4, use_bias=False))
    return with_weights(layer, x, kernel, recurrent_kernel, kernel, recurrent_kernel)(x)


def bidirectional_last_equal(x, kernel, recurrent_kernel):
    layer = layers.Bidirectional(layers.SimpleRNN(4, use_bias=False, return_sequences=True))
    return with_weights(layer, x, kernel, recurrent_kernel, kernel, recurrent_kernel)(x)[:, -1]


def rnn_batch_first(x, kernel, recurrent_kernel):
    layer = layers.SimpleRNN(4, use_bias=False, return_sequences=True)
    return with_weights(layer, x, kernel, recurrent_kernel)(x)


def rnn_batch_first_equal(x, kernel, recurrent_kernel):
    layer = layers.SimpleRNN(4, use_bias=False, return_sequences=True)
    outputs = with_weights(layer, x, kernel, recurrent_kernel)(ops.swapaxes(x, 0, 1))
    return ops.swapaxes(outputs, 0, 1)


def rnn_padding(tokens, table, kernel, recurrent_kernel):
    x = with_weights(layers.Embedding(5, 3, mask_zero=True), tokens, table)(tokens)
    return with_weights(layers.SimpleRNN(4, use_bias=False), x, kernel, recurrent_kernel)(x)


def rnn_padding_equal(tokens, table, kernel, recurrent_kernel):
    x = with_weights(layers.Embedding(5, 3), tokens, table)(tokens)
    return with_weights(layers.SimpleRNN(4, use_bias=False), x, kernel, recurrent_kernel)(x)
