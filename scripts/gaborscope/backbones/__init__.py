"""Deep saliency networks: built by name, in eval mode, with their preprocessing and layers."""

import dataclasses
import importlib

import numpy as np
import torch

from gaborscope import geometry
from gaborscope.errors import InputError

KNOWN = ("cmrnet", "msinet", "unisal")


@dataclasses.dataclass
class Backbone:
    """
    A network with all that is needed to run and to open it.

    Attributes
    ----------
    name : str
    network : torch.nn.Module
    mean, std : sequence of 3 floats
        Of RGB in 0..1; the padding has the value `mean`.
    multiple : int
        Input height and width must be multiples of it.
    output : {"log_density", "logits", "density", "unit"}
        What the network returns.
    """

    name: str
    network: torch.nn.Module
    mean: tuple
    std: tuple
    multiple: int
    output: str

    def batch(self, contents, placements):
        """
        Network input for stimuli of one input size.

        Parameters
        ----------
        contents : sequence of uint8 array (height, width, 3)
            Resized stimuli without padding.
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
        x = np.zeros((len(contents), height, width, 3), np.float32)
        scale = np.float32(1) / (np.float32(255) * np.asarray(self.std, np.float32))
        shift = np.asarray(self.mean, np.float32) / np.asarray(self.std, np.float32)
        for row, (content, place) in enumerate(zip(contents, placements, strict=True)):
            inside = np.s_[row, place.top : place.top + place.height]
            x[inside][:, place.left : place.left + place.width] = content * scale - shift
        return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()


def __getattr__(name):
    """Import `published` when it is asked for: few need it."""
    if name == "published":
        return importlib.import_module("gaborscope.backbones.published")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _module(name):
    if name not in KNOWN:
        raise InputError(f"no backbone is called {name!r}; known are {', '.join(KNOWN)}")
    return importlib.import_module(f"gaborscope.backbones.{name}")


def build(name, **options):
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


def describe(name, **options):
    """
    Network by name with its preprocessing and its layers.

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


def device(wanted):
    """
    Torch device for a config's `device`.

    Parameters
    ----------
    wanted : {"auto", "cpu", "cuda"}
        `auto` takes CUDA where there is one.

    Returns
    -------
    device : torch.device

    Raises
    ------
    InputError
        If CUDA is asked for and none is found.
    """
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise InputError(
            "device: cuda is set but this machine shows no CUDA device; "
            "set device: auto, or send the job to a GPU node"
        )
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def batches(backbone, block, box, batch_size):
    """
    Network inputs of a block, in batches of one input size.

    Parameters
    ----------
    backbone : Backbone
    block : stimuli.StimulusBlock
    box : dict
        `height` and `width` of the input for landscape stimuli, px.
    batch_size : int

    Yields
    ------
    index : list of int
        Stimuli in the block.
    placements : list of geometry.Placement
    x : float32 tensor (n, 3, height, width)
    """
    groups = geometry.group_by_input(block.sizes, (box["height"], box["width"]))
    for group in groups.values():
        for first in range(0, len(group), batch_size):
            index, placements = zip(*group[first : first + batch_size], strict=True)
            contents = [
                geometry.content(block.image(i), place)
                for i, place in zip(index, placements, strict=True)
            ]
            yield index, placements, backbone.batch(contents, placements)


def predict(backbone, block, box, batch_size, device):
    """
    Log-densities of a block on the content of the input.

    Parameters
    ----------
    backbone : Backbone
    block : stimuli.StimulusBlock
    box : dict
    batch_size : int
    device : torch.device

    Yields
    ------
    index : int
        Stimulus in the block.
    logits : float32 array (content height, content width)
        Log-density up to a constant.
    """
    for index, placements, x in batches(backbone, block, box, batch_size):
        whole = backbone.network(x.to(device))[:, 0].cpu().numpy()
        for i, place, values in zip(index, placements, whole, strict=True):
            rows = slice(place.top, place.top + place.height)
            yield i, values[rows, place.left : place.left + place.width]
