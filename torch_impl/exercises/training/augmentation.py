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

import torch
from torch.nn import functional as F

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as everybody normalizes
SMALL = (20, 32)


def run(pictures, flip, shift, angle, shear, zoom, corner, box, brightness, contrast, saturation, hue):
    """(B, 3, H, W) pictures in [0, 1] and a draw for each to the pictures after each transformation."""
    still, whole = torch.zeros_like(shift), torch.ones_like(zoom)
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
    pictures = torch.where(upside_down, torch.flip(pictures, dims=(2,)), pictures)
    return torch.where(left_to_right, torch.flip(pictures, dims=(3,)), pictures)


def rotated(angle):
    """(B,) degrees, counter-clockwise, to the matrices (B, 2, 2) that turn the result's x, y into the original's."""
    angle = angle * (math.pi / 180)
    return matrices(torch.cos(angle), -torch.sin(angle), torch.sin(angle), torch.cos(angle))


def sheared(shear):
    """(B,) tangents to matrices that draw the upper half to one side, the lower to the other."""
    one, none = torch.ones_like(shear), torch.zeros_like(shear)
    return matrices(one, shear, none, one)


def zoomed(zoom):
    """(B,) shares of the picture to matrices that show so much of it."""
    none = torch.zeros_like(zoom)
    return matrices(zoom, none, none, zoom)


def matrices(a, b, c, d):
    """Four (B,) numbers to (B, 2, 2)."""
    return torch.stack([torch.stack([a, b], dim=-1), torch.stack([c, d], dim=-1)], dim=-2)


def about_middle(pictures, matrix, shift):
    """A map (B, 2, 3) that leaves the middle in its place, and then shifts down and right."""
    _, _, height, width = pictures.shape  # differs: torch keeps channels second
    middle = torch.tensor([[(width - 1) / 2], [(height - 1) / 2]], dtype=pictures.dtype, device=pictures.device)
    return torch.cat([matrix, middle - torch.matmul(matrix, middle + shift.flip(1)[..., None])], dim=-1)


def from_box(pictures, box):
    """The map (B, 2, 3) that stretches a box (top, left, height, width) over the whole picture."""
    _, _, height, width = pictures.shape  # differs: torch keeps channels second
    top, left, down, across = (box[:, part] for part in range(4))
    down, across, none = down / height, across / width, torch.zeros_like(top)
    matrix = matrices(across, none, none, down)
    corner = torch.stack([left + (across - 1) / 2, top + (down - 1) / 2], dim=-1)  # a pixel's middle is at 1/2
    return torch.cat([matrix, corner[..., None]], dim=-1)


def moved(pictures, affine):
    """Each pixel x, y from the place affine (x, y, 1) of the original, between four pixels, black beyond the edge."""
    _, _, height, width = pictures.shape
    # differs: torch asks for each pixel's place
    size = torch.tensor([width, height], dtype=pictures.dtype, device=pictures.device)
    y, x = torch.meshgrid(*(torch.arange(side).to(size) for side in (height, width)), indexing="ij")
    places = torch.einsum("bij,hwj->bhwi", affine, torch.stack([x, y, torch.ones_like(x)], dim=-1))
    places = (2 * places + 1) / size - 1  # grid_sample measures from -1 to 1, from edge to edge
    return F.grid_sample(pictures, places, mode="bilinear", padding_mode="zeros", align_corners=False)


