"""
UNISAL: one network for images and video with domain-specific normalisation, priors and smoothing.

Its layers have the names of the authors' release, so the published weights load by name. These are
835 tensors; a network for SALICON alone has 390.

Droste, R., Jiao, J., Noble, J. A. (2020). Unified image and video saliency modeling, ECCV.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from gaborscope.backbones.convgru import ConvGRU
from gaborscope.backbones.mobilenetv2 import (
    CHANNELS_2X,
    CHANNELS_4X,
    LAST,
    InvertedResidual,
    MobileNetV2,
    initialise,
)
from gaborscope.errors import InputError

DESCRIPTION = {
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "multiple": 32,
    "output": "log_density",
    "resize": "lanczos",
}

DOMAINS = ("DHF1K", "Hollywood", "UCFSports", "SALICON")
WIDTH, WIDTH_2X, WIDTH_4X = 256, 128, 64
DROPOUT = 0.6  # share of dropped channels inside the skip connections
KERNEL = 41  # px, side of the smoothing kernel
SCALE = 6.0  # height of the Gaussian priors
# Momentum of the normalisations. The momentum for SALICON (static) is larger, because its batches
# are large and its images unrelated.
MOMENTUM, STATIC_MOMENTUM = 0.01, 0.1
# Centres (y, x) and log standard deviations (y, x) of the priors before training.
PRIORS = (
    [((y, x), (-1.5, -1.5)) for y in (0.25, 0.5, 0.75) for x in (0.25, 0.5, 0.75)]
    + [((0.5, x), (0.0, -1.5)) for x in (0.25, 0.5, 0.75)]
    + [((y, 0.5), (-1.5, 0.0)) for y in (0.25, 0.5, 0.75)]
    + [((0.5, 0.5), (0.0, 0.0))]
)


class DomainBatchNorm2d(nn.Module):
    """
    One batch normalisation per domain; the attribute `domain` names the one in use.

    Parameters
    ----------
    n : int
        Channels.
    domains : sequence of str
    """

    def __init__(self, n: int, domains: Sequence[str]) -> None:
        super().__init__()
        for domain in domains:
            momentum = STATIC_MOMENTUM if domain == "SALICON" else MOMENTUM
            self.add_module(f"bn_{domain}", nn.BatchNorm2d(n, momentum=momentum))
        self.domain = domains[0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise (n, channel, y, x)."""
        return getattr(self, f"bn_{self.domain}")(x)


