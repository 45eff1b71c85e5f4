"""Opponent colour spaces: luminance and two chromatic channels from RGB."""

import numpy as np

# ITU-R BT.601: luma and the scaled colour differences of gamma-encoded R'G'B' in 0..1.
RGB_TO_YUV = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.14713, -0.28886, 0.436],
        [0.615, -0.51499, -0.10001],
    ]
)

# IEC 61966-2-1 (sRGB) primaries, D65 white: linear RGB to CIE 1931 XYZ.
LINEAR_RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)

# Hunt-Pointer-Estevez: XYZ to the long, middle and short wavelength cones, equal-energy white.
XYZ_TO_LMS = np.array(
    [
        [0.38971, 0.68898, -0.07868],
        [-0.22981, 1.18340, 0.04641],
        [0.0, 0.0, 1.0],
    ]
)

CHANNELS = {
    "yuv": ("Y", "U", "V"),
    "lab": ("L", "a", "b"),
    "dkl": ("L+M", "L-M", "S-(L+M)"),
    "rgb": ("R", "G", "B"),
}
LUMINANCE_FIRST = ("yuv", "lab", "dkl")


def linearise(rgb: np.ndarray) -> np.ndarray:
    """
    Linear light of gamma-encoded sRGB.

    Parameters
    ----------
    rgb : float array, in [0, 1]

    Returns
    -------
    linear : float array, shape of `rgb`, in [0, 1]

    References
    ----------
    IEC 61966-2-1:1999.
    """
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def to_opponent(image: np.ndarray, space: str) -> np.ndarray:
    """
    Channels of an RGB image in an opponent colour space.

    Parameters
    ----------
    image : array (height, width, 3)
        Gamma-encoded RGB in 0..255 (uint8 or float).
    space : {"yuv", "lab", "dkl", "rgb"}
        `yuv` BT.601 on the encoded values, Y in 0..1; `lab` CIE L*a*b* under D65, divided by 100;
        `dkl` cone contrasts after Derrington, Krauskopf and Lennie (1984), from linear light
        through Hunt-Pointer-Estevez cones relative to D65 white; `rgb` the encoded values in 0..1.

    Returns
    -------
    channels : float32 array (3, height, width)

    Raises
    ------
    ValueError
        If the space is unknown.
    """
    if space not in CHANNELS:
        raise ValueError(f"colour must be one of {', '.join(CHANNELS)}, got {space!r}")
    rgb = np.asarray(image, dtype=np.float32) / np.float32(255)
    if space == "rgb":
        channels = rgb
    elif space == "yuv":
        channels = rgb @ RGB_TO_YUV.T.astype(np.float32)
    elif space == "lab":
        channels = _lab(linearise(rgb) @ LINEAR_RGB_TO_XYZ.T)
    else:
        channels = _dkl(linearise(rgb) @ LINEAR_RGB_TO_XYZ.T)
    return np.ascontiguousarray(np.moveaxis(channels, -1, 0), dtype=np.float32)


def _lab(xyz):
    white = LINEAR_RGB_TO_XYZ.sum(axis=1)
    ratio = xyz / white
    cube = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(cube, -1, 0)
    return np.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], axis=-1)


def _dkl(xyz):
    lms = xyz @ XYZ_TO_LMS.T
    white = XYZ_TO_LMS @ LINEAR_RGB_TO_XYZ.sum(axis=1)
    long, middle, short = np.moveaxis(lms / white, -1, 0)
    luminance = (long + middle) / 2
    return np.stack([luminance, long - middle, short - luminance], axis=-1)
