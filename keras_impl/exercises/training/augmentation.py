"""Augmentation: every picture seen in many ways, so that a network learns what does not depend on the way.

Shorten and Khoshgoftaar, "A survey on image data augmentation for deep learning" (2019), section "Image data
augmentations based on basic image manipulations". A transformation draws random numbers and changes the picture by
them. Here the numbers are given, one for each picture, so that both frameworks make the same picture. All geometric
transformations are one affine map: it gives, for each pixel of the result, the position that it comes from, between
four pixels of the original; beyond the edge everything is black.

Geometric transformations have the same names in Keras and in torchvision, and do the same. Colour jitter differs:
`jitter_as_in_keras` and `jitter_as_in_torchvision` use the same numbers. By default a Keras resize takes the nearest
pixels, and torchvision's smooths first (antialias); a Keras blur darkens the frame, and torchvision's mirrors it.
Keras's RandomCrop draws one position for the whole batch.

Slides: deck B, "Data Augmentation" and "Image Transforms"; deck D, flips, shift, rotation, crop.
"""

import math

from keras import layers, ops

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as everybody normalizes
SMALL = (20, 32)


def run(pictures, flip, shift, angle, shear, zoom, corner, box, brightness, contrast, saturation, hue):
    """(B, H, W, 3) pictures in [0, 1] and a draw for each to the pictures after each transformation."""
    still, whole = ops.zeros_like(shift), ops.ones_like(zoom)
    return {
        "flipped": flipped(pictures, flip),
        "shifted": moved(pictures, about_middle(pictures, zoomed(whole), shift)),
        "rotated": moved(pictures, about_middle(pictures, rotated(angle), still)),
        "sheared": moved(pictures, about_middle(pictures, sheared(shear), still)),
        "zoomed": moved(pictures, about_middle(pictures, zoomed(zoom), still)),
        "cropped": cropped(pictures, corner),
        "resized_crop": moved(pictures, from_box(pictures, box)),
        "resized": resized(pictures, antialias=False),
        "resized_smoothly": resized(pictures, antialias=True),
        "blurred": blurred(pictures),
        "grey": grey(pictures),
        "jitter_as_in_keras": jitter_as_in_keras(pictures, brightness, contrast, saturation, hue),
        "jitter_as_in_torchvision": jitter_as_in_torchvision(pictures, brightness, contrast, saturation, hue),
        "normalized": normalized(pictures),
    }


def flipped(pictures, flip):
    """Upside down, left to right, or both."""
    upside_down, left_to_right = (flip[:, axis, None, None, None] == 1 for axis in (0, 1))
    pictures = ops.where(upside_down, ops.flip(pictures, axis=1), pictures)
    return ops.where(left_to_right, ops.flip(pictures, axis=2), pictures)


def rotated(angle):
    """(B,) degrees, counter-clockwise, to the matrices (B, 2, 2) that turn the result's x, y into the original's."""
    angle = angle * (math.pi / 180)
    return matrices(ops.cos(angle), -ops.sin(angle), ops.sin(angle), ops.cos(angle))


def sheared(shear):
    """(B,) tangents to matrices that draw the upper half to one side, the lower to the other."""
    one, none = ops.ones_like(shear), ops.zeros_like(shear)
    return matrices(one, shear, none, one)


def zoomed(zoom):
    """(B,) shares of the picture to matrices that show so much of it."""
    none = ops.zeros_like(zoom)
    return matrices(zoom, none, none, zoom)


def matrices(a, b, c, d):
    """Four (B,) numbers to (B, 2, 2)."""
    return ops.stack([ops.stack([a, b], axis=-1), ops.stack([c, d], axis=-1)], axis=-2)


def about_middle(pictures, matrix, shift):
    """A map (B, 2, 3) that leaves the middle in its place, and then shifts down and right."""
    _, height, width, _ = pictures.shape  # differs: Keras keeps channels last
    middle = ops.cast([[(width - 1) / 2], [(height - 1) / 2]], pictures.dtype)
    return ops.concatenate([matrix, middle - ops.matmul(matrix, middle + ops.flip(shift, axis=1)[..., None])], axis=-1)


def from_box(pictures, box):
    """The map (B, 2, 3) that stretches a box (top, left, height, width) over the whole picture."""
    _, height, width, _ = pictures.shape  # differs: Keras keeps channels last
    top, left, down, across = (box[:, part] for part in range(4))
    down, across, none = down / height, across / width, ops.zeros_like(top)
    matrix = matrices(across, none, none, down)
    corner = ops.stack([left + (across - 1) / 2, top + (down - 1) / 2], axis=-1)  # a pixel's middle is at 1/2
    return ops.concatenate([matrix, corner[..., None]], axis=-1)