def gaussian_maps(gaussians: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """
    Return Gaussian prior maps.

    Parameters
    ----------
    gaussians : tensor (n, 2, 2)
        For y and x the mean, as a share of the extent, and the log standard deviation.
    size : (int, int)

    Returns
    -------
    maps : tensor (n, *size)
        6 exp(-d^2 / 2), where d is the distance in standard deviations. The first pixel lies at 0,
        the last at 1.
    """
    grids = [torch.linspace(0, 1, n, dtype=gaussians.dtype, device=gaussians.device) for n in size]
    lines = [
        torch.exp(-(((grid - gaussians[:, axis, :1]) / gaussians[:, axis, 1:].exp()) ** 2) / 2)
        for axis, grid in enumerate(grids)
    ]
    return SCALE * lines[0][:, :, None] * lines[1][:, None, :]


class UNISAL(nn.Module):
    """
    UNISAL for one or several domains.

    Parameters
    ----------
    sources : sequence of str
        Domains out of DHF1K, Hollywood, UCFSports and SALICON. A network for SALICON alone has no
        recurrent part.
    """

    def __init__(self, sources: Sequence[str] = DOMAINS) -> None:
        super().__init__()
        sources = tuple(sources)
        unknown = [source for source in sources if source not in DOMAINS]
        if unknown or not sources or len(set(sources)) < len(sources):
            raise InputError(
                f"sources of unisal are {list(sources)}; give one or more of "
                f"{', '.join(DOMAINS)}, each once"
            )
        self.sources = sources
        self.cnn = MobileNetV2()

        def plain(n):
            return nn.BatchNorm2d(n, momentum=MOMENTUM)

        def norm(n):
            return DomainBatchNorm2d(n, sources)

        for source in sources:
            means, widths = zip(*PRIORS, strict=True)
            values = torch.stack([torch.tensor(means), torch.tensor(widths)], dim=2)
            self.register_parameter(f"coarse_gaussians_{source.lower()}", nn.Parameter(values))
        self.post_cnn = _named(inv_res=InvertedResidual(LAST + len(PRIORS), WIDTH, 1, plain))
        if sources != ("SALICON",):
            self.rnn = ConvGRU(WIDTH, norm)
            self.post_rnn = _pointwise(WIDTH, WIDTH, norm)
        self.upsampling_1 = _double()
        self.skip_2x = _skip(CHANNELS_2X, WIDTH_2X, norm)
        self.upsampling_2 = _named(
            inv_res=InvertedResidual(WIDTH + WIDTH_2X, WIDTH_2X, 2, norm), us2=_double()
        )
        self.skip_4x = _skip(CHANNELS_4X, WIDTH_4X, norm)
        self.post_upsampling_2 = _named(
            inv_res=InvertedResidual(WIDTH_2X + WIDTH_4X, WIDTH_4X, 2, norm)
        )
        for source in sources:
            head = nn.Sequential(nn.Conv2d(WIDTH_4X, 1, 1))
            self.add_module(f"adaptation_{source.lower()}", head)
            smoothing = nn.Conv2d(1, 1, KERNEL, bias=False)
            self.add_module(f"smoothing_{source.lower()}", smoothing)

    def forward(
        self,
        x: torch.Tensor,
        source: str | None = None,
        static: bool | None = None,
        target_size: tuple[int, int] | None = None,
        h0: torch.Tensor | None = None,
        return_hidden: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None] | torch.Tensor:
        """
        Predict log-densities.

        Parameters
        ----------
        x : tensor (n, 3, H, W) or (n, t, 3, H, W)
            Images, or frames of videos; RGB normalised by ImageNet's mean and deviation, H and W
            multiples of 32.
        source : str, optional
            Domain. By default SALICON if the network has it, otherwise its first domain.
        static : bool, optional
            Whether the recurrent part is bypassed. By default true for images, false for videos.
        target_size : (int, int), optional
            Height and width of the output; by default the size of the input.
        h0 : tensor (n, 256, H/32, W/32), optional
            Initial hidden state. By default 0.
        return_hidden : bool
            Whether to return the hidden state as well.

        Returns
        -------
        log_density : tensor (n, 1, h, w) or (n, t, 1, h, w)
            Natural logarithm; the exponential sums to 1 over an image.
        hidden : tensor or None
            Only if `return_hidden`; None where the recurrent part was bypassed.
        """
        source = source or ("SALICON" if "SALICON" in self.sources else self.sources[0])
        if source not in self.sources:
            raise InputError(
                f"this unisal has no domain {source!r}; it has {', '.join(self.sources)}"
            )
        for module in self.modules():
            if isinstance(module, DomainBatchNorm2d):
                module.domain = source
        images = x.dim() == 4
        frames = x.unsqueeze(1) if images else x
        if static is None:
            static = frames.shape[1] == 1 or self.sources == ("SALICON",)
        domain, size = source.lower(), tuple(frames.shape[-2:])
        encoded = [self._encode(frame, domain) for frame in frames.unbind(1)]
        hidden, outputs = h0, []
        if not static:
            recurrent, hidden = self.rnn([parts[0] for parts in encoded], h0)
        for time, (features, skip_2x, skip_4x) in enumerate(encoded):
            if not static:
                features = features + self.post_rnn(recurrent[time])
            y = self._decode(features, skip_2x, skip_4x, domain, size)
            if target_size is not None:
                y = functional.interpolate(
                    y, tuple(target_size), mode="bilinear", align_corners=False
                )
            outputs.append(functional.log_softmax(y.flatten(1), dim=1).view_as(y))
        result = outputs[0] if images else torch.stack(outputs, dim=1)
        return (result, None if static else hidden) if return_hidden else result

    def _encode(self, frame, domain):
        """Features of one frame at 1/32, and its skip connections at 1/16 and 1/8."""
        features, tap_2x, tap_4x = self.cnn(frame)
        priors = gaussian_maps(
            getattr(self, f"coarse_gaussians_{domain}"), tuple(features.shape[-2:])
        )
        priors = priors.to(features.dtype).expand(len(features), -1, -1, -1)
        features = self.post_cnn(torch.cat([features, priors], dim=1))
        return features, self.skip_2x(tap_2x), self.skip_4x(tap_4x)

    def _decode(self, features, skip_2x, skip_4x, domain, size):
        """Smoothed map (n, 1, *size), a log-density up to a constant."""
        y = torch.cat([self.upsampling_1(features), skip_2x], dim=1)
        y = torch.cat([self.upsampling_2(y), skip_4x], dim=1)
        y = getattr(self, f"adaptation_{domain}")(self.post_upsampling_2(y))
        y = functional.interpolate(y, size, mode="nearest")
        y = functional.pad(y, [KERNEL // 2] * 4, mode="replicate")
        # under autocast in bf16, a log-density would be rounded to steps of 1/16
        with torch.autocast(y.device.type, enabled=False):
            y = y.float() if y.dtype == torch.bfloat16 else y
            return getattr(self, f"smoothing_{domain}")(y)


def _named(**modules):
    return nn.Sequential(OrderedDict(modules))


def _double():
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)


def _pointwise(n_in, n_out, norm):
    return nn.Sequential(nn.Conv2d(n_in, n_out, 1, bias=False), norm(n_out), nn.ReLU6())


def _skip(n_in, n_out, norm):
    return _named(
        expansion=_pointwise(n_in, 2 * n_in, norm),
        dropout=nn.Dropout2d(DROPOUT),
        reduction=nn.Sequential(nn.Conv2d(2 * n_in, n_out, 1), norm(n_out)),
    )


def build(sources: Sequence[str] = DOMAINS) -> UNISAL:
    """
    Build a randomly initialised UNISAL; priors and smoothing start with the authors' values.

    Parameters
    ----------
    sources : sequence of str
        Domains.

    Returns
    -------
    network : UNISAL
    """
    network = UNISAL(sources)
    initialise(network)
    # a Gaussian of sum 1; its standard deviation is exp(-2) of the kernel's extent
    kernel = gaussian_maps(torch.tensor([[[0.5, -2.0]] * 2]), (KERNEL, KERNEL))
    for source in network.sources:
        getattr(network, f"adaptation_{source.lower()}")[0].reset_parameters()
        with torch.no_grad():
            smoothing = getattr(network, f"smoothing_{source.lower()}")
            smoothing.weight.copy_((kernel / kernel.sum())[None])
    return network
