"""One function that says in a sentence what is wrong with a backbone."""

from collections.abc import Mapping

import torch

from gaborscope.backbones import recording
from gaborscope.backbones.backbone import Backbone
from gaborscope.errors import InputError
from gaborscope.stimuli import geometry

TOLERANCE = 1e-2  # of a density's sum, and of what must not depend on the rest of a batch


@torch.no_grad()
def check_backbone(
    backbone: Backbone, layers: Mapping[str, str], box: geometry.Box | tuple[int, int]
) -> None:
    """
    Run a network on noise and check all that the stages rely on.

    Parameters
    ----------
    backbone : Backbone
        On the CPU.
    layers : dict of str to str
        Alias to module path.
    box : geometry.Box

    Raises
    ------
    InputError
        Naming the first thing that does not fit: the input's size, the output's shape, kind or
        dependence on the batch, a layer that is not there, not run or no grid.
    """
    name, network = backbone.name, backbone.network.eval()
    recording.find_modules(network, layers)
    size = geometry.Box(*box).sizes[0]
    x = _noise(backbone, size)
    try:
        with recording.recorder(network, layers) as record:
            output = network(x)
    except InputError as error:
        raise InputError(f"models.{name}: {error}") from None
    except Exception as error:  # whatever somebody else's forward raises
        reason = (str(error).strip() or "no message").splitlines()[0]
        raise InputError(
            f"models.{name} fails on an input of shape {tuple(x.shape)} "
            f"({type(error).__name__}: {reason}); do input.height and input.width suit it?"
        ) from error
    for alias, path in layers.items():
        _check_layer(name, alias, path, record.get(alias))
    if backbone.output != "none":
        _check_output(backbone, x, output)


def _noise(backbone, size):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, *size, 3), generator=generator).numpy()
    return backbone.batch(list(pixels), [geometry.Placement(size, 0, 0, *size)] * 2)


def _check_layer(name, alias, path, maps):
    what = f"models.{name}: layer {alias} ({path or 'the output'})"
    if maps is None:
        raise InputError(f"{what} does not run when the network predicts; choose another module")
    if maps.dim() != 4:
        raise InputError(
            f"{what} gives the shape {tuple(maps.shape)}; (n, channel, y, x) is needed, or tokens "
            "(n, token, channel) that tile the input"
        )
    if not torch.isfinite(maps).all():
        raise InputError(f"{what} gives values that are not finite")
    if max(maps.shape[2:]) == 1:
        raise InputError(f"{what} has a single cell: nothing in it depends on place")


def _check_output(backbone, x, output):
    what = f"models.{backbone.name}"
    if not torch.is_tensor(output):
        raise InputError(
            f"{what} returns {type(output).__name__}, not a tensor; wrap it, or set "
            "input.output: none to explain layers alone"
        )
    one = output.dim() == 3 or (output.dim() == 4 and output.shape[1] == 1)
    if not one or len(output) != len(x):
        raise InputError(
            f"{what} returns the shape {tuple(output.shape)} for {len(x)} images; a map "
            "(n, 1, y, x) is needed, or input.output: none to explain layers alone"
        )
    if not torch.isfinite(output).all():
        raise InputError(f"{what} returns values that are not finite")
    _check_kind(what, backbone.output, output.double().flatten(1))
    alone = backbone.network(x[:1])
    spread = float(output.max() - output.min()) or 1.0
    if float((alone - output[:1]).abs().max()) > TOLERANCE * spread:
        raise InputError(
            f"{what} gives an image another map alone than in a batch, or at every call; is a "
            "normalisation over the batch, or dropout, active in eval mode?"
        )


def _check_kind(what, kind, flat):
    low, high = float(flat.min()), float(flat.max())
    if kind == "unit" and (low < 0 or high > 1):
        wrong = f"reaches from {low:.3g} to {high:.3g}, and 'unit' is 0..1"
    elif kind == "density" and low < 0:
        wrong = f"has the minimum {low:.3g}, and a density is not negative"
    elif kind == "log_density" and (flat.exp().sum(1) - 1).abs().max() > TOLERANCE:
        total = float(flat.exp().sum(1)[0])
        wrong = f"has an exponential that sums to {total:.3g}, not 1; without a constant: logits"
    else:
        return
    raise InputError(f"{what}: input.output is {kind}, but the map {wrong}")
