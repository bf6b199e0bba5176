"""How well a model learned: one function per metric, outside of both frameworks, in NumPy or by a library.

Each takes `predict`, from named arrays with the model's inputs among them to named outputs, and the test part.
"""

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from twin import coco, decoding, prototypes
from twin.data import Arrays

Predict = Callable[[Arrays], Arrays]

OF_CTC = ("character_error_rate", "word_error_rate")  # of models whose logits are read by the best path


def accuracy(predict: Predict, test: Arrays) -> float:
    """Share of the test rows whose largest logit is at the label."""
    return float((predict(test)["y"].argmax(-1) == test["y"]).mean())


def localization_accuracy(predict: Predict, test: Arrays) -> float:
    """Share of the test rows with the right class and a box (left, top, right, bottom) of at least 0.5 IoU.

    Russakovsky et al., "ImageNet large scale visual recognition challenge" (2015), section 4.2, with one guess.
    """
    outputs = predict(test)
    box, true = outputs["box"], test["box"]
    sides = np.minimum(box[:, 2:], true[:, 2:]) - np.maximum(box[:, :2], true[:, :2])
    overlap = sides.clip(0).prod(-1)
    areas = [(b[:, 2:] - b[:, :2]).clip(0).prod(-1) for b in (box, true)]
    iou = overlap / (areas[0] + areas[1] - overlap)
    return float(((outputs["label"].argmax(-1) == test["label"]) & (iou >= 0.5)).mean())


def detected_joints(predict: Predict, test: Arrays) -> float:
    """Share of the joints that are placed within a fifth of their figure's torso: the percentage of detected joints.

    Toshev and Szegedy, "DeepPose" (2014), section 4.1, PDJ at 0.2. Places are `y` (N, 2 * joints).
    """
    from twin.data.poses import torso

    apart = (predict(test)["y"] - test["y"]).reshape(len(test["y"]), -1, 2)
    return float((np.linalg.norm(apart, axis=-1) <= 0.2 * torso(test["y"])[:, None]).mean())


def mean_mask_iou(predict: Predict, test: Arrays) -> float:
    """Intersection over union of each class's pixels in the whole test part, averaged over the classes that occur."""
    labels, true = predict(test)["y"].argmax(-1), test["y"]
    classes = np.union1d(labels, true)
    shares = [((labels == c) & (true == c)).sum() / ((labels == c) | (true == c)).sum() for c in classes]
    return float(np.mean(shares))


def mean_average_precision(predict: Predict, test: Arrays) -> float:
    """Average precision of boxes at an IoU of 0.5, averaged over the classes: COCO's AP50, by pycocotools.

    The model gives `boxes` (N, K, 4), or (N, K, classes, 4), and `scores` (N, K, classes) from 0 to 1; of those that
    overlap, the best stays (`twin.boxes.detections`).
    """
    outputs = predict(test)
    return coco.average_precision(test, outputs["boxes"], outputs["scores"])


def mean_mask_average_precision(predict: Predict, test: Arrays) -> float:
    """The same of masks: those pixels of `masks` (N, H, W, K) that have at least 0.5 against the true pixels.

    A model that gives `prototypes` and `coefficients` in their place has its masks made of them (twin.prototypes).
    """
    outputs = predict(test)
    if "prototypes" in outputs:
        outputs = prototypes.instances(outputs, *test["masks"].shape[1:3])
    return coco.average_precision(test, outputs["boxes"], outputs["scores"], outputs["masks"])


def reconstruction_error(predict: Predict, test: Arrays) -> float:
    """Mean squared difference between the model's output and the target; lower is better."""
    return float(((predict(test)["y"] - test["y"]) ** 2).mean())


def heart_rate_error(predict: Predict, test: Arrays) -> float:
    """Mean absolute difference of rates given in beats a second, in beats a minute; lower is better."""
    return float(60 * np.abs(predict(test)["y"] - test["y"]).mean())


def frechet_distance(predict: Predict, test: Arrays) -> float:
    """Frechet distance of Gaussians fitted to generated and to `real` rows; 0 for equal means and covariances.

    Pictures (N, H, W, C) are first averaged down to 8x8, so that there are more rows than pixels.
    """
    generated, real = (_small_rows(array.astype(np.float64)) for array in (predict(test)["y"], test["real"]))
    apart = ((generated.mean(0) - real.mean(0)) ** 2).sum()
    covariance, other = np.cov(generated.T), np.cov(real.T)
    values, axes = np.linalg.eigh(covariance)
    root = (axes * np.sqrt(values.clip(0))) @ axes.T  # pixels that never change make the covariance singular
    shared = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(0)).sum()
    return float(apart + np.trace(covariance) + np.trace(other) - 2 * shared)


