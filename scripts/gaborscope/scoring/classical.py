"""
Classical saliency models, written from their papers: an image in, a saliency map in 0..1 out.

None of them is fitted to fixations. `sun` is fitted to the image statistics of the stimuli of the
fit split. The other models take their parameters from their papers.
"""

import math
from collections.abc import Iterable

import cv2
import numpy as np

from gaborscope.errors import InputError
from gaborscope.stimuli.densities import resize_bilinear

ORIENTATIONS = (0.0, 45.0, 90.0, 135.0)  # degrees
ITTI_SIDE = 640  # px of the longer side: the paper's nine scales are made for this size
GRAPH_SIDE = 32  # nodes along the longer side
RESIDUAL_SIDE = 64  # px of the longer side
SUN_SIDE = 320  # px of the longer side
SUN_SIGMAS = (2.0, 4.0, 8.0, 16.0)  # px at SUN_SIDE; the paper has twice these at 681 px

FAINTEST = 1e-6  # smaller differences between values in 0..1 are rounding errors


def itti_koch(image: np.ndarray) -> np.ndarray:
    """
    Saliency by centre-surround differences of intensity, colour and orientation.

    The image is first resized to 640 px on its longer side. As in the paper, pyramids have nine
    scales; centres are at scales 2 to 4, surrounds three and four scales coarser. At scale 4 each
    map is weighted by (largest - mean local maximum)^2 and summed within its channel. The sum is
    weighted again and summed over channels.

    Our choices: a local maximum is the largest value in 7 x 7 px of scale 4, so that the gap
    between two items is not one. Colour differences are centre minus surround of R - G and B - Y;
    the paper's formula inverts the sign of the surround, which would add the two. Orientation
    energy comes from quadrature pairs of Gabors.

    Parameters
    ----------
    image : uint8 array (height, width, 3)
        RGB.

    Returns
    -------
    saliency_map : float64 array (height, width), in 0..1
        All zeros for an image of one colour.

    References
    ----------
    Itti, Koch, Niebur (1998). IEEE Trans. Pattern Analysis and Machine Intelligence 20, 1254-1259.
    """
    pyramids = _itti_pyramids(_scaled(image, ITTI_SIDE))
    shape = pyramids["intensity"][0][4].shape
    conspicuity = 0.0
    for channels in pyramids.values():
        total = 0.0
        for pyramid in channels:
            summed = 0.0
            for centre in (2, 3, 4):
                for surround in (centre + 3, centre + 4):
                    coarse = resize_bilinear(pyramid[surround], pyramid[centre].shape)
                    summed += _promote(_at(np.abs(pyramid[centre] - coarse), shape))
            total += _promote(summed) if len(channels) == len(ORIENTATIONS) else summed
        conspicuity += _promote(total) / 3
    return _unit(conspicuity, image)


def gbvs(image: np.ndarray) -> np.ndarray:
    """
    Graph-based visual saliency: where random walks over feature maps spend their time.

    Nodes are the cells of a grid with 32 cells along the longer side. Features are those of
    `itti_koch` at scales 2 to 4. The first walk gives the activation A. It moves between two cells
    in proportion to |difference of the feature| times F, a Gaussian of their distance (standard
    deviation 0.15 of the longer side). The second walk normalises: it moves to a cell in
    proportion to that cell's activation times F.

    Both chains are reversible, so their stationary distributions have closed forms and need no
    iteration: the row sums of the symmetric weights for the first, A (F A) for the second.

    Parameters
    ----------
    image : uint8 array (height, width, 3)
        RGB.

    Returns
    -------
    saliency_map : float64 array (height, width), in 0..1
        All zeros for an image of one colour.

    References
    ----------
    Harel, Koch, Perona (2006). Advances in Neural Information Processing Systems 19.
    """
    small = _scaled(image, ITTI_SIDE)
    ratio = GRAPH_SIDE / max(small.shape[:2])
    shape = tuple(max(2, round(extent * ratio)) for extent in small.shape[:2])
    near = _nearness(shape)
    total = np.zeros(shape[0] * shape[1])
    for channels in _itti_pyramids(small).values():
        for pyramid in channels:
            for scale in (2, 3, 4):
                feature = _at(pyramid[scale], shape).ravel()
                spread = np.ptp(feature)
                if spread < FAINTEST:
                    continue
                feature = (feature - feature.min()) / spread
                active = (np.abs(feature[:, None] - feature) * near).sum(axis=1)
                active /= active.sum()
                stationary = active * (near @ active)
                total += stationary / stationary.sum() / len(channels)
    return _unit(total.reshape(shape), image)


