"""Check a backbone before the stages use it; report its first fault in one sentence."""

from collections.abc import Iterable, Mapping

import torch

from gaborscope.backbones import recording, user_models
from gaborscope.backbones.backbone import Backbone
from gaborscope.errors import InputError
from gaborscope.stimuli import geometry

# Largest error of the sum of a density. Also the largest difference between the map of an image
# alone and its map in a batch, as a share of the range of the map.
TOLERANCE = 1e-2


@torch.no_grad()
def check_backbone(
    backbone: Backbone, layers: Mapping[str, recording.Entry], box: geometry.Box | tuple[int, int]
) -> None:
    """
    Run a network on noise and check everything that the stages need of it.

    Parameters
    ----------
    backbone : Backbone
        Its network must be on the CPU.
    layers : dict of str to str or mapping
        By alias, see `recording.recorder`.
    box : geometry.Box

    Raises
    ------
    InputError
        The message names the first fault. It may be the size of the input; the shape or kind of
        the output, or an output that depends on the rest of the batch; a layer that does not
        exist, does not run or is no grid.
    """
    name, network = backbone.name, backbone.network
    network.eval()
    recording.find_modules(network, layers)
    size = geometry.Box(*box).sizes[0]
    x = _noise(backbone, size)
    with recording.recorder(network, layers) as record:
        try:
            output = backbone.run(x)
        except InputError as error:
            if str(error).startswith("models."):
                raise
            raise InputError(f"models.{name}: {error}") from None
    for alias, tap in record.taps.items():
        _check_layer(name, alias, tap, record.get(alias), record.calls.get(alias, 0))
    if backbone.output != "none":
        _check_output(backbone, x, output)


@torch.no_grad()
def check_sizes(backbone: Backbone, sizes: Iterable[tuple[int, int]]) -> None:
    """
    Run a network once on each size of its input that stimuli have.

    Parameters
    ----------
    backbone : Backbone
    sizes : iterable of (int, int)
        Heights and widths in px, such as `geometry.group_by_input` finds.

    Raises
    ------
    InputError
        If the network does not take a size, or its map does not turn with its input.
    """
    backbone.network.eval()
    device = next(backbone.network.parameters()).device
    for size in sorted(set(sizes)):
        x = _noise(backbone, size)[:1].to(device)
        if backbone.output == "none":
            backbone.run(x)
        else:
            backbone.maps(x)


def _noise(backbone, size):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, *size, 3), generator=generator).numpy()
    pixels[1] //= 4  # dark: two images that a network can tell apart
    return backbone.batch(list(pixels), [geometry.Placement(size, 0, 0, *size)] * 2)


def _check_layer(name, alias, tap, maps, calls):
    where = f"models.{name}: layer {alias} ({tap.module or 'the output'})"
    if maps is None and calls:
        raise InputError(
            f"{where} is called {calls} times in one pass, so call: {tap.call} does not exist; the "
            f"first is 0, the last {calls - 1}"
        )
    if maps is None:
        raise InputError(f"{where} does not run when the network predicts; choose another module")
    if not torch.isfinite(maps).all():
        raise InputError(
            f"{where} gives values that are not finite; check the weights and input.range"
        )
    if max(maps.shape[2:]) == 1:
        raise InputError(f"{where} has a single cell, so it has no map; choose another module")


def _check_output(backbone, x, output):
    where = f"models.{backbone.name}"
    if not torch.is_tensor(output):
        raise InputError(
            f"{where} returns {user_models.outputs(output)}, {user_models.LAYERS_ALONE}"
        )
    single_channel = output.dim() == 3 or (output.dim() == 4 and output.shape[1] == 1)
    if not single_channel or len(output) != len(x):
        raise InputError(
            f"{where} returns the shape {tuple(output.shape)} for {len(x)} images; return a map "
            "(n, 1, y, x), or set input.output: none to explain layers alone"
        )
    if not torch.isfinite(output).all():
        raise InputError(
            f"{where} returns values that are not finite; check the weights and input.range"
        )
    backbone.require_turned(output, x)
    output = output.float()
    _check_kind(where, backbone.output, output.double().flatten(1))
    alone = torch.cat([backbone.run(image[None]).float() for image in x])
    spread = float(output.max() - output.min()) or 1.0
    if float((alone - output).abs().max()) > TOLERANCE * spread:
        raise InputError(
            f"{where} gives different maps for an image alone and in a batch, or from call to "
            "call; switch off dropout and normalisation over the batch in eval mode"
        )


def _check_kind(what, kind, flat):
    low, high = float(flat.min()), float(flat.max())
    if kind == "unit" and (low < 0 or high > 1):
        fault = f"ranges from {low:.3g} to {high:.3g}, and 'unit' is 0..1"
    elif kind == "density" and low < 0:
        fault = f"has the minimum {low:.3g}, and a density is not negative"
    elif kind == "log_density" and (flat.exp().sum(1) - 1).abs().max() > TOLERANCE:
        total = float(flat.exp().sum(1)[0])
        fault = f"has an exponential that sums to {total:.3g}, not 1; set input.output: logits"
    else:
        return
    raise InputError(f"{what}: input.output is {kind}, but the map {fault}")
