"""
Maximum differentiation: changes of an image that move one map as far as they can, not the other.

Two models that agree on photographs may rest on different things. So images are made on which they
part (Wang and Simoncelli 2008): one change moves the network's map and not the explanation's,
another of the same energy does the reverse.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from gaborscope.backbones.backbone import Backbone
from gaborscope.backbones.predictor import Predictor
from gaborscope.explanation.differentiable import DifferentiableModel
from gaborscope.explanation.model import ExplainedModel
from gaborscope.scoring import summaries
from gaborscope.scoring.fidelity import kl_bits
from gaborscope.stimuli import geometry

# Whose map a change moves; `noise` was not made to move any.
KINDS = ("network", "explanation", "noise")
COLUMNS = ("stimulus", "level", "kind", "draw", "rms", "kl_deep", "kl_explained")
MEASURES = ("kl_deep", "kl_explained", "log2_ratio", "rms")
SUMMARY_COLUMNS = ("level", "kind", "measure", "mean", "ci_low", "ci_high", "n")
# Largest step and last one, as shares of the change's length; share of a step in the next.
STEP, LAST, MOMENTUM = 0.3, 0.02, 0.7
HALVINGS = 14  # in the search for the size that has the energy after rounding
LEAST = 1e-9  # bits: less is rounding
# How far the gradient's own log-density may be from that of `predict`: float32.
TOLERANCE = 0.01

Density = Callable[[torch.Tensor], torch.Tensor]


def chosen(measures: pd.DataFrame, n: int) -> list[str]:
    """
    Choose stimuli of median disagreement.

    Parameters
    ----------
    measures : DataFrame
        `stimulus`, `kl_deep`, see `fidelity.Comparison.table`. Stimuli without a measure, which the
        network has seen, are left out.
    n : int

    Returns
    -------
    names : list of str
        At most n, at the middle of the order of `kl_deep`; least disagreement first.
    """
    ordered = measures.dropna(subset="kl_deep").sort_values("kl_deep", kind="stable")
    first = max(0, (len(ordered) - n) // 2)
    return list(ordered["stimulus"].iloc[first : first + n])


def of_network(
    backbone: Backbone,
    content: np.ndarray,
    uniform_weight: float,
    box: geometry.Box | tuple[int, int],
) -> Density:
    """
    Log-density of a network as a function of an image, with a gradient.

    Parameters
    ----------
    backbone : Backbone
        On its device.
    content : uint8 array (height, width, 3)
        An image at the size that it has in the network's input.
    uniform_weight : float
    box : geometry.Box
        Input of the network.

    Returns
    -------
    density : callable
        Takes a tensor (height, width, 3), RGB in 0..255, of the size of `content`; returns its
        natural logarithm (height, width), as `Predictor.predict` computes it.
    """
    place = geometry.place(content.shape[:2], box)
    x = backbone.batch([content], [place])
    device = next(backbone.network.parameters()).device
    inside = np.s_[place.top : place.top + place.height, place.left : place.left + place.width]
    height, width = place.input_size
    right, below = width - place.left - place.width, height - place.top - place.height
    around = place.left, right, place.top, below
    scale = backbone.range / (255 * torch.tensor(backbone.std, dtype=torch.float32))
    original = torch.tensor(content, dtype=torch.float32)

    def density(image):
        change = image - original  # the padding, and a centre bias beside the image, stay
        change = change if backbone.colour == "rgb" else change.flip(-1)
        added = functional.pad((change * scale).movedim(-1, 0), around)
        changed = torch.cat([x[:, :3] + added, x[:, 3:]], dim=1)
        maps = backbone.maps(changed.to(device))[0].cpu()[inside]
        return _log_density(maps, backbone.output, uniform_weight)

    return density


def _log_density(maps, kind, uniform_weight):
    """Return the logarithm of a network's output, as `densities.of_network` at its own size."""
    if kind in ("log_density", "logits"):
        pure = maps - torch.logsumexp(maps.flatten(), 0)
        pure = pure + math.log1p(-uniform_weight) if uniform_weight < 1 else pure - math.inf
        uniform = math.log(uniform_weight) if uniform_weight else -math.inf
        return torch.logaddexp(pure, torch.full_like(pure, uniform - math.log(maps.numel())))
    density = maps.clamp(min=0)
    density = density * ((1 - uniform_weight) / density.sum())
    return (density + uniform_weight / maps.numel()).log()


