"""Deep saliency networks: built by name, in eval mode, with their preprocessing and layers."""

import dataclasses
import importlib
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from gaborscope.backbones import resizing
from gaborscope.errors import InputError
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock

KNOWN = ("cmrnet", "msinet", "unisal")
EPS = 1e-7


@dataclasses.dataclass
class Backbone:
    """
    A network with all that is needed to run and to open it.

    Attributes
    ----------
    name : str
    network : torch.nn.Module
    mean, std : sequence of 3 floats
        Of the channels in the network's order, in units of `range`.
    multiple : int
        Input height and width must be multiples of it.
    output : {"log_density", "logits", "density", "unit", "none"}
        What the network returns: natural logarithm of a density, a logarithm up to a constant, a
        density up to a factor, a map in 0..1 taken for one, or no map of saliency.
    range : {1, 255}
        Largest value of a channel before `mean` and `std`.
    colour : {"rgb", "bgr"}
    pad : float or None
        Value of the padding in 0..255; None: the mean, 0 to the network.
    resize : str
        See `resizing.resize`.
    """

    name: str
    network: torch.nn.Module
    mean: Sequence[float]
    std: Sequence[float]
    multiple: int
    output: str
    range: float = 1
    colour: str = "rgb"
    pad: float | None = None
    resize: str = "area"

    def content(self, image: np.ndarray, placement: geometry.Placement) -> np.ndarray:
        """
        Stimulus at the size of its content, resized as the network's authors do.

        Parameters
        ----------
        image : uint8 array (height, width, 3)
        placement : geometry.Placement

        Returns
        -------
        content : uint8 or float32 array (placement.height, placement.width, 3)
        """
        return resizing.resize(image, (placement.height, placement.width), self.resize)

    def batch(
        self, contents: Sequence[np.ndarray], placements: Sequence[geometry.Placement]
    ) -> torch.Tensor:
        """
        Network input for stimuli of one input size.

        Parameters
        ----------
        contents : sequence of array (height, width, 3)
            Resized stimuli without padding, RGB in 0..255.
        placements : sequence of geometry.Placement
            Of one input size.

        Returns
        -------
        x : float32 tensor (n, 3, height, width)

        Raises
        ------
        InputError
            If the input size is no multiple of what the network needs.
        """
        height, width = placements[0].input_size
        if height % self.multiple or width % self.multiple:
            raise InputError(
                f"config: backbones.{self.name}.input is {min(height, width)}x{max(height, width)} "
                f"px; height and width must be multiples of {self.multiple}"
            )
        std = np.asarray(self.std, np.float32)
        scale = np.float32(self.range) / (np.float32(255) * std)
        shift = np.asarray(self.mean, np.float32) / std
        x = np.zeros((len(contents), height, width, 3), np.float32)
        if self.pad is not None:
            x += np.float32(self.pad) * scale - shift
        for row, (content, place) in enumerate(zip(contents, placements, strict=True)):
            inside = np.s_[row, place.top : place.top + place.height]
            ordered = content if self.colour == "rgb" else content[..., ::-1]
            x[inside][:, place.left : place.left + place.width] = ordered * scale - shift
        return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        """
        Run the network.

        Parameters
        ----------
        x : tensor (n, 3, height, width)

        Returns
        -------
        maps : tensor (n, height, width)
            Of the network's own kind; a smaller output is enlarged bilinearly.
        """
        maps = self.network(x)
        maps = maps[:, None] if maps.dim() == 3 else maps
        if maps.shape[2:] != x.shape[2:]:
            size = tuple(x.shape[2:])
            maps = functional.interpolate(maps, size, mode="bilinear", align_corners=False)
        return maps[:, 0]

    def log_maps(self, x: torch.Tensor) -> torch.Tensor:
        """
        Run the network and take the logarithm where its output is none, for training.

        Parameters
        ----------
        x : tensor (n, 3, height, width)

        Returns
        -------
        maps : tensor (n, height, width)
            Log-density up to a constant; of a map its share of the sum, plus 1e-7.
        """
        maps = self.maps(x)
        if self.output in ("log_density", "logits"):
            return maps
        maps = maps.clamp(min=0)
        return (maps / (EPS + maps.sum(dim=(1, 2), keepdim=True)) + EPS).log()


