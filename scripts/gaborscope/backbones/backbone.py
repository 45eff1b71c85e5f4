"""Build deep saliency networks by name, in eval mode, with their preprocessing."""

import dataclasses
import functools
import importlib
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from gaborscope.backbones import resizing
from gaborscope.backbones.checkpoints import CENTRE_BIAS
from gaborscope.errors import InputError
from gaborscope.stimuli import densities, geometry
from gaborscope.stimuli.block import StimulusBlock

KNOWN = ("cmrnet", "msinet", "unisal")
EPS = 1e-7


@dataclasses.dataclass
class Backbone:
    """
    A network with the preprocessing of its input and the kind of its output.

    A network that takes the centre bias as well has its density, relative to the uniform one, in
    the buffer `checkpoints.CENTRE_BIAS`, and so in its file of weights.

    Attributes
    ----------
    name : str
    network : torch.nn.Module
    mean, std : sequence of 3 floats
        Mean and standard deviation of the channels, in the order of `colour` and in units of
        `range`.
    multiple : int
        Input height and width must be multiples of this number of px.
    output : {"log_density", "logits", "density", "unit", "none"}
        Kind of the network's output: natural logarithm of a density; the same up to a constant; a
        density up to a factor; a map in 0..1, taken as a density up to a factor; no saliency map.
    range : {1, 255}
        Largest value of a channel before `mean` and `std` are applied.
    colour : {"rgb", "bgr"}
        Order of the channels that the network expects.
    pad : float or None
        Value of the padding in 0..255. None pads with the mean, which the network sees as 0.
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
        Resize a stimulus to the size of its content, as the network's authors do.

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
            All of the same input size.

        Returns
        -------
        x : float32 tensor (n, 3, height, width)
            Of a network that takes the centre bias (n, 4, height, width): the fourth channel is
            its log-density, see `centre_bias`.

        Raises
        ------
        InputError
            If height or width of the input is not a multiple of `multiple`.
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
        batch = torch.from_numpy(x).permute(0, 3, 1, 2)
        if hasattr(self.network, CENTRE_BIAS):
            biases = torch.from_numpy(np.stack([self.centre_bias(place) for place in placements]))
            batch = torch.cat([batch, biases[:, None]], dim=1)
        return batch.contiguous()

    def centre_bias(self, placement: geometry.Placement) -> np.ndarray:
        """
        Centre bias as a network is given it: of the fit split, no stimulus left out.

        Parameters
        ----------
        placement : geometry.Placement

        Returns
        -------
        log_density : float32 array (height, width)
            On the pixels of the input: natural logarithm of a density whose sum is 1 over the
            content. In the padding it is the smallest value of the content.
        """
        relative = self.network.get_buffer(CENTRE_BIAS).double().cpu().numpy()
        density = densities.resize_bilinear(relative, (placement.height, placement.width))
        inside = np.log(density / density.sum()).astype(np.float32)
        log_density = np.full(placement.input_size, inside.min(), np.float32)
        rows = slice(placement.top, placement.top + placement.height)
        log_density[rows, placement.left : placement.left + placement.width] = inside
        return log_density

    def run(self, x: torch.Tensor) -> Any:
        """
        Run the network.

        Parameters
        ----------
        x : tensor (n, 3, height, width)

        Returns
        -------
        output
            What the network returns.

        Raises
        ------
        InputError
            If the network fails on this input.
        """
        try:
            return self.network(x)
        except (InputError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # the forward of a user's model may raise anything
            reason = (str(error).strip() or "no message").splitlines()[0]
            raise InputError(
                f"models.{self.name} fails on an input of shape {tuple(x.shape)} "
                f"({type(error).__name__}: {reason}); check input.height and input.width; if it "
                "takes images of one orientation alone, set input.orientation: landscape; if it "
                "takes clips, set input.frames; if it takes grey images, let it average the three "
                "channels, x.mean(1, keepdim=True)"
            ) from error

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        """
        Run the network and return its maps.

        Parameters
        ----------
        x : tensor (n, 3, height, width)

        Returns
        -------
        maps : tensor (n, height, width)
            Maps of the kind `output`; a smaller output is enlarged bilinearly to the input size.
            Halves (bfloat16, float16) become float32.

        Raises
        ------
        InputError
            If the network fails on this input, or its map stands upright where the input lies, or
            the other way round.
        """
        maps = self.run(x)
        maps = maps.float() if maps.dtype in (torch.bfloat16, torch.float16) else maps
        maps = maps[:, None] if maps.dim() == 3 else maps
        self.require_turned(maps, x)
        if maps.shape[2:] != x.shape[2:]:
            size = tuple(x.shape[2:])
            maps = functional.interpolate(maps, size, mode="bilinear", align_corners=False)
        return maps[:, 0]

    def require_turned(self, maps: torch.Tensor, x: torch.Tensor) -> None:
        """
        Refuse maps that stand upright where the input lies, or the other way round.

        Parameters
        ----------
        maps : tensor (..., y, x)
        x : tensor (..., height, width)

        Raises
        ------
        InputError
        """
        (rows, columns), (height, width) = maps.shape[-2:], x.shape[-2:]
        if (rows - columns) * (height - width) < 0:
            raise InputError(
                f"models.{self.name} returns a map of {rows} x {columns} for an input of "
                f"{height} x {width} px; if it takes images of one orientation alone, set "
                "input.orientation: landscape; otherwise return rows along y"
            )

    def log_maps(self, x: torch.Tensor) -> torch.Tensor:
        """
        Run the network and return logarithms of its maps, for training.

        Parameters
        ----------
        x : tensor (n, 3, height, width)

        Returns
        -------
        maps : tensor (n, height, width)
            Log-density up to a constant. An output that is not a logarithm is divided by its sum,
            1e-7 is added, and the logarithm is taken.
        """
        maps = self.maps(x)
        if self.output in ("log_density", "logits"):
            return maps
        maps = maps.clamp(min=0)
        return (maps / (EPS + maps.sum(dim=(1, 2), keepdim=True)) + EPS).log()


def __getattr__(name: str) -> ModuleType:
    """Import `published` on its first use: most callers do not need it."""
    if name == "published":
        return importlib.import_module("gaborscope.backbones.published")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _module(name):
    if name not in KNOWN:
        raise InputError(f"no backbone is called {name!r}; known are {', '.join(KNOWN)}")
    return importlib.import_module(f"gaborscope.backbones.{name}")


def build(name: str, **options: Any) -> torch.nn.Module:
    """
    Build a network by name, randomly initialised, in eval mode.

    Parameters
    ----------
    name : str
        One of these networks, which map a float tensor x (n, 3, H, W) to (n, 1, H, W):
        `cmrnet`: x is RGB normalised by ImageNet's mean and standard deviation, H and W are
        multiples of 16; the output is a log-density whose exponential sums to 1.
        `unisal`: the same with multiples of 32, in the SALICON domain; see `UNISAL.forward` for
        the other domains and for video.
        `msinet`: x is RGB in 0..255, H and W are multiples of 8; the output is a map in 0..1.
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
    except (TypeError, ValueError) as error:
        raise InputError(f"config: backbones.{name}.options: {error}") from error