def moved(pictures, affine):
    """Each pixel x, y from the place affine (x, y, 1) of the original, between four pixels, black beyond the edge."""
    rows = ops.reshape(affine, (-1, 6))  # differs: Keras's map has eight numbers
    return ops.image.affine_transform(pictures, ops.pad(rows, ((0, 0), (0, 2))), fill_mode="constant")


def cropped(pictures, corner):
    """Half the height and width, from each picture's own corner."""
    _, height, width, _ = pictures.shape  # differs: Keras keeps channels last
    rows = ops.arange(height // 2, dtype="int32") + corner[:, :1]  # (B, H / 2)
    columns = ops.arange(width // 2, dtype="int32") + corner[:, 1:]  # (B, W / 2)
    pictures = ops.take_along_axis(pictures, rows[:, :, None, None], axis=1)
    return ops.take_along_axis(pictures, columns[:, None, :, None], axis=2)


def resized(pictures, antialias):
    """To a smaller size, a pixel between its four nearest, or a mean over all that it covers."""
    return ops.image.resize(pictures, SMALL, interpolation="bilinear", antialias=antialias)


def blurred(pictures):
    """Each pixel a Gaussian mean of 5x5, the picture mirrored at its edges."""
    pictures = ops.pad(pictures, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    # data_format is not left to Keras: JAX and PyTorch would take the rows for channels, TensorFlow would not
    # differs: Keras has this blur ready-made
    pictures = ops.image.gaussian_blur(pictures, kernel_size=(5, 5), sigma=(1.0, 1.0), data_format="channels_last")
    return pictures[:, 2:-2, 2:-2]


def grey(pictures):
    """How light each pixel is to the eye: (B, H, W, 1)."""
    return ops.image.rgb_to_grayscale(pictures)


def jitter_as_in_keras(pictures, brightness, contrast, saturation, hue):
    """Add to all, stretch each channel about its mean, scale the saturation, turn the hue."""
    unit = (0, 1)
    brighter, contrasted = layers.RandomBrightness(1, unit), layers.RandomContrast(1, unit)
    saturated, turned = layers.RandomSaturation(1, unit), layers.RandomHue(1, unit)
    pictures = ops.copy(pictures)  # differs: on the torch backend, RandomBrightness adds to the pictures in place
    pictures = brighter.transform_images(pictures, {"rgb_delta": per_picture(brightness - 1)})
    pictures = contrasted.transform_images(pictures, {"contrast_factor": per_picture(contrast)})
    # differs: Keras's layer goes to hue and back itself
    pictures = saturated.transform_images(pictures, {"factor": saturation})
    return turned.transform_images(pictures, {"factor": hue})


def jitter_as_in_torchvision(pictures, brightness, contrast, saturation, hue):
    """Multiply all, blend with the picture's mean grey, blend with the grey picture, turn the hue."""
    pictures = ops.clip(per_picture(brightness) * pictures, 0, 1)
    mean = ops.mean(grey(pictures), axis=(1, 2, 3), keepdims=True)
    pictures = ops.clip(per_picture(contrast) * pictures + (1 - per_picture(contrast)) * mean, 0, 1)
    pictures = ops.clip(per_picture(saturation) * pictures + (1 - per_picture(saturation)) * grey(pictures), 0, 1)
    hsv = to_hsv(pictures)  # differs: Keras keeps channels last, and so splits there
    return to_rgb(ops.stack([(hsv[..., 0] + hue[:, None, None]) % 1, hsv[..., 1], hsv[..., 2]], axis=-1))


def per_picture(draw):
    """(B,) draws, to be multiplied with pictures."""
    return draw[:, None, None, None]


def to_hsv(pictures):
    """Red, green and blue to hue, saturation and value, all in [0, 1]."""
    return ops.image.rgb_to_hsv(pictures)


def to_rgb(pictures):
    """Hue, saturation and value back to red, green and blue."""
    return ops.image.hsv_to_rgb(pictures)


def normalized(pictures):
    """Each channel's mean taken off, and divided by its standard deviation."""
    return layers.Normalization(mean=MEAN, variance=[d**2 for d in DEVIATION])(pictures)