def spectral_residual(image: np.ndarray) -> np.ndarray:
    """
    Saliency by the difference between the log amplitude spectrum and its local mean.

    The intensity image has 64 px on its longer side. The 3 x 3 mean of the log amplitude is
    subtracted. The inverse transform is squared and blurred (2.5 px, as in the authors' code).

    Parameters
    ----------
    image : uint8 array (height, width, 3)
        RGB.

    Returns
    -------
    saliency_map : float64 array (height, width), in 0..1
        All zeros for an image of one colour.

    References
    ----------
    Hou, Zhang (2007). IEEE Conference on Computer Vision and Pattern Recognition.
    """
    intensity = _scaled(image, RESIDUAL_SIDE).mean(axis=2)
    if np.ptp(intensity) < FAINTEST:
        return np.zeros(image.shape[:2])
    spectrum = np.fft.fft2(intensity)
    log_amplitude = np.log(np.abs(spectrum) + 1e-12)
    # a spectrum is periodic, so its local mean wraps around the border
    mean = sum(
        np.roll(log_amplitude, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)
    ) / 9  # fmt: skip
    residual = np.exp(log_amplitude - mean + 1j * np.angle(spectrum))
    return _unit(_blur(np.abs(np.fft.ifft2(residual)) ** 2, 2.5), image)


