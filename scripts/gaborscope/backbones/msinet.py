"""
MSI-Net: dilated VGG16, atrous spatial pyramid with global context, decoder; about 24.9 M weights.

Three details follow the authors' TensorFlow code, because the published weights depend on them: the
order of the subtracted mean (see `vgg16`), pools padded at the bottom and right only, and the
bilinear enlargement of TensorFlow 1.

Kroner, A., Senden, M., Driessens, K., Goebel, R. (2020). Contextual encoder-decoder network for
visual saliency prediction, Neural Networks 129.
"""

import torch
from torch import nn
from torch.nn import functional

from gaborscope.backbones.vgg16 import VGG16, ConvReLU

DESCRIPTION = {
    "mean": (0.0, 0.0, 0.0),
    "std": (1.0, 1.0, 1.0),
    "multiple": 8,
    "output": "unit",
    "range": 255,
    "pad": 126,
    "resize": "tensorflow",
}

EPS = 1e-7


def double(x: torch.Tensor) -> torch.Tensor:
    """
    Enlarge maps twofold as TensorFlow 1 does: cell i lies at 2i, not at 2i + 1/2.

    Parameters
    ----------
    x : tensor (n, channel, y, x)

    Returns
    -------
    y : tensor (n, channel, 2y, 2x)
        `y[2i] = x[i]`, `y[2i + 1] = (x[i] + x[min(i + 1, n - 1)]) / 2`.
    """
    height, width = x.shape[-2:]
    padded = functional.pad(x, (0, 1, 0, 1), mode="replicate")
    size = (2 * height + 1, 2 * width + 1)
    y = functional.interpolate(padded, size, mode="bilinear", align_corners=True)
    return y[..., : 2 * height, : 2 * width]


class Pyramid(nn.Module):
    """Atrous spatial pyramid: joins a 1x1, three dilated 3x3 convolutions and the global mean."""

    def __init__(self, n_in: int = 1280, width: int = 256) -> None:
        super().__init__()
        self.conv1_1 = ConvReLU(n_in, width, 1)
        self.conv1_2 = ConvReLU(n_in, width, 3, 4)
        self.conv1_3 = ConvReLU(n_in, width, 3, 8)
        self.conv1_4 = ConvReLU(n_in, width, 3, 12)
        self.conv1_5 = ConvReLU(n_in, width, 1)
        self.conv2 = ConvReLU(5 * width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, 1280, y, x) to (n, 256, y, x)."""
        context = self.conv1_5(x.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, *x.shape[2:])
        branches = [self.conv1_1(x), self.conv1_2(x), self.conv1_3(x), self.conv1_4(x), context]
        return self.conv2(torch.cat(branches, dim=1))


class Decoder(nn.Module):
    """Decoder: three doublings, each with a convolution, then one convolution to the map."""

    def __init__(self, n_in: int = 256) -> None:
        super().__init__()
        self.conv1 = ConvReLU(n_in, 128)
        self.conv2 = ConvReLU(128, 64)
        self.conv3 = ConvReLU(64, 32)
        self.conv4 = nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, 256, y, x) to (n, 1, 8y, 8x)."""
        for conv in (self.conv1, self.conv2, self.conv3):
            x = conv(double(x))
        return self.conv4(x)


class MSINet(nn.Module):
    """MSI-Net from RGB in 0..255 to a map in 0..1."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = VGG16()
        self.aspp = Pyramid()
        self.decoder = Decoder()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """
        Predict saliency maps.

        Parameters
        ----------
        x : tensor (n, 3, H, W)
            RGB in 0..255; H and W multiples of 8.

        Returns
        -------
        maps : tensor (n, 1, H, W)
            In 0..1. Each map m is scaled to (m - min) / (1e-7 + max - min), so its minimum is
            exactly 0.
        """
        maps = self.decoder(self.aspp(self.encoder(x)))
        maps = maps - maps.amin(dim=(1, 2, 3), keepdim=True)
        return maps / (EPS + maps.amax(dim=(1, 2, 3), keepdim=True))


def kld(target: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """
    Kullback-Leibler divergence as the authors' training loss.

    Parameters
    ----------
    target : tensor (n, 1, H, W)
        Blurred fixations, not negative.
    maps : tensor (n, 1, H, W)
        Output of the network.

    Returns
    -------
    kld : tensor ()
        Mean over images of `sum q log(eps + q / (eps + p))`, q and p divided by `eps + sum`.
    """
    q = target / (EPS + target.sum(dim=(1, 2, 3), keepdim=True))
    p = maps / (EPS + maps.sum(dim=(1, 2, 3), keepdim=True))
    return (q * torch.log(EPS + q / (EPS + p))).sum(dim=(1, 2, 3)).mean()


def build() -> MSINet:
    """
    Build a randomly initialised MSI-Net.

    Returns
    -------
    network : MSINet
    """
    network = MSINet()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    # inputs reach 255; division by 60 gives them a standard deviation of about 1
    with torch.no_grad():
        network.encoder.get_parameter("conv1.conv1_1.weight").div_(60)
    return network
