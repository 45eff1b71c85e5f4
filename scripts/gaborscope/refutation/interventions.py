"""Take notches out of an image, and compare the changes that are predicted and measured."""

import functools
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.model import ExplainedModel
from gaborscope.filters import loggabor
from gaborscope.refutation import notches
from gaborscope.stimuli import centre_bias as centre_biases
from gaborscope.stimuli import fixations, geometry
from gaborscope.stimuli.block import StimulusBlock

# Half a grey level, squared. A notch of less energy is skipped: rounding of pixels would hide it.
LEAST_ENERGY = 0.25


def bank_settings(model: ExplainedModel) -> Mapping[str, Any]:
    """
    Return the settings of the regressors that an explained model takes from the image.

    Parameters
    ----------
    model : ExplainedModel

    Returns
    -------
    settings : dict
        `bank`, `colour` and others.
    """
    return model.layers[0].settings if model.cascade is None else model.cascade.image_settings


def content_of(
    block: StimulusBlock, index: int, box: geometry.Box | tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return a stimulus as the regressors see it: an image that fills the network's input.

    Parameters
    ----------
    block : StimulusBlock
    index : int
    box : geometry.Box

    Returns
    -------
    content : uint8 array (height, width, 3), or float32 array (height, width, 3 + maps)
        Behind RGB the maps of the block's concepts.
    pixels : int array (n, 2)
        Fixated pixels of this image, x and y.
    """
    size = block.size(index)
    content = geometry.content(block.view(index), geometry.place(size, box))
    points, _ = block.points(index)
    relative = centre_biases.relative(fixations.to_pixels(points, size), size)
    height, width = content.shape[:2]
    return content, np.floor(relative * (width, height)).astype(int)


def explained_by(model: ExplainedModel) -> Callable[..., np.ndarray]:
    """Return a function of an image, and of the maps of the model's concepts, if it has any."""

    def predict(image, maps=()):
        return model.predict(image, dict(zip(model.concepts, maps, strict=True)))

    return predict


def _without_maps(content, explained):
    """Return the image of a content, and the prediction of an image with the content's maps."""
    if content.shape[2] == 3:
        return content, explained
    maps = np.moveaxis(content[..., 3:], -1, 0)
    return content[..., :3].astype(np.uint8), functools.partial(explained, maps=maps)


def rank(
    contents: Sequence[np.ndarray],
    predict: Callable[..., np.ndarray] | Sequence[Callable[..., np.ndarray]],
    settings: Mapping[str, Any],
    families: Sequence[str],
) -> pd.DataFrame:
    """
    Rank notches by how much the explained density changes without them.

    The ranking uses the explanation alone, not the network.

    Parameters
    ----------
    contents : sequence of array
        From `content_of`.
    predict : callable or sequence of callable
        Returns the explained model's density of an image; where contents have maps, it takes these
        too (`explained_by`), and they stay as they are. Or one for each content.
    settings : dict
        From `bank_settings`.
    families : sequence of str
        Families of notches, see `notches.candidates`; `filter` is ranked for `lower_half`.

    Returns
    -------
    table : DataFrame
        One row per notch, in each family the largest `contribution` first. `contribution`: mean
        over the images of KL(density of the image || density without the notch), in nats.
        `energy`: mean energy taken out. `channel, scale, orientation` (-1: all). The other columns
        come from `Notch.described`.
    """
    bank, channels = layer_tools.bank_and_channels(settings)
    candidates = notches.candidates(bank, families)
    changes, energies = np.zeros((2, len(contents), len(candidates)))
    for row, whole in enumerate(contents):
        own = predict if callable(predict) else predict[row]
        content, of_image = _without_maps(whole, own)
        notcher, before = notches.Notcher(content, settings), of_image(content)
        for column, notch in enumerate(candidates):
            without = notches.clipped(notcher.without(notcher.component(notch.cells(bank))))
            changes[row, column] = divergence(before, of_image(without))
            energies[row, column] = notches.energy(without, content)
    rows = [
        {
            **notch.described(bank, channels),
            "channel": notch.channel,
            "scale": -1 if notch.scale is None else notch.scale,
            "orientation": -1 if notch.orientation is None else notch.orientation,
            "contribution": changes[:, column].mean(),
            "energy": energies[:, column].mean(),
        }
        for column, notch in enumerate(candidates)
    ]
    table = pd.DataFrame(rows)
    table["family"] = pd.Categorical(table["family"], families, ordered=True)
    table = table.sort_values(
        ["family", "contribution"], ascending=[True, False], kind="stable", ignore_index=True
    )
    return table.astype({"family": str})


def leading(table: pd.DataFrame, n: int) -> list[tuple[str, notches.Notch]]:
    """
    Return the leading notches of each family.

    Parameters
    ----------
    table : DataFrame
        From `rank`.
    n : int
        Number of notches per family.

    Returns
    -------
    notches : list of (str, Notch)
        Name of each notch, and the notch.
    """
    first = table[table["family"] != "filter"].groupby("family", sort=False).head(n)
    return [(row.notch, _notch(row)) for row in first.itertuples()]


def _notch(row):
    scale, orientation = (None if at < 0 else int(at) for at in (row.scale, row.orientation))
    return notches.Notch(row.family, int(row.channel), scale, orientation)


def lower_half(table: pd.DataFrame, bank: loggabor.LogGaborBank) -> np.ndarray:
    """
    Return the cells of the filters that an explanation ranks in its lower half.

    The rank is that of the change per energy: small changes of an image change a density by a
    divergence that is proportional to their energy.

    Parameters
    ----------
    table : DataFrame
        From `rank`, with the family `filter`.
    bank : loggabor.LogGaborBank

    Returns
    -------
    cells : bool array (3, cell)
        See `notches.partition`. Filters that hold less than `LEAST_ENERGY` of the images have no
        rank and are not among them.
    """
    single = table[(table["family"] == "filter") & (table["energy"] >= LEAST_ENERGY)]
    per_energy = single["contribution"] / single["energy"]
    lower = np.zeros((3, bank.n_filters + 1), bool)
    for row in single[per_energy < per_energy.median()].itertuples():
        lower |= _notch(row).cells(bank)
    return lower


def changed_images(
    notcher: notches.Notcher,
    notch: notches.Notch,
    lower: np.ndarray,
    n_random: int,
    key: Sequence[int],
) -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
    """
    Yield an image without a notch, and images changed by equal energy in other ways.

    The energy is the energy of the whole notch, but at most half of that of the lower half of the
    filters, so that random ones of them can hold it.

    Parameters
    ----------
    notcher : notches.Notcher
    notch : notches.Notch
    lower : bool array (3, cell)
        From `lower_half`.
    n_random : int
        Number of random changes of each kind.
    key : sequence of int
        Seed.

    Yields
    ------
    kind : {"leading", "lower_half", "random_phase"}
        `leading`: without the notch. `lower_half`: without cells drawn from those of `lower`
        outside the notch, with the image's own phases. `random_phase`: without a component that has
        the amplitudes of the notch and random phases, which puts new structure into the image.
    image : uint8 array (height, width, 3)
    facts : dict
        `depth`: share of the component that is subtracted. `energy`: mean squared difference.
        `clipped`: share of the energy that is lost by clipping and rounding.
    """
    notch_cells = notch.cells(notcher.bank)
    notch_component, spared = notcher.component(notch_cells), notch_cells | ~lower
    held = notcher.energy(notcher.component(~spared))
    target = min(notcher.energy(notch_component), held / 2)
    if target < LEAST_ENERGY:
        return
    rng = np.random.default_rng(key)
    yield "leading", *_at_energy(notcher, notch_component, target, 1.0)
    for _ in range(n_random):
        component, _ = notcher.random_cells(spared, target, rng)
        yield "lower_half", *_at_energy(notcher, component, target, 1.0)
        component = notcher.random_phases(notch_cells, rng)
        yield "random_phase", *_at_energy(notcher, component, target, 4.0)


def _at_energy(notcher, component, target, most):
    depth = notcher.depth_of(component, target, most)
    without = notcher.without(component, depth)
    image = notches.clipped(without)
    full, kept = (notches.energy(changed, notcher.content) for changed in (without, image))
    return image, {"depth": depth, "energy": kept, "clipped": 1 - kept / full}


def intervene(
    content: np.ndarray,
    pixels: np.ndarray,
    settings: Mapping[str, Any],
    chosen: Sequence[tuple[str, notches.Notch]],
    lower: np.ndarray,
    predictors: tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]],
    n_random: int,
    key: tuple[int, str],
) -> list[dict[str, Any]]:
    """
    Take notches out of one stimulus, and compare the predicted and measured changes.

    Parameters
    ----------
    content : array
        From `content_of`.
    pixels : int array (n, 2)
        Fixated pixels, x and y.
    settings : dict
        From `bank_settings`.
    chosen : list of (str, Notch)
        From `leading`.
    lower : bool array (3, cell)
        From `lower_half`.
    predictors : (callable, callable)
        Return the density of an image: by the explained model, as for `rank`, and by the network.
    n_random : int
    key : (int, str)
        Seed and the stimulus's name.

    Returns
    -------
    rows : list of dict
        `notch, family, kind`, the facts of `changed_images`, and the measures of `compare`.
    """
    content, explained = _without_maps(content, predictors[0])
    notcher, rows, network = notches.Notcher(content, settings), [], predictors[1]
    before = explained(content), network(content)
    for number, (words, notch) in enumerate(chosen):
        seeds = [key[0], zlib.crc32(key[1].encode()), number]
        for kind, image, facts in changed_images(notcher, notch, lower, n_random, seeds):
            after = explained(image), network(image)
            row = {"notch": words, "family": notch.family, "kind": kind, **facts}
            rows.append({**row, **compare(before, after, pixels)})
    return rows


