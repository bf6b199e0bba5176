"""Metrics and means over batches: Keras's side."""

import keras
from keras import metrics, ops


def binary_accuracy_logits(y, logits):
    return metrics.BinaryAccuracy()(y, logits)


def binary_accuracy_logits_equal(y, logits):
    return metrics.BinaryAccuracy(threshold=0.0)(y, logits)


def auc_thresholds(y, scores):
    return metrics.AUC()(y, scores)


def auc_thresholds_equal(y, scores):
    thresholds = sorted({0.0, 1.0, *ops.convert_to_numpy(scores).tolist()})
    return metrics.AUC(thresholds=thresholds)(y, scores)


def last_batch(x):
    model = keras.Sequential([keras.layers.Identity()])
    model.compile(loss="mean_squared_error")
    return model.evaluate(x, ops.zeros_like(x), batch_size=4, verbose=0)
