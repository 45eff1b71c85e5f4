"""
VGG16 as in MSI-Net: no dense layers, last two pools with stride 1, last stage dilated.

Simonyan, K., Zisserman, A. (2015). Very deep convolutional networks, ICLR.
"""

import torch
from torch import nn
from torch.nn import functional

# channels and number of convolutions of each stage
STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
# Subtracted from R, G, B in this order. In Caffe's VGG16 these are the means of B, G, R. MSI-Net's
# authors subtract them without exchanging the channels, and the weights were trained so.
MEAN = (103.939, 116.779, 123.68)


class ConvReLU(nn.Conv2d):
    """
    Convolution that keeps the size, followed by a rectifier (submodule `relu`).

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel : int
        Side in px, odd.
    dilation : int
    """

    def __init__(self, n_in: int, n_out: int, kernel: int = 3, dilation: int = 1) -> None:
        super().__init__(n_in, n_out, kernel, padding=kernel // 2 * dilation, dilation=dilation)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, n_in, y, x) to (n, n_out, y, x); no value is negative."""
        return self.relu(super().forward(x))


class SamePool(nn.Module):
    """Maximum over 2x2 at stride 1, padded at the bottom and the right only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, channel, y, x) to the same shape."""
        padded = functional.pad(x, (0, 1, 0, 1), value=-torch.inf)
        return functional.max_pool2d(padded, 2, stride=1)


class VGG16(nn.Module):
    """Encoder of 13 convolutions; concatenates the results of the last three stages at 1/8."""

    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        n_in = 3
        for number, (channels, depth) in enumerate(STAGES, start=1):
            stage = nn.Sequential()
            for index in range(1, depth + 1):
                dilation = 2 if number == 5 else 1
                stage.add_module(f"conv{number}_{index}", ConvReLU(n_in, channels, 3, dilation))
                n_in = channels
            self.add_module(f"conv{number}", stage)
            self.add_module(f"pool{number}", SamePool() if number > 3 else nn.MaxPool2d(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """
        Encode images.

        Parameters
        ----------
        x : tensor (n, 3, H, W)
            RGB in 0..255.

        Returns
        -------
        features : tensor (n, 1280, H/8, W/8)
        """
        x = x - self.mean
        features = []
        for number in range(1, len(STAGES) + 1):
            x = getattr(self, f"pool{number}")(getattr(self, f"conv{number}")(x))
            if number >= 3:
                features.append(x)
        return torch.cat(features, dim=1)
