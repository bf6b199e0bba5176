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

import torch
from einops import rearrange
from torch.nn import functional as F

SOBEL = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))  # along a row; transposed, along a column
LAPLACE = ((0, -1, 0), (-1, 4, -1), (0, -1, 0))
SIGMA, LOW, HIGH = 1.5, 0.3, 0.7  # Canny's smoothing and thresholds, in units of Sobel's sums
HARRIS_SIGMA, HARRIS_K = 1.0, 0.05


def run(image, kernel1):
    """An (H, W) picture and (9, 1, C) learned kernels to (H, W) answers, (H, W, C) learned ones, and pictures."""
    down, along, laplace = slopes(image)
    sobel = torch.sqrt(down**2 + along**2)
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
        "picture_laplace": torch.clip(0.5 + laplace, 0, 1),
        "picture_sobel": sobel / torch.max(sobel),
        "picture_canny": edges,
        "picture_harris": torch.clip(0.5 + corners, 0, 1),
        "picture_learned": tiled(learned),
        "picture_learned_kernels": tiled(kernel1.reshape(3, 3, -1)),
    }


def slopes(image):
    """(H, W) to Sobel's answers down and along and Laplace's, each (H, W), the picture's border repeated outside."""
    along = torch.tensor(SOBEL, dtype=image.dtype)
    laplace = torch.tensor(LAPLACE, dtype=image.dtype)
    kernels = torch.stack([along.T, along, laplace], dim=-1)  # (3, 3, 3), filters last
    answers = responses(framed(image), kernels.reshape(9, 3))
    return answers[..., 0], answers[..., 1], answers[..., 2]


def canny(image):
    """(H, W) to 1 on the lines and 0 elsewhere."""
    inside = blurred(torch.ones_like(image), SIGMA)  # less than 1 near the border, where the blur reaches outside
    down, along, _ = slopes(blurred(image, SIGMA) / inside)
    slope = torch.sqrt(down**2 + along**2)

    # Along the slope, the next value lies between the neighbour on the steeper axis and the one on the diagonal.
    height, width = image.shape
    beyond = F.pad(slope, (1, 1, 1, 1))
    at = lambda row, column: beyond[1 + row : 1 + row + height, 1 + column : 1 + column + width]
    steep = torch.abs(down) > torch.abs(along)
    same = down * along >= 0  # the slope points down and right, or up and left
    largest = torch.maximum(torch.abs(down), torch.abs(along))
    share = torch.minimum(torch.abs(down), torch.abs(along)) / torch.where(
        largest > 0, largest, torch.ones_like(largest)
    )
    best = slope >= LOW
    for sign in (1, -1):
        near = torch.where(steep, at(sign, 0), at(0, sign))
        other = torch.where(steep, at(sign, -sign), at(-sign, sign))
        far = torch.where(same, at(sign, sign), other)
        best = torch.logical_and(best, far * share + near * (1 - share) <= slope)

    rows = torch.arange(height)[:, None]
    columns = torch.arange(width)[None, :]
    away = (rows > 0) & (rows < height - 1) & (columns > 0) & (columns < width - 1)  # what lies beyond is unknown
    weak = (best & away).to(image.dtype)
    return connected(weak * (slope >= HIGH).to(image.dtype), weak)


def connected(lines, weak):
    """The strong pieces, grown into the weak ones that touch them until nothing is added."""
    while True:
        grown = F.max_pool2d(lines[None, None], 3, stride=1, padding=1)[0, 0] * weak
        if bool(torch.all(grown == lines)):
            return lines
        lines = grown


def harris(image):
    """(H, W) to the strength of a corner at each pixel: negative on edges, about 0 where nothing is."""
    kernels = torch.tensor((tuple(zip(*SOBEL, strict=True)), SOBEL), dtype=image.dtype).reshape(2, 9)
    answers = responses(F.pad(image, (1, 1, 1, 1)), kernels.T)
    down, along = answers[..., 0], answers[..., 1]
    dd, da, aa = (blurred(product, HARRIS_SIGMA) for product in (down * down, down * along, along * along))
    return dd * aa - da**2 - HARRIS_K * (dd + aa) ** 2


def blurred(image, sigma):
    """(H, W) smoothed by a Gaussian that ends after four sigma, zeros outside."""
    reach = int(4 * sigma + 0.5)
    bell = [math.exp(-0.5 * (place / sigma) ** 2) for place in range(-reach, reach + 1)]
    bell = torch.tensor([value / sum(bell) for value in bell], dtype=image.dtype)
    x = image[None, None]
    x = F.conv2d(x, bell[None, None, :, None], padding="same")
    x = F.conv2d(x, bell[None, None, None, :], padding="same")
    return x[0, 0]


def framed(image):
    """(H, W) to (H + 2, W + 2), the border repeated outside."""
    rows = torch.cat([image[:1], image, image[-1:]], dim=0)
    return torch.cat([rows[:, :1], rows, rows[:, -1:]], dim=1)


def responses(larger, kernels):
    """(H + 2, W + 2) and (9, C) kernels to (H, W, C) answers."""
    filters = kernels.T.reshape(-1, 1, 3, 3)  # differs: torch keeps filters first
    return F.conv2d(larger[None, None], filters)[0].movedim(0, -1)


def shares(kernels):
    """(9, C) to (4, C): how much of each kernel's square is a mean, Sobel down, Sobel along, and Laplace."""
    mean = ((1, 1, 1),) * 3
    known = torch.tensor((mean, tuple(zip(*SOBEL, strict=True)), SOBEL, LAPLACE), dtype=kernels.dtype)
    known = known.reshape(4, 9)
    known = known / torch.sqrt(torch.sum(known**2, dim=1, keepdim=True))  # each of length 1, and at right angles
    return (known @ kernels) ** 2 / torch.sum(kernels**2, dim=0)


def tiled(maps):
    """(H, W, C) maps to one picture, four in a row, each from its smallest value (black) to its largest (white)."""
    low, high = torch.amin(maps, dim=(0, 1)), torch.amax(maps, dim=(0, 1))
    maps = (maps - low) / torch.where(high > low, high - low, torch.ones_like(high))
    maps = F.pad(maps, (0, 0, 0, 1, 0, 1))  # a black line between the maps
    return rearrange(maps, "h w (rows columns) -> (rows h) (columns w)", columns=4)
