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

from gaborscope.backbones.predictor import Predictor
from gaborscope.scoring import summaries
from gaborscope.scoring.fidelity import kl_bits
from gaborscope.stimuli import geometry

# By kind of change, whose map it moves and whose stays; `noise` was not made to move any.
# `training` parts the network from another training of itself.
PAIRS = {
    "network": ("deep", "explained"),
    "explanation": ("explained", "deep"),
    "training": ("deep", "other"),
}
KINDS = ("network", "explanation", "noise")
COLUMNS = ("stimulus", "level", "kind", "draw", "rms", "kl_deep", "kl_explained", "kl_other")
MEASURES = ("kl_deep", "kl_explained", "kl_other", "log2_ratio", "rms")
SUMMARY_COLUMNS = ("level", "kind", "measure", "mean", "ci_low", "ci_high", "n")
# Largest step and last one, as shares of the change's length; share of a step in the next.
STEP, LAST, MOMENTUM = 0.3, 0.02, 0.7
HALVINGS = 14  # in the search for the size that has the energy after rounding
LEAST = 1e-9  # bits: less is rounding
# How far the gradient's own log-density may be from that of `predict`: float32.
TOLERANCE = 0.01

Predict = Callable[[np.ndarray], np.ndarray]
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


def of_network(deep: Predictor, content: np.ndarray) -> Density:
    """
    Log-density of a network as a function of an image, with a gradient.

    Parameters
    ----------
    deep : Predictor
        Its network on its device.
    content : uint8 array (height, width, 3)
        An image at the size that it has in the network's input.

    Returns
    -------
    density : callable
        Takes a tensor (height, width, 3), RGB in 0..255, of the size of `content`; returns its
        natural logarithm (height, width), as `Predictor.predict` computes it.
    """
    backbone, place = deep.backbone, geometry.place(content.shape[:2], deep.box)
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
        return _log_density(maps, backbone.output, deep.uniform_weight)

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
    change = change * (level / np.sqrt(np.mean(np.square(change))))
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
    members: Mapping[str, tuple[Predict, Density]],
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
    members : dict of str to (callable, callable)
        `deep`, `explained`, and `other` where there is another training of the network: what gives
        the density of an image, and the log-density with a gradient, see `of_network`.
    settings : dict
        `levels`, `steps`, `draws` of the config.
    seed : int

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`: KL(map before || map after) in bits of each member, nan without other.
    shown : dict of str to (uint8 array, float array, float array)
        `original`, then `{level} {kind}` of the first draw: an image, and the logarithms of the
        network's and of the explained density.

    Raises
    ------
    ValueError
        If a log-density that is differentiated is not that of `predict`.
    """
    before = _maps(content, members)
    _require_equal(content, members, before)
    rows: list[dict[str, Any]] = []
    shown: dict[str, tuple[np.ndarray, ...]] = {}
    shown["original"] = content, before["deep"], before["explained"]

    def measure(image, labels):
        after = _maps(image, members)
        if labels["draw"] == 0:
            label = f"{labels['level']:g} {labels['kind']}"
            shown[label] = (image, after["deep"], after["explained"])
        moved = {f"kl_{key}": kl_bits(before[key], after[key]) for key in members}
        return {"kl_other": math.nan} | labels | {"rms": rms(image, content)} | moved

    for number, level in enumerate(settings["levels"]):
        seeds = [seed, zlib.crc32(name.encode()), number]
        measured = [
            measure(image, {"level": level, "kind": "noise", "draw": draw})
            for draw, image in enumerate(_noise(content, level, settings["draws"], seeds))
        ]
        still = {key: np.mean([row[f"kl_{key}"] for row in measured]) for key in members}
        for kind, (move, stay) in PAIRS.items():
            if stay not in members:
                continue
            floor = max(still[stay], LEAST) * math.log(2)
            change = ascend(
                members[move][1], members[stay][1], content, level, settings["steps"], floor, seeds
            )
            image = rounded(content, change, level)
            measured.append(measure(image, {"level": level, "kind": kind, "draw": 0}))
        rows += [{"stimulus": name, **row} for row in measured]
    return rows, shown


def _noise(content, level, draws, seeds):
    """Yield images with white noise of one energy."""
    for draw in range(draws):
        change = np.random.default_rng([*seeds, draw]).normal(size=content.shape)
        yield rounded(content, change, level)


def _maps(image, members):
    """Return the log-densities of an image, by member."""
    return {key: np.log(np.asarray(predict(image), float)) for key, (predict, _) in members.items()}


def _require_equal(content, members, expected):
    """Raise a ValueError unless what is differentiated is what is measured."""
    image = torch.tensor(content, dtype=torch.float32)
    for key, (_, density) in members.items():
        with torch.no_grad():
            error = float(np.abs(density(image).numpy() - expected[key]).max())
        if error > TOLERANCE:
            raise ValueError(
                f"the log-density that is differentiated ({key}) differs by {error:.2g} from that "
                "of predict"
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
        where the explanation is the network; of the kind `training` log2(kl_deep / kl_other). The
        kinds `network - noise` and `explanation - noise` hold paired differences.
    """
    rows = rows.astype({key: float for key in (*MEASURES[:3], "rms")})
    stays = rows["kl_explained"].where(rows["kind"] != "training", rows["kl_other"])
    rows["log2_ratio"] = np.log2(rows["kl_deep"].clip(LEAST) / stays.clip(LEAST))
    means = rows.groupby(["level", "kind", "stimulus"])[list(MEASURES)].mean()
    table = []
    for level in dict.fromkeys(rows["level"]):
        of_kind = {kind: means.loc[level, kind] for kind in KINDS}
        if "training" in set(rows["kind"]):
            of_kind["training"] = means.loc[level, "training"]
        for kind in KINDS[:2]:
            of_kind[f"{kind} - noise"] = of_kind[kind] - of_kind["noise"]
        for kind, values in of_kind.items():
            for measure in MEASURES:
                estimate = summaries.bootstrap_mean(values[measure].to_numpy(), n_resamples, seed)
                table.append((level, kind, measure, *estimate))
    return pd.DataFrame(table, columns=list(SUMMARY_COLUMNS))