def cropped(pictures, corner):
    """Half the height and width, from each picture's own corner."""
    _, _, height, width = pictures.shape  # differs: torch keeps channels second
    rows = torch.arange(height // 2, device=corner.device) + corner[:, :1]  # (B, H / 2)
    columns = torch.arange(width // 2, device=corner.device) + corner[:, 1:]  # (B, W / 2)
    pictures = torch.take_along_dim(pictures, rows[:, None, :, None], dim=2)
    return torch.take_along_dim(pictures, columns[:, None, None, :], dim=3)


def resized(pictures, antialias):
    """To a smaller size, a pixel between its four nearest, or a mean over all that it covers."""
    return F.interpolate(pictures, SMALL, mode="bilinear", align_corners=False, antialias=antialias)


def blurred(pictures):
    """Each pixel a Gaussian mean of 5x5, the picture mirrored at its edges."""
    pictures = F.pad(pictures, (2, 2, 2, 2), mode="reflect")
    bell = torch.exp(-0.5 * torch.arange(-2, 3).to(pictures) ** 2)  # differs: torch itself has no Gaussian blur
    bell = bell / bell.sum()
    filters = torch.outer(bell, bell).expand(3, 1, 5, 5)
    return F.conv2d(pictures, filters, groups=3)


def grey(pictures):
    """How light each pixel is to the eye: (B, 1, H, W)."""
    red, green, blue = pictures.split(1, dim=1)  # differs: torch itself knows no colour spaces
    return 0.2989 * red + 0.5870 * green + 0.1140 * blue


def jitter_as_in_keras(pictures, brightness, contrast, saturation, hue):
    """Add to all, stretch each channel about its mean, scale the saturation, turn the hue."""
    pictures = torch.clip(pictures + per_picture(brightness - 1), 0, 1)
    mean = torch.mean(pictures, dim=(2, 3), keepdim=True)  # differs: Keras's layer takes the mean itself
    pictures = torch.clip(per_picture(contrast) * (pictures - mean) + mean, 0, 1)
    h, s, v = to_hsv(pictures).unbind(1)  # differs: torch itself knows no colour spaces
    s = torch.clip(s * saturation[:, None, None], 0, 1)
    return to_rgb(torch.stack([(h + hue[:, None, None]) % 1, s, v], dim=1))


def jitter_as_in_torchvision(pictures, brightness, contrast, saturation, hue):
    """Multiply all, blend with the picture's mean grey, blend with the grey picture, turn the hue."""
    pictures = torch.clip(per_picture(brightness) * pictures, 0, 1)
    mean = torch.mean(grey(pictures), dim=(1, 2, 3), keepdim=True)
    pictures = torch.clip(per_picture(contrast) * pictures + (1 - per_picture(contrast)) * mean, 0, 1)
    pictures = torch.clip(per_picture(saturation) * pictures + (1 - per_picture(saturation)) * grey(pictures), 0, 1)
    h, s, v = to_hsv(pictures).unbind(1)  # differs: torch keeps channels second, and so unbinds there
    return to_rgb(torch.stack([(h + hue[:, None, None]) % 1, s, v], dim=1))


def per_picture(draw):
    """(B,) draws, to be multiplied with pictures."""
    return draw[:, None, None, None]


def to_hsv(pictures):
    """Red, green and blue to hue, saturation and value, all in [0, 1]."""
    red, green, blue = pictures.unbind(1)  # differs: torch itself knows no colour spaces
    value, spread = pictures.amax(1), pictures.amax(1) - pictures.amin(1)
    safe = torch.where(spread > 0, spread, 1)
    sixths = torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe)
    sixths = torch.where(value == red, (green - blue) / safe, sixths)
    return torch.stack([sixths / 6 % 1, spread / torch.where(value > 0, value, 1), value], dim=1)


def to_rgb(pictures):
    """Hue, saturation and value back to red, green and blue."""
    hue, saturation, value = pictures.unbind(1)  # differs: torch itself knows no colour spaces
    places = [(6 * hue + start) % 6 for start in (5, 3, 1)]  # how far red, green and blue are from full strength
    return torch.stack([value * (1 - saturation * torch.minimum(p, 4 - p).clip(0, 1)) for p in places], dim=1)


def normalized(pictures):
    """Each channel's mean taken off, and divided by its standard deviation."""
    # differs: Keras has a layer for it
    mean, deviation = (torch.tensor(numbers).to(pictures)[:, None, None] for numbers in (MEAN, DEVIATION))
    return (pictures - mean) / deviation