def describe(name: str, **options: Any) -> Backbone:
    """
    Build a network by name, with its preprocessing.

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
    Build the network of an entry of the config, randomly initialised.

    Parameters
    ----------
    name : str
    entry : dict
        `backbones.{name}` of the config, complete. With the key `factory` the network is a model
        of the user. Otherwise the key `network`, or else `name`, names a network of Gaborscope.

    Returns
    -------
    backbone : Backbone

    Raises
    ------
    InputError
        If the network cannot be built; the message says which setting is wrong.
    """
    settings = entry["input"]
    if "factory" not in entry:
        backbone = describe(entry.get("network", name), **entry["options"])
        return dataclasses.replace(backbone, name=name, resize=settings["resize"])
    user_models = importlib.import_module("gaborscope.backbones.user_models")
    keys = ("mean", "std", "multiple", "output", "range", "colour", "pad", "resize")
    network = user_models.build(name, entry)
    if settings.get("frames"):
        network.register_forward_pre_hook(functools.partial(_repeated, settings["frames"]))
    return Backbone(name=name, network=network, **{key: settings[key] for key in keys})


def _repeated(frames, module, inputs):
    """Make clips (n, 3, time, y, x) of a network's static input."""
    return inputs[0].unsqueeze(2).expand(-1, -1, frames, -1, -1), *inputs[1:]


def batches(
    backbone: Backbone, block: StimulusBlock, box: Mapping[str, Any], batch_size: int
) -> Iterator[tuple[list[int], list[geometry.Placement], torch.Tensor]]:
    """
    Yield the network inputs of a block, in batches of equal input size.

    Parameters
    ----------
    backbone : Backbone
    block : StimulusBlock
    box : dict
        `input` of the config: `height` and `width` in px for landscape stimuli.
    batch_size : int

    Yields
    ------
    index : list of int
        Indices of the stimuli in the block.
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
    Predict the maps of a block, without the padding of the input.

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
        Index of the stimulus in the block.
    maps : float32 array (content height, content width)
        Map of the kind `backbone.output`.

    Raises
    ------
    InputError
        If a map holds a value that is not finite.
    """
    for index, placements, x in batches(backbone, block, box, batch_size):
        padded = backbone.maps(x.to(device)).cpu().numpy()
        for i, place, values in zip(index, placements, padded, strict=True):
            rows = slice(place.top, place.top + place.height)
            inside = values[rows, place.left : place.left + place.width]
            if not np.isfinite(inside).all():
                raise InputError(
                    f"models.{backbone.name} gives a map with values that are not finite for "
                    f"{block.names[i]}; mend the network, or leave the image out of the data set"
                )
            yield i, inside
