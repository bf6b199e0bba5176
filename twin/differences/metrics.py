"""Metrics, and means over batches."""

from twin.differences.row import Drawn, Row

ROWS = (
    Row(
        name="binary_accuracy_logits",
        title="Binary accuracy of logits",
        keras="Compares with 0.5, whatever the loss takes: with logits, that is a probability of 0.62.",
        torch="By hand, one compares logits with 0.",
        source="keras/src/metrics/accuracy_metrics.py, BinaryAccuracy",
        remedy="`threshold=0.0` in Keras where the model returns logits.",
        hides="Logits far from zero.",
        gap=0.25,
        inputs={"y": [1.0, 1.0, 0.0, 0.0], "logits": [0.2, 3.0, -1.0, -4.0]},
        hiding={"logits": [2.0, 3.0, -1.0, -4.0]},
    ),
    Row(
        name="auc_thresholds",
        title="Area under the ROC curve",
        keras="Approximated with 200 even thresholds: scores that lie between two are one.",
        torch="By hand, exact: the share of pairs in the right order.",
        source="keras/src/metrics/confusion_metrics.py, AUC, num_thresholds",
        remedy="Give Keras the scores themselves as thresholds.",
        hides="Scores that spread over 0 to 1.",
        gap=0.389,
        inputs={"y": [0.0, 1.0, 0.0, 1.0, 1.0, 0.0], "scores": [0.9981, 0.9983, 0.9982, 0.9986, 0.9985, 0.9984]},
        hiding={"scores": [0.1, 0.5, 0.3, 0.9, 0.8, 0.6]},
    ),
    Row(
        name="last_batch",
        title="The loss of an epoch",
        keras="Weights each batch by its size: the mean over samples.",
        torch="The usual loop takes the mean over batches: the samples of a small last batch count for more.",
        source="keras/src/trainers/trainer.py, compute_loss; keras/src/backend/tensorflow/trainer.py, train_step",
        remedy="Multiply by the size of the batch and divide by the number of samples.",
        hides="Batches that divide the data.",
        gap=0.138,
        inputs={"x": Drawn((6, 3))},
        hiding={"x": Drawn((8, 3))},
    ),
)