def __getattr__(name: str) -> ModuleType:
    """Import `published` when it is asked for: few need it."""
    if name == "published":
        return importlib.import_module("gaborscope.backbones.published")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _module(name):
    if name not in KNOWN:
        raise InputError(f"no backbone is called {name!r}; known are {', '.join(KNOWN)}")
    return importlib.import_module(f"gaborscope.backbones.{name}")


def build(name: str, **options: Any) -> torch.nn.Module:
    """
    Network by name, randomly initialised, in eval mode.

    Parameters
    ----------
    name : str
        `cmrnet`: `net(x)`, x float (n, 3, H, W), RGB normalised by ImageNet's mean and standard
        deviation, H and W multiples of 16 -> log-density (n, 1, H, W), exp sums to 1.
        `unisal`: the same with multiples of 32, in the SALICON domain; see `UNISAL.forward` for
        the other domains and for video.
        `msinet`: RGB in 0..255, H and W multiples of 8 -> map (n, 1, H, W) in 0..1.
    **options
        Passed to the network's constructor.

    Returns
    -------
    network : torch.nn.Module

    Raises
    ------
    InputError
        If the name or an option is unknown.
    """
    try:
        return _module(name).build(**options).eval()
    except TypeError as error:
        raise InputError(f"config: backbones.{name}.options: {error}") from error


def describe(name: str, **options: Any) -> Backbone:
    """
    Network by name with its preprocessing.

    Parameters
    ----------
    name : str
    **options
        Passed to the network's constructor.

    Returns
    -------
    backbone : Backbone
    """
    module = _module(name)
    return Backbone(name=name, network=build(name, **options), **module.DESCRIPTION)


def configured(name: str, entry: Mapping[str, Any]) -> Backbone:
    """
    Network of a config's entry, one's own or by name, randomly initialised.

    Parameters
    ----------
    name : str
    entry : dict
        `backbones.{name}` of the config, complete; of a variant `network` names the code.

    Returns
    -------
    backbone : Backbone

    Raises
    ------
    InputError
        Saying what is wrong with the entry.
    """
    settings = entry["input"]
    if "factory" not in entry:
        backbone = describe(entry.get("network", name), **entry["options"])
        return dataclasses.replace(backbone, name=name, resize=settings["resize"])
    own = importlib.import_module("gaborscope.backbones.own")
    kept = ("mean", "std", "multiple", "output", "range", "colour", "pad", "resize")
    network = own.build(name, entry)
    return Backbone(name=name, network=network, **{key: settings[key] for key in kept})


def batches(
    backbone: Backbone, block: StimulusBlock, box: Mapping[str, Any], batch_size: int
) -> Iterator[tuple[list[int], list[geometry.Placement], torch.Tensor]]:
    """
    Network inputs of a block, in batches of one input size.

    Parameters
    ----------
    backbone : Backbone
    block : StimulusBlock
    box : dict
        `input` of the config: `height` and `width` for landscape stimuli, px.
    batch_size : int

    Yields
    ------
    index : list of int
        Stimuli in the block.
    placements : list of geometry.Placement
    x : float32 tensor (n, 3, height, width)
    """
    groups = geometry.group_by_input(block.sizes, geometry.Box.of(box))
    for group in groups.values():
        for first in range(0, len(group), batch_size):
            index, placements = zip(*group[first : first + batch_size], strict=True)
            contents = [
                backbone.content(block.image(i), place)
                for i, place in zip(index, placements, strict=True)
            ]
            yield list(index), list(placements), backbone.batch(contents, placements)


def predict(
    backbone: Backbone,
    block: StimulusBlock,
    box: Mapping[str, Any],
    batch_size: int,
    device: torch.device,
) -> Iterator[tuple[int, np.ndarray]]:
    """
    Predict the maps of a block on the content of the input.

    Parameters
    ----------
    backbone : Backbone
    block : StimulusBlock
    box : dict
    batch_size : int
    device : torch.device

    Yields
    ------
    index : int
        Stimulus in the block.
    maps : float32 array (content height, content width)
        Of the kind `backbone.output`.
    """
    for index, placements, x in batches(backbone, block, box, batch_size):
        whole = backbone.maps(x.to(device)).cpu().numpy()
        for i, place, values in zip(index, placements, whole, strict=True):
            rows = slice(place.top, place.top + place.height)
            yield i, values[rows, place.left : place.left + place.width]