def compare(
    before: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray], pixels: np.ndarray
) -> dict[str, float]:
    """
    Compare the change of the explained density with that of the network's.

    Parameters
    ----------
    before, after : (float array (height, width), float array (height, width))
        Densities of the image before and after the change: by the explained model, by the network.
    pixels : int array (n, 2)
        Fixated pixels, x and y.

    Returns
    -------
    measures : dict of str to float
        `correlation`: correlation of the two changes over pixels. `sign_agreement`: share of the
        fixated pixels where both have the same sign (about one half by chance). `kl_explained`,
        `kl_deep`: size of the change, KL(before || after) in nats. `cc_deep`: correlation of the
        network's two maps.
    """
    predicted, measured = (
        np.asarray(new, float) - np.asarray(old, float)
        for old, new in zip(before, after, strict=True)
    )
    return {
        "correlation": correlation(predicted, measured),
        "sign_agreement": sign_agreement(predicted, measured, pixels),
        "kl_explained": divergence(before[0], after[0]),
        "kl_deep": divergence(before[1], after[1]),
        "cc_deep": correlation(before[1], after[1]),
    }


def divergence(density: np.ndarray, other: np.ndarray) -> float:
    """KL(density || other) in nats; both must be positive and sum to 1."""
    density, other = (np.asarray(values, float) for values in (density, other))
    return float((density * np.log(density / other)).sum())


def correlation(values: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation over all pixels; nan where one is constant."""
    first, second = (np.asarray(v, float) - np.mean(v, dtype=float) for v in (values, other))
    norm = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / norm) if norm > 0 else float("nan")


def sign_agreement(predicted: np.ndarray, measured: np.ndarray, pixels: np.ndarray) -> float:
    """
    Share of the fixated pixels at which two changes have the same sign.

    Parameters
    ----------
    predicted, measured : float array (height, width)
    pixels : int array (n, 2)
        x, y. Pixels outside the image are left out, and a pixel fixated twice counts once.

    Returns
    -------
    share : float
        nan without a fixation.
    """
    height, width = measured.shape
    inside = ((pixels >= 0) & (pixels < (width, height))).all(axis=1)
    x, y = np.unique(pixels[inside], axis=0).T
    if not len(x):
        return float("nan")
    return float((np.sign(predicted[y, x]) == np.sign(measured[y, x])).mean())
