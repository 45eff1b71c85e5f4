"""Second stage: amplitudes filtered again at coarser scales (filter, rectify, filter)."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gaborscope.filters.controls import ControlBank
from gaborscope.filters.loggabor import LogGaborBank

KIND = "second_stage"
STEPS = (2, 3)  # number of scales between the first and the second stage


def pairs(n_scales: int) -> list[tuple[int, int]]:
    """
    Pairs of scales, first and second stage, that the bank has.

    Parameters
    ----------
    n_scales : int
        Number of scales of the bank.

    Returns
    -------
    pairs : list of (int, int)
        First and second scale.
    """
    return [(s, s + step) for s in range(n_scales) for step in STEPS if s + step < n_scales]


def orientations(n_orientations: int) -> list[int]:
    """
    Orientations of the bank that the second stage has: all, or every other one of eight or more.

    Parameters
    ----------
    n_orientations : int

    Returns
    -------
    orientations : list of int
    """
    every = 2 if n_orientations >= 8 and n_orientations % 2 == 0 else 1
    return list(range(0, n_orientations, every))


def rows(
    bank: Mapping[str, Any], kinds: Sequence[str], channel: str
) -> list[tuple[str, int, int, int, str]]:
    """
    Describe the regressors, as `Regressors.table` does.

    Parameters
    ----------
    bank : mapping
        Arguments of `LogGaborBank`.
    kinds : sequence of {"even", "odd", "amplitude"}
        Parts of the second response that are used.
    channel : str
        Name of the first colour channel.

    Returns
    -------
    rows : list of (kind, scale, orientation, colour, name)
        Scale of the first stage, orientation of the second; the name says "+2" where the second
        scale is two above the first.
    """
    return [
        (KIND, first, o, 0, f"{channel} second {kind} +{second - first} s{first} o{o}")
        for first, second in pairs(bank["n_scales"])
        for o in orientations(bank["n_orientations"])
        for kind in kinds
    ]


def responses(
    image: np.ndarray,
    bank: Mapping[str, Any],
    boundary: str,
    control: str | None = None,
    draw: int = 0,
) -> Iterator[np.ndarray]:
    """
    Responses of the second stage to one colour channel.

    `z2 = g_t * mean_o |g_so * image|`: the amplitude of scale s, averaged over orientations,
    filtered by the log-Gabors of scale t = s + 2 and s + 3. If scales double, these wavelengths are
    four and eight times the wavelength of s.

    Parameters
    ----------
    image : real array (height, width)
    bank : mapping
        Arguments of `LogGaborBank`.
    boundary : {"symmetric", "periodic"}
    control : str, optional
        Control bank that replaces the log-Gabors in both stages, one of `controls.CONTROLS`.
    draw : int
        Number of the control bank, where the control is drawn.

    Yields
    ------
    responses : complex64 array (orientation, height, width)
        One array per pair of `pairs`; real and imaginary part are even and odd response.

    References
    ----------
    Landy, M. S., Graham, N. (2004). Visual perception of texture. The Visual Neurosciences,
    1106-1118.
    """
    full_bank = LogGaborBank(**bank)
    parameters = full_bank.parameters
    scales = pairs(full_bank.n_scales)
    first = _prepared(
        {**parameters, "n_scales": len({s for s, _ in scales})}, image, boundary, (control, draw)
    )
    amplitude = np.zeros((len({s for s, _ in scales}), *image.shape), np.float32)
    first.analyse(image)
    for filters, block in first.responses():
        for index, response in zip(range(filters.start, filters.stop), block, strict=True):
            amplitude[index // full_bank.n_orientations] += np.abs(response)
    amplitude /= full_bank.n_orientations
    n = len(orientations(full_bank.n_orientations))
    for s, t in scales:
        wavelength = float(full_bank.wavelengths_px[t])
        coarse = {**parameters, "n_scales": 1, "n_orientations": n, "min_wavelength_px": wavelength}
        second = _prepared({**coarse, "angular_sigma": None}, image, boundary, (control, draw))
        second.analyse(amplitude[s])
        yield np.concatenate([block.copy() for _, block in second.responses()])


def _prepared(parameters, image, boundary, control):
    return _cached(tuple(parameters.items()), image.shape, boundary, control)


@functools.lru_cache(maxsize=16)
def _cached(parameters, shape, boundary, control):
    bank = LogGaborBank(**dict(parameters))
    name, draw = control
    if name is not None:
        return ControlBank(name, bank, draw).prepare(shape, boundary)
    return bank.prepare(shape, boundary)
