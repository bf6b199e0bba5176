"""Convolution as a kernel that slides: explicit sums of products beside the framework.

At each place the kernel is laid over the image, what lies on top of each other is multiplied, and the products
are added up. Without padding the map shrinks ("valid"); with a frame of zeros it keeps its size ("same"); a stride
skips places; with three channels the sum runs over all of them. The kernel is not turned round: what deep
learning calls a convolution is a cross-correlation.

Slides: deck B, the 5x5 image and 3x3 kernel, "Valid" and "Same". The page on "Same" changes one pixel of the
image without saying so: `changed` is the image of that page. Of the three colour planes, the slide covers most
of the second and third; what it covers is 0 here. The colour kernels are made up.
"""

from keras import ops


def run(image, changed, kernel, colour, colour_kernel):
    """(H, W) images with a (KH, KW) kernel, (C, H, W) colour planes with theirs, to a map per kind."""
    plane = image[None]  # (C, H, W) with one channel
    changed_plane = changed[None]
    plane_kernel = kernel[None]
    return {
        "valid_by_hand": slide(plane, plane_kernel),
        "valid_framework": convolve(plane, plane_kernel),
        "same_by_hand": slide(frame(plane), plane_kernel),
        "same_framework": convolve(plane, plane_kernel, padding="same"),
        "same_changed_by_hand": slide(frame(changed_plane), plane_kernel),
        "same_changed_framework": convolve(changed_plane, plane_kernel, padding="same"),
        "stride_2_by_hand": slide(plane, plane_kernel, stride=2),
        "stride_2_framework": convolve(plane, plane_kernel, stride=2),
        "colour_by_hand": slide(colour, colour_kernel),
        "colour_framework": convolve(colour, colour_kernel),
    }


def slide(planes, kernel, stride=1):
    """(C, H, W) planes and a (C, KH, KW) kernel to the (OH, OW) map of their sliding products."""
    _, height, width = planes.shape
    _, kernel_height, kernel_width = kernel.shape
    rows = range(0, height - kernel_height + 1, stride)
    columns = range(0, width - kernel_width + 1, stride)

    sums = [
        ops.sum(planes[:, row : row + kernel_height, column : column + kernel_width] * kernel)
        for row in rows
        for column in columns
    ]
    return ops.reshape(ops.stack(sums), (len(rows), len(columns)))


def frame(planes):
    """(C, H, W) planes to (C, H + 2, W + 2), with a frame of zeros: what a 3x3 kernel needs to keep the size."""
    return ops.pad(planes, ((0, 0), (1, 1), (1, 1)))


def convolve(planes, kernel, stride=1, padding="valid"):
    """The same map from the framework's own convolution, of a batch of one image with one filter."""
    images = ops.moveaxis(planes, 0, -1)[None]  # (1, H, W, C)  # differs: Keras convolves NHWC
    filters = ops.moveaxis(kernel, 0, -1)[..., None]  # (KH, KW, C, 1)  # differs: Keras keeps filters last
    maps = ops.conv(images, filters, strides=stride, padding=padding)  # (1, OH, OW, 1)
    return maps[0, :, :, 0]
