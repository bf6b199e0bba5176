"""Edges and corners by hand-made filters, beside the filters that a network learned.

Laplace's kernel answers where brightness bends, Sobel's two where it changes along one axis. Canny makes lines of that:
smooth, take the slope, keep what is largest across the edge, and of weak pieces those that touch a strong one. Harris
asks how the slopes in a neighbourhood vary: in one direction along an edge, in two at a corner. A convolutional network
is given nothing of all this. Its first layer learns kernels of the same size from its task; `shares` says how much of
each is a mean, one of the Sobels or a Laplace, which together span four of the nine dimensions that a 3x3 kernel has.

Canny, "A computational approach to edge detection" (1986); Harris and Stephens, "A combined corner and edge detector"
(1988). Both as scikit-image computes them: Canny compares with slopes interpolated between the neighbours.

Slides: deck E, "ML vs DL": contours by Laplace, Sobel or Canny, corners by Harris, against learned features. SIFT,
which is named there too, is left out: it is a system of many parts rather than a filter.

Canny decides by comparisons, so that rounding might decide for it; on this picture no comparison is nearly even (a test
moves every pixel by 1e-5, and no line changes). The filters are `digit_cnn`'s, trained on handwritten digits.
"""

import math

from einops import rearrange
from keras import ops

SOBEL = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))  # along a row; transposed, along a column
LAPLACE = ((0, -1, 0), (-1, 4, -1), (0, -1, 0))
SIGMA, LOW, HIGH = 1.5, 0.3, 0.7  # Canny's smoothing and thresholds, in units of Sobel's sums
HARRIS_SIGMA, HARRIS_K = 1.0, 0.05


def run(image, kernel1):
    """An (H, W) picture and (9, 1, C) learned kernels to (H, W) answers, (H, W, C) learned ones, and pictures."""
    down, along, laplace = slopes(image)
    sobel = ops.sqrt(down**2 + along**2)
    edges = canny(image)
    corners = harris(image)
    learned = responses(framed(image), kernel1[:, 0])  # before bias and ReLU, to compare with slopes
    return {
        "laplace": laplace,
        "sobel_down": down,
        "sobel_along": along,
        "canny": edges,
        "harris": corners,
        "learned": learned,
        "shares": shares(kernel1[:, 0]),
        "picture_photograph": image,
        "picture_laplace": ops.clip(0.5 + laplace, 0, 1),
        "picture_sobel": sobel / ops.max(sobel),
        "picture_canny": edges,
        "picture_harris": ops.clip(0.5 + corners, 0, 1),
        "picture_learned": tiled(learned),
        "picture_learned_kernels": tiled(ops.reshape(kernel1, (3, 3, -1))),
    }


def slopes(image):
    """(H, W) to Sobel's answers down and along and Laplace's, each (H, W), the picture's border repeated outside."""
    along = ops.convert_to_tensor(SOBEL, dtype=image.dtype)
    laplace = ops.convert_to_tensor(LAPLACE, dtype=image.dtype)
    kernels = ops.stack([ops.transpose(along), along, laplace], axis=-1)  # (3, 3, 3), filters last
    answers = responses(framed(image), ops.reshape(kernels, (9, 3)))
    return answers[..., 0], answers[..., 1], answers[..., 2]


def canny(image):
    """(H, W) to 1 on the lines and 0 elsewhere."""
    inside = blurred(ops.ones_like(image), SIGMA)  # less than 1 near the border, where the blur reaches outside
    down, along, _ = slopes(blurred(image, SIGMA) / inside)
    slope = ops.sqrt(down**2 + along**2)

    # Along the slope, the next value lies between the neighbour on the steeper axis and the one on the diagonal.
    height, width = image.shape
    beyond = ops.pad(slope, ((1, 1), (1, 1)))
    at = lambda row, column: beyond[1 + row : 1 + row + height, 1 + column : 1 + column + width]
    steep = ops.abs(down) > ops.abs(along)
    same = down * along >= 0  # the slope points down and right, or up and left
    largest = ops.maximum(ops.abs(down), ops.abs(along))
    share = ops.minimum(ops.abs(down), ops.abs(along)) / ops.where(largest > 0, largest, ops.ones_like(largest))
    best = slope >= LOW
    for sign in (1, -1):
        near = ops.where(steep, at(sign, 0), at(0, sign))
        other = ops.where(steep, at(sign, -sign), at(-sign, sign))
        far = ops.where(same, at(sign, sign), other)
        best = ops.logical_and(best, far * share + near * (1 - share) <= slope)

    rows = ops.arange(height)[:, None]
    columns = ops.arange(width)[None, :]
    away = (rows > 0) & (rows < height - 1) & (columns > 0) & (columns < width - 1)  # what lies beyond is unknown
    weak = ops.cast(best & away, image.dtype)
    return connected(weak * ops.cast(slope >= HIGH, image.dtype), weak)


