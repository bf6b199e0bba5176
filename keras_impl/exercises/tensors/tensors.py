"""What a tensor is: its rank, its axes and their order, and what may be done with them without arithmetic.

A tensor is numbers in a row together with a shape that says how to count through them. Reshaping counts through
the same row in another way, transposing changes which neighbour comes next, and broadcasting reads the same numbers
again and again; `einsum` names the axes by letters, `einops` by words. Each is done by hand beside the framework's own.

Harris et al., "Array programming with NumPy" (2020), figure 1; Rogozhnikov, "Einops: clear and reliable tensor
manipulations with Einstein-like notation" (2022), section 3.

Slides: deck A, "What is a Tensor?" and the axes of a tensor with their usual order; deck E, einops in place of reshape
and permute. The usual order is the frameworks' first difference: a batch of images is (B, H, W, C) in Keras and
(B, C, H, W) in PyTorch, so that flattening puts the same pixels in another order.
"""

from einops import rearrange, reduce, repeat
from keras import ops


def run(vector, matrix, other, images):
    """(3,), (2, 3) and (3, 4) tensors and (B, H, W, C) images to a result per operation, by hand and not."""
    return {
        "ranks": ops.convert_to_tensor([len(t.shape) for t in (vector[0], vector, matrix, images)], dtype="int32"),
        **axes(matrix, images),
        **broadcasting(vector, matrix),
        **summation(vector, matrix, other),
        **words(images),
    }


def axes(matrix, images):
    """A reshape keeps the order of the numbers, a transpose changes it; so flattening depends on the axes' order."""
    rows, columns = matrix.shape
    turned = [[matrix[row, column] for row in range(rows)] for column in range(columns)]
    batch = images.shape[0]
    return {
        "reshaped": ops.reshape(matrix, (columns, rows)),
        "transposed_by_hand": ops.stack([ops.stack(line) for line in turned]),
        "transposed_framework": ops.transpose(matrix),
        "channels_last_row": ops.reshape(images, (batch, -1)),
        "channels_first_row": ops.reshape(ops.transpose(images, (0, 3, 1, 2)), (batch, -1)),
    }


def broadcasting(vector, matrix):
    """An axis of length 1, or one that is missing in front, is read again for each index of the other tensor."""
    rows, columns = matrix.shape
    row_means = ops.mean(matrix, axis=1, keepdims=True)  # (2, 1): with the axis kept, it broadcasts
    return {
        "row_added_by_hand": ops.stack([matrix[row] + vector for row in range(rows)]),
        "row_added_framework": matrix + vector,  # (2, 3) + (3,)
        "centred_by_hand": ops.stack([matrix[row] - ops.sum(matrix[row]) / columns for row in range(rows)]),
        "centred_framework": matrix - row_means,  # (2, 3) - (2, 1)
        "outer_by_hand": ops.stack([vector[i] * vector for i in range(columns)]),
        "outer_framework": vector[:, None] * vector[None, :],  # (3, 1) * (1, 3)
    }


def summation(vector, matrix, other):
    """What einsum's letters say: multiply what they name, and sum over each letter that the result does not name."""
    return {
        "product_by_hand": ops.sum(matrix[:, :, None] * other[None, :, :], axis=1),
        "product_framework": ops.einsum("ij,jk->ik", matrix, other),
        "row_dots_by_hand": ops.sum(matrix * matrix, axis=1),
        "row_dots_framework": ops.einsum("ij,ij->i", matrix, matrix),
        "diagonal_sum_by_hand": sum(other[i, i] for i in range(other.shape[0])),
        "diagonal_sum_framework": ops.einsum("ii->", other[:, : other.shape[0]]),
        "form_by_hand": ops.sum(ops.matmul(matrix, vector)[:, None] * matrix * vector, axis=1),
        "form_framework": ops.einsum("ij,j,ik,k->i", matrix, vector, matrix, vector),
    }


def words(images):
    """Patches, means and copies in einops, which names every axis, beside reshape, transpose and reduction."""
    batch, height, width, channels = images.shape  # differs: Keras has the channels last
    grid = ops.reshape(images, (batch, height // 2, 2, width // 2, 2, channels))  # (B, row, 2, column, 2, C)
    grid = ops.transpose(grid, (0, 1, 3, 2, 4, 5))  # (B, row, column, 2, 2, C)
    return {
        "patches_by_hand": ops.reshape(grid, (batch, height * width // 4, 4 * channels)),
        "patches_framework": rearrange(images, "b (h p) (w q) c -> b (h w) (p q c)", p=2, q=2),
        "pooled_by_hand": ops.mean(images, axis=(1, 2)),
        "pooled_framework": reduce(images, "b h w c -> b c", "mean"),
        "copied_by_hand": ops.stack([images[:, 0, 0, 0]] * 3, axis=1),
        "copied_framework": repeat(images[:, 0, 0, 0], "b -> b n", n=3),
    }