def ascend(
    move: Density,
    stay: Density,
    content: np.ndarray,
    level: float,
    steps: int,
    floor: float,
    seed: Sequence[int],
) -> np.ndarray:
    """
    Find the change of an image that moves one map most while the other stays.

    It maximises `log KL(move) - log(KL(stay) + floor)` by gradient ascent with momentum among the
    changes of one energy, from noise on. KL is that of the map before, relative to the map after.

    Parameters
    ----------
    move, stay : callable
        Log-densities with a gradient, see `of_network`.
    content : uint8 array (height, width, 3)
    level : float
        Root mean square of the change over px and channels, in grey levels of 255.
    steps : int
    floor : float
        What counts as staying, in nats: the KL by which noise of the same energy moves the map.
    seed : sequence of int

    Returns
    -------
    change : float32 array (height, width, 3)
        The best of all steps; with it the image keeps to 0..255.
    """
    start = torch.tensor(content, dtype=torch.float32)
    with torch.no_grad():
        before = move(start), stay(start)
    noise = np.random.default_rng(seed).normal(size=content.shape)
    change = _at_level(torch.tensor(noise, dtype=torch.float32), start, level)
    speed, best, found = torch.zeros_like(change), -math.inf, change
    for step in range(steps + 1):
        change.requires_grad_()
        moved, stayed = (
            (old.exp() * (old - density(start + change))).sum()
            for old, density in zip(before, (move, stay), strict=True)
        )
        gain = torch.log(moved.clamp(min=1e-12)) - torch.log(stayed.clamp(min=0) + floor)
        if gain.item() > best:
            best, found = gain.item(), change.detach()
        (slope,) = torch.autograd.grad(gain, change)
        speed = MOMENTUM * speed + slope / slope.norm().clamp(min=1e-20)
        rate = LAST + (STEP - LAST) * (1 + math.cos(math.pi * step / (steps + 1))) / 2
        length = change.detach().norm() / speed.norm().clamp(min=1e-20)
        change = _at_level(change.detach() + rate * length * speed, start, level)
    return found.numpy()


def _at_level(change, start, level):
    """Return a change scaled to an energy, with the image kept in 0..255."""
    for _ in range(4):  # what is clipped is made up for by the rest
        change = change * (level / change.square().mean().sqrt())
        change = (start + change).clamp(0, 255) - start
    return change


def rounded(content: np.ndarray, change: np.ndarray, level: float) -> np.ndarray:
    """
    Return an image with a change, in 8 bits, scaled so that its energy is right after rounding.

    Parameters
    ----------
    content : uint8 array (height, width, 3)
    change : float array (height, width, 3)
    level : float
        Root mean square in grey levels.

    Returns
    -------
    image : uint8 array (height, width, 3)
    """
    low, high = 0.0, 4.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        image = np.clip(np.rint(content + middle * change), 0, 255).astype(np.uint8)
        low, high = (middle, high) if rms(image, content) < level else (low, middle)
    return image


def rms(image: np.ndarray, content: np.ndarray) -> float:
    """Root mean square difference of two images over px and channels, in grey levels."""
    return float(np.sqrt(np.mean((image.astype(float) - content) ** 2)))