def bleu(predict: Predict, test: Arrays) -> float:
    """BLEU-4 of the captions that a model writes by itself about the pictures `image`, against the captions `y` (N, T).

    The model takes what it has written so far as `tokens`, and writes the likeliest word at each place.
    """
    from twin.data.captions import BEGIN, END

    def following(tokens: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return predict({"image": test["image"][rows], "tokens": tokens})["y"]

    written = decoding.greedy(following, len(test["y"]), test["y"].shape[1], BEGIN, END)
    return bleu_4(*([row[(row > 0) & (row != END)].tolist() for row in array] for array in (written, test["y"])))


def bleu_4(candidates: Sequence[Sequence[int]], references: Sequence[Sequence[int]]) -> float:
    """How much candidates have in common with one reference each, from 0 to 1, by sacrebleu, without smoothing.

    Papineni et al., "BLEU: a method for automatic evaluation of machine translation" (2002), section 2.3: the geometric
    mean of the shares of 1- to 4-grams that the reference has too, over all sentences together, and less where the
    candidates are shorter than the references.
    """
    from sacrebleu.metrics import BLEU  # here, so that other metrics do not wait for it

    judge = BLEU(tokenize="none", smooth_method="none", force=True)  # force: these are words already
    return judge.corpus_score(_as_text(candidates), [_as_text(references)]).score / 100


def _small_rows(pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, H, W, C) as rows (N, 64 * C) of what they show at 8x8; rows as they are."""
    if pictures.ndim == 2:
        return pictures
    rows, height, width, channels = pictures.shape
    tiles = pictures.reshape(rows, 8, height // 8, 8, width // 8, channels)
    return tiles.mean((2, 4)).reshape(rows, -1)


def character_error_rate(predict: Predict, test: Arrays) -> float:
    """Edits that turn the best paths into the strings, for each character of the strings; lower is better.

    The strings are `y` (N, S) with classes from 1 and 0 behind their ends; the model's output is logits
    (N, T, classes).
    """
    return error_rate(best_path(predict(test)["y"]), [row[row > 0].tolist() for row in test["y"]])


def word_error_rate(predict: Predict, test: Arrays) -> float:
    """Edits of words that turn the best paths into the sentences, for each word of the sentences; lower is better.

    The sentences are `y` (N, S), letters from 1 with 27 between words and 0 behind the end; the model's output is
    logits (N, T, classes).
    """
    from twin.data.lips import spelled

    return error_rate(*([spelled(row).split() for row in rows] for rows in (best_path(predict(test)["y"]), test["y"])))


def phone_error_rate(predict: Predict, test: Arrays) -> float:
    """Edits that turn what a model writes by itself into the phones `y` (N, T), for each of them; lower is better.

    The model takes `source` and what it has written so far as `target`, and takes the likeliest phone at each place.
    """
    from twin.data.pronunciations import BEGIN, END

    def following(target: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return predict({"source": test["source"][rows], "target": target})["y"]

    written = decoding.greedy(following, len(test["y"]), test["y"].shape[1], BEGIN, END)
    return error_rate(*([row[(row > 0) & (row != END)].tolist() for row in array] for array in (written, test["y"])))


def best_path(logits: np.ndarray) -> list[list[int]]:
    """What CTC's logits (N, T, classes) read as: each step's best class, repetitions merged, blanks (0) dropped."""
    best = logits.argmax(-1)
    kept = best > 0
    kept[:, 1:] &= best[:, 1:] != best[:, :-1]
    return [row[keep].tolist() for row, keep in zip(best, kept, strict=True)]


def error_rate(found: Sequence[Sequence[Hashable]], true: Sequence[Sequence[Hashable]]) -> float:
    """Insertions, deletions and replacements that turn sequences into the true ones, for each item of these, by jiwer.

    Characters, phones and words are what jiwer calls words: they may not have a space in them.
    """
    import jiwer  # here, so that other metrics do not wait for it

    return jiwer.wer(reference=_as_text(true), hypothesis=_as_text(found))


def _as_text(sequences: Sequence[Sequence[Hashable]]) -> list[str]:
    """Each sequence's items with spaces between them, as libraries of language want them."""
    return [" ".join(map(str, sequence)) for sequence in sequences]


def mean_return(predict: Predict, test: Arrays) -> float:
    """Mean length of 20 episodes of CartPole, at most 500 steps each, under the action of the greatest value."""
    from twin.data.cartpole import mean_length  # here, so that other metrics do not wait for Gymnasium

    return mean_length(lambda x: predict({"x": x})["y"].argmax(-1), episodes=20, seed=2015)