def sun_statistics(images: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """
    Shape and scale of the distribution of each feature of `sun` over natural images.

    The distributions are generalised Gaussians with a density proportional to
    exp(-|x / scale|^shape). They are fitted by the first two moments of |x|.

    Parameters
    ----------
    images : iterable of uint8 array (height, width, 3)

    Returns
    -------
    shape, scale : float64 arrays (12,)

    Raises
    ------
    InputError
        If there are no images.
    """
    first, second, n = 0.0, 0.0, 0
    for image in images:
        features = np.abs(_sun_features(image))
        first = first + features.mean(axis=(1, 2))
        second = second + (features**2).mean(axis=(1, 2))
        n += 1
    if n == 0:
        raise InputError("there are no stimuli to fit sun to; the fit split needs at least one")
    first, second = np.maximum(first / n, 1e-12), np.maximum(second / n, 1e-24)
    shape = np.array([_shape_of(ratio) for ratio in second / first**2])
    gammas = [math.gamma(1 / s) / math.gamma(2 / s) for s in shape]
    return shape, first * gammas


def sun(image: np.ndarray, shape: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """
    Saliency as self-information: how improbable the local features are in natural images.

    The twelve features are differences of Gaussians at four scales of intensity, red-green and
    blue-yellow. Saliency is the sum of |response / scale|^shape over them, which is -log p up to a
    constant.

    Parameters
    ----------
    image : uint8 array (height, width, 3)
        RGB.
    shape, scale : float arrays (12,)
        From `sun_statistics`.

    Returns
    -------
    saliency_map : float64 array (height, width), in 0..1
        All zeros for an image of one colour.

    References
    ----------
    Zhang, Tong, Marks, Shan, Cottrell (2008). Journal of Vision 8(7):32.
    """
    features = np.abs(_sun_features(image))
    information = ((features / scale[:, None, None]) ** shape[:, None, None]).sum(axis=0)
    return _unit(information, image)


def _scaled(image, side):
    """RGB in 0..1 as float64, resized to `side` px on the longer side."""
    ratio = side / max(image.shape[:2])
    size = tuple(max(2, round(extent * ratio)) for extent in image.shape[1::-1])
    method = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=method).astype(float) / 255


def _unit(values, image):
    """Map at the size of the image, scaled to 0..1; all zeros if it is constant."""
    values = values - values.min()
    largest = values.max()
    if largest < FAINTEST**2:
        return np.zeros(image.shape[:2])
    return np.clip(resize_bilinear(values / largest, image.shape[:2]), 0, 1)


def _itti_pyramids(rgb):
    """Return lists of nine-scale pyramids: 1 of intensity, 2 of colour, 4 of orientation."""
    intensity = rgb.mean(axis=2)
    bright = intensity > 0.1 * intensity.max()  # hue is not defined in the dark
    r, g, b = np.moveaxis(
        np.divide(
            rgb, intensity[..., None], out=np.zeros_like(rgb), where=bright[..., None]
        ), 2, 0
    )  # fmt: skip
    red, green, blue = r - (g + b) / 2, g - (r + b) / 2, b - (r + g) / 2
    yellow = (r + g) / 2 - np.abs(r - g) / 2 - b
    red, green, blue, yellow = (np.maximum(c, 0) for c in (red, green, blue, yellow))
    levels = _pyramid(intensity)
    oriented = [[_energy(level, theta) for level in levels] for theta in ORIENTATIONS]
    colours = [_pyramid(red - green), _pyramid(blue - yellow)]
    return {"intensity": [levels], "colour": colours, "orientation": oriented}


def _pyramid(image):
    """Nine scales: each is the one before, blurred and halved, but at least one pixel."""
    levels = [image]
    while len(levels) < 9:
        # not cv2.pyrDown: it keeps the even pixels and so shifts each scale by half a pixel
        half = tuple(max(1, round(extent / 2)) for extent in levels[-1].shape)
        levels.append(_at(_blur(levels[-1], 1.0), half))
    return levels


def _energy(level, theta):
    """Amplitude of a quadrature pair of Gabors of 7 px wavelength."""
    parts = []
    for phase in (0.0, math.pi / 2):
        kernel = cv2.getGaborKernel((15, 15), 7 / 3, math.radians(theta), 7.0, 1.0, phase)
        parts.append(
            cv2.filter2D(level, -1, kernel - kernel.mean(), borderType=cv2.BORDER_REPLICATE)
        )
    return np.hypot(*parts)


def _promote(values):
    """Map in 0..1 times (largest - mean of the other local maxima)^2: favours few peaks."""
    values = values - values.min()
    largest = values.max()
    if largest < FAINTEST:
        return np.zeros_like(values)
    values = values / largest
    peaks = (values == cv2.dilate(values, np.ones((7, 7)))) & (values > 0.05) & (values < 1)
    mean_peak = values[peaks].mean() if peaks.any() else 0.0
    return values * (1 - mean_peak) ** 2


def _at(values, shape):
    """Map at another size: area average to shrink it, bilinear to enlarge it."""
    method = cv2.INTER_AREA if shape[0] < values.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(values, shape[::-1], interpolation=method)


def _nearness(shape):
    """Gaussian of the distance between all pairs of cells; sd 0.15 of the longer side."""
    y, x = (axis.ravel() for axis in np.indices(shape))
    squares = (y[:, None] - y) ** 2 + (x[:, None] - x) ** 2
    return np.exp(-squares / (2 * (0.15 * max(shape)) ** 2))


def _sun_features(image):
    """Differences of Gaussians, (12, y, x)."""
    rgb = _scaled(image, SUN_SIDE)
    r, g, b = np.moveaxis(rgb, 2, 0)
    channels = (r + g + b) / 3, r - g, b - (r + g) / 2
    return np.stack(
        [
            # exp(-r^2 / s^2) has the standard deviation s / sqrt(2)
            _blur(channel, sigma / 2**0.5) - _blur(channel, 1.6 * sigma / 2**0.5)
            for channel in channels
            for sigma in SUN_SIGMAS
        ]
    )


def _shape_of(ratio):
    """Shape of the generalised Gaussian whose E x^2 / (E |x|)^2 is `ratio`, in 0.2 .. 4."""
    shapes = np.linspace(0.2, 4, 400)
    ratios = [
        math.gamma(1 / s) * math.gamma(3 / s) / math.gamma(2 / s) ** 2 for s in shapes
    ]  # the ratio falls as the shape grows; np.interp needs rising values, hence the signs
    return float(np.interp(-ratio, -np.array(ratios), shapes))


def _blur(values, sigma):
    """Gaussian blur with a replicated border."""
    return cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
