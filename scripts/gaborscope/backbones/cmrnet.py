"""
CMRNet: a series of cross-concatenated multi-scale residual blocks, trained from scratch.

A reconstruction of the idea published in arXiv 2109.03575. Its authors released no code. Widths,
depth, strides, fusion and decoder are therefore our choices, and the scores of this network cannot
be compared with the published ones.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

DESCRIPTION = {
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "multiple": 16,
    "output": "log_density",
}


def _conv(n_in, n_out, kernel, stride=1):
    return [
        nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    ]


class CrossConcatenatedBlock(nn.Module):
    """
    Cross-concatenated multi-scale residual block.

    The block has two rounds of parallel 3x3 and 5x5 convolutions. Both convolutions of the second
    round take both results of the first, concatenated in opposite orders. A 1x1 convolution maps
    their results to the number of input channels and is added to the input: `out = x + S`.

    Parameters
    ----------
    n : int
        Channels in and out.

    References
    ----------
    Li, J., Fang, F., Mei, K., Zhang, G. (2018). Multi-scale residual network, ECCV.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.s1 = nn.Sequential(*_conv(n, n, 3))
        self.p1 = nn.Sequential(*_conv(n, n, 5))
        self.s2 = nn.Sequential(*_conv(2 * n, 2 * n, 3))
        self.p2 = nn.Sequential(*_conv(2 * n, 2 * n, 5))
        self.merge = nn.Conv2d(4 * n, n, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, channel, y, x) to the same shape."""
        s, p = self.s1(x), self.p1(x)
        s, p = self.s2(torch.cat([s, p], 1)), self.p2(torch.cat([p, s], 1))
        return x + self.merge(torch.cat([s, p], 1))


class CMRNet(nn.Module):
    """
    CMRNet: blocks at 1/4, 1/8 and 1/16 of the input size, fused at 1/8, decoded to full size.

    Parameters
    ----------
    widths : sequence of 3 ints
        Channels of the three blocks.
    """

    def __init__(self, widths: Sequence[int] = (32, 64, 96)) -> None:
        super().__init__()
        w1, w2, w3 = widths
        self.stem = nn.Sequential(*_conv(3, w1, 3, 2), *_conv(w1, w1, 3, 2))
        self.cmr1 = CrossConcatenatedBlock(w1)
        self.down1 = nn.Sequential(*_conv(w1, w2, 3, 2))
        self.cmr2 = CrossConcatenatedBlock(w2)
        self.down2 = nn.Sequential(*_conv(w2, w3, 3, 2))
        self.cmr3 = CrossConcatenatedBlock(w3)
        self.hff = nn.Sequential(*_conv(w1 + w2 + w3, w3, 1))
        self.dec1 = nn.Sequential(*_conv(w3, w3 // 2, 3))
        self.dec2 = nn.Sequential(*_conv(w3 // 2, w3 // 4, 3))
        self.dec3 = nn.Sequential(*_conv(w3 // 4, w3 // 8, 3))
        self.out = nn.Conv2d(w3 // 8, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map RGB (n, 3, H, W), H and W multiples of 16, to log-density (n, 1, H, W)."""
        first = self.cmr1(self.stem(x))
        second = self.cmr2(self.down1(first))
        third = self.cmr3(self.down2(second))
        y = torch.cat([functional.avg_pool2d(first, 2), second, _double(third)], 1)
        y = self.hff(y)
        for stage in (self.dec1, self.dec2, self.dec3):
            y = stage(_double(y))
        # under autocast in bf16, a log-density would be rounded to steps of 1/16
        with torch.autocast(y.device.type, enabled=False):
            y = self.out(y.float()) if y.dtype == torch.bfloat16 else self.out(y)
        return functional.log_softmax(y.flatten(1), dim=1).view_as(y)


def _double(x):
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def build(widths: Sequence[int] = (32, 64, 96)) -> CMRNet:
    """
    Build a randomly initialised CMRNet.

    Parameters
    ----------
    widths : sequence of 3 ints
        Channels at 1/4, 1/8 and 1/16 of the input size; the last must be divisible by 8.

    Returns
    -------
    network : CMRNet
    """
    network = CMRNet(tuple(widths))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, CrossConcatenatedBlock):
            # small weights: a block starts close to the identity
            nn.init.normal_(module.merge.weight, std=0.01)
    nn.init.normal_(network.out.weight, std=0.01)
    return network