def connected(lines, weak):
    """The strong pieces, grown into the weak ones that touch them until nothing is added."""
    while True:
        grown = ops.max_pool(lines[None, :, :, None], 3, strides=1, padding="same")[0, :, :, 0] * weak
        if bool(ops.all(grown == lines)):
            return lines
        lines = grown


def harris(image):
    """(H, W) to the strength of a corner at each pixel: negative on edges, about 0 where nothing is."""
    kernels = ops.reshape(ops.convert_to_tensor((tuple(zip(*SOBEL, strict=True)), SOBEL), dtype=image.dtype), (2, 9))
    answers = responses(ops.pad(image, ((1, 1), (1, 1))), ops.transpose(kernels))
    down, along = answers[..., 0], answers[..., 1]
    dd, da, aa = (blurred(product, HARRIS_SIGMA) for product in (down * down, down * along, along * along))
    return dd * aa - da**2 - HARRIS_K * (dd + aa) ** 2


def blurred(image, sigma):
    """(H, W) smoothed by a Gaussian that ends after four sigma, zeros outside."""
    reach = int(4 * sigma + 0.5)
    bell = [math.exp(-0.5 * (place / sigma) ** 2) for place in range(-reach, reach + 1)]
    bell = ops.convert_to_tensor([value / sum(bell) for value in bell], dtype=image.dtype)
    x = image[None, :, :, None]
    x = ops.conv(x, bell[:, None, None, None], padding="same")
    x = ops.conv(x, bell[None, :, None, None], padding="same")
    return x[0, :, :, 0]


def framed(image):
    """(H, W) to (H + 2, W + 2), the border repeated outside."""
    rows = ops.concatenate([image[:1], image, image[-1:]], axis=0)
    return ops.concatenate([rows[:, :1], rows, rows[:, -1:]], axis=1)


def responses(larger, kernels):
    """(H + 2, W + 2) and (9, C) kernels to (H, W, C) answers."""
    filters = ops.reshape(kernels, (3, 3, 1, -1))  # differs: Keras keeps filters last
    return ops.conv(larger[None, :, :, None], filters, padding="valid")[0]


def shares(kernels):
    """(9, C) to (4, C): how much of each kernel's square is a mean, Sobel down, Sobel along, and Laplace."""
    mean = ((1, 1, 1),) * 3
    known = ops.convert_to_tensor((mean, tuple(zip(*SOBEL, strict=True)), SOBEL, LAPLACE), dtype=kernels.dtype)
    known = ops.reshape(known, (4, 9))
    known = known / ops.sqrt(ops.sum(known**2, axis=1, keepdims=True))  # each of length 1, and at right angles
    return ops.matmul(known, kernels) ** 2 / ops.sum(kernels**2, axis=0)


def tiled(maps):
    """(H, W, C) maps to one picture, four in a row, each from its smallest value (black) to its largest (white)."""
    low, high = ops.min(maps, axis=(0, 1)), ops.max(maps, axis=(0, 1))
    maps = (maps - low) / ops.where(high > low, high - low, ops.ones_like(high))
    maps = ops.pad(maps, ((0, 1), (0, 1), (0, 0)))  # a black line between the maps
    return rearrange(maps, "h w (rows columns) -> (rows h) (columns w)", columns=4)
