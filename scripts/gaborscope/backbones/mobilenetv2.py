"""
MobileNetV2 as the encoder of UNISAL.

Unlike the original, its depthwise convolutions have stride 1, and the blocks are subsampled after
them. Its modules have the names of the published weights.

Sandler, M., Howard, A., Zhu, M., Zhmoginov, A., Chen, L.-C. (2018). MobileNetV2: inverted
residuals and linear bottlenecks, CVPR.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

# expansion, channels, blocks, stride of the first block
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
STEM, LAST = 32, 1280
# Blocks whose output goes to the decoder before it is subsampled.
TAP_4X, TAP_2X = 7, 14
CHANNELS_4X, CHANNELS_2X = 64, 160


def _conv(n_in, n_out, kernel, stride):
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU6(),
    )


class InvertedResidual(nn.Module):
    """
    Pointwise expansion, depthwise 3x3 convolution, linear pointwise projection.

    If the shapes of input and output agree, the input is added to the result.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    expansion : int
        Number of inner channels as a multiple of `n_in`; 1 leaves the first convolution out.
    norm : callable
        Takes a number of channels and returns a normalisation module.
    subsample : int
        Factor by which the caller subsamples the output. The block itself has stride 1.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        expansion: int,
        norm: Callable[..., Any] = nn.BatchNorm2d,
        subsample: int = 1,
    ) -> None:
        super().__init__()
        inside = n_in * expansion
        layers = []
        if expansion != 1:
            layers += [nn.Conv2d(n_in, inside, 1, bias=False), norm(inside), nn.ReLU6()]
        layers += [
            nn.Conv2d(inside, inside, 3, padding=1, groups=inside, bias=False),
            norm(inside),
            nn.ReLU6(),
            nn.Conv2d(inside, n_out, 1, bias=False),
            norm(n_out),
        ]
        self.conv = nn.Sequential(*layers)
        self.subsample = subsample
        self.shortcut = subsample == 1 and n_in == n_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, n_in, y, x) to (n, n_out, y, x)."""
        return x + self.conv(x) if self.shortcut else self.conv(x)


class MobileNetV2(nn.Module):
    """MobileNetV2 of width 1; strided blocks are subsampled after the block, not inside it."""

    def __init__(self) -> None:
        super().__init__()
        features, n_in = [_conv(3, STEM, 3, 2)], STEM
        for expansion, channels, blocks, stride in STAGES:
            for number in range(blocks):
                subsample = stride if number == 0 else 1
                features.append(InvertedResidual(n_in, channels, expansion, subsample=subsample))
                n_in = channels
        features.append(_conv(n_in, LAST, 1, 1))
        self.features = nn.Sequential(*features)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """
        Encode images.

        Parameters
        ----------
        x : tensor (n, 3, H, W)

        Returns
        -------
        x1, x2, x4 : tensors (n, 1280, H/32, W/32), (n, 160, H/16, W/16), (n, 64, H/8, W/8)
        """
        taps = {}
        for index, block in enumerate(self.features):
            x = block(x)
            if index in (TAP_4X, TAP_2X):
                taps[index] = x
            if getattr(block, "subsample", 1) == 2:
                x = x[..., ::2, ::2]
        return x, taps[TAP_2X], taps[TAP_4X]


def initialise(network: nn.Module) -> None:
    """
    Draw random weights: normal of variance 2 / fan-out, biases 0, normalisations reset.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            nn.init.normal_(module.weight, std=math.sqrt(2 / (fan_out / module.groups)))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