def part(
    name: str,
    content: np.ndarray,
    deep: Predictor,
    model: ExplainedModel,
    explained: DifferentiableModel,
    settings: Mapping[str, Any],
    seed: int,
) -> tuple[list[dict[str, Any]], dict[str, tuple[np.ndarray, ...]]]:
    """
    Part network and explanation on one stimulus, and measure by how much.

    Maps are those that `predict` gives for the images in 8 bits, not those of the ascent.

    Parameters
    ----------
    name : str
        Of the stimulus; with the seed it decides the noise.
    content : uint8 array (height, width, 3)
        The stimulus at the size that it has in the network's input.
    deep : Predictor
    model : ExplainedModel
    explained : DifferentiableModel
        Of `model`.
    settings : dict
        `levels`, `steps`, `draws` of the config.
    seed : int

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`: KL(map before || map after) in bits, of the network and the explanation.
    shown : dict of str to (uint8 array, float array, float array)
        `original`, then `{level} {kind}` of the first draw: an image, and the logarithms of the
        network's and of the explained density.

    Raises
    ------
    ValueError
        If a log-density that is differentiated is not that of `predict`.
    """
    density = of_network(deep.backbone, content, deep.uniform_weight, deep.box)
    before = _maps(content, deep, model)
    _require_equal(content, (density, explained.density), before)
    rows, shown = [], {"original": (content, *before)}
    for number, level in enumerate(settings["levels"]):
        seeds = [seed, zlib.crc32(name.encode()), number]
        noise = _noise(content, level, settings["draws"], seeds)
        measured = [
            _measured(content, before, image, deep, model, shown if draw == 0 else {},
                      {"level": level, "kind": "noise", "draw": draw})
            for draw, image in enumerate(noise)
        ]  # fmt: skip
        still = [np.mean([row[key] for row in measured]) for key in ("kl_deep", "kl_explained")]
        for kind, move, stay, bits in (
            ("network", density, explained.density, still[1]),
            ("explanation", explained.density, density, still[0]),
        ):
            floor = max(bits, LEAST) * math.log(2)
            change = ascend(move, stay, content, level, settings["steps"], floor, seeds)
            labels = {"level": level, "kind": kind, "draw": 0}
            image = rounded(content, change, level)
            measured.append(_measured(content, before, image, deep, model, shown, labels))
        rows += [{"stimulus": name, **row} for row in measured]
    return rows, shown


def _noise(content, level, draws, seeds):
    """Yield images with white noise of one energy."""
    for draw in range(draws):
        change = np.random.default_rng([*seeds, draw]).normal(size=content.shape)
        yield rounded(content, change, level)


def _maps(image, deep, model):
    """Return the log-densities of an image: the network's and the explained one."""
    return tuple(np.log(np.asarray(m.predict(image), float)) for m in (deep, model))


def _measured(content, before, image, deep, model, shown, labels):
    """Return how far an image moves both maps; keep it among those shown."""
    after = _maps(image, deep, model)
    shown[f"{labels['level']:g} {labels['kind']}"] = (image, *after)
    moved = [kl_bits(old, new) for old, new in zip(before, after, strict=True)]
    keys = ("rms", "kl_deep", "kl_explained")
    return labels | dict(zip(keys, (rms(image, content), *moved), strict=True))


def _require_equal(content, densities, expected):
    """Raise a ValueError unless what is differentiated is what is measured."""
    image = torch.tensor(content, dtype=torch.float32)
    for name, density, known in zip(("network", "explanation"), densities, expected, strict=True):
        with torch.no_grad():
            error = float(np.abs(density(image).numpy() - known).max())
        if error > TOLERANCE:
            raise ValueError(
                f"the log-density of the {name} that is differentiated differs by {error:.2g} from "
                "that of predict"
            )


def summarise(rows: pd.DataFrame, n_resamples: int, seed: int) -> pd.DataFrame:
    """
    Means over stimuli of how far changes move both maps, with bootstrap intervals.

    Parameters
    ----------
    rows : DataFrame
        Columns `COLUMNS`. The value of a stimulus is the mean over its draws.
    n_resamples, seed : int
        Number of samples and seed of the bootstrap over stimuli.

    Returns
    -------
    summary : DataFrame
        Columns `SUMMARY_COLUMNS`. `log2_ratio` is log2(kl_deep / kl_explained): 0 for every kind
        where the explanation is the network. The kinds `network - noise` and `explanation - noise`
        hold paired differences.
    """
    rows = rows.astype({key: float for key in (*MEASURES[:2], "rms")})
    both = rows[["kl_deep", "kl_explained"]].clip(lower=LEAST)
    rows["log2_ratio"] = np.log2(both["kl_deep"] / both["kl_explained"])
    means = rows.groupby(["level", "kind", "stimulus"])[list(MEASURES)].mean()
    table = []
    for level in dict.fromkeys(rows["level"]):
        of_kind = {kind: means.loc[level, kind] for kind in KINDS}
        for kind in KINDS[:2]:
            of_kind[f"{kind} - noise"] = of_kind[kind] - of_kind["noise"]
        for kind, values in of_kind.items():
            for measure in MEASURES:
                estimate = summaries.bootstrap_mean(values[measure].to_numpy(), n_resamples, seed)
                table.append((level, kind, measure, *estimate))
    return pd.DataFrame(table, columns=list(SUMMARY_COLUMNS))
