"""Two models of one's own: a transformer that predicts saliency, and a classifier that does not."""

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Self-attention and a perceptron on tokens (n, token, channel), normalised before each."""

    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x):
        """Map tokens to tokens."""
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class SmallViT(nn.Module):
    """Vision transformer for inputs of 96 x 128 px whose readout is a log-density."""

    def __init__(self, width=64, depth=3, patch=8, size=(96, 128)):
        super().__init__()
        self.embed = nn.Conv2d(3, width, patch, patch)
        self.place = nn.Parameter(0.02 * torch.randn(1, width, size[0] // patch, size[1] // patch))
        self.blocks = nn.Sequential(*[Block(width, 4) for _ in range(depth)])
        self.readout = nn.Linear(width, 1)

    def forward(self, x):
        """Map RGB (n, 3, y, x) to a log-density (n, 1, y, x)."""
        maps = self.embed(x)
        place = self.place
        if maps.shape[2:] != place.shape[2:]:  # portrait stimuli get the input turned upright
            place = functional.interpolate(place, maps.shape[2:], mode="bilinear")
        tokens = self.blocks((maps + place).flatten(2).transpose(1, 2))
        logits = self.readout(tokens).transpose(1, 2).unflatten(2, maps.shape[2:])
        logits = functional.interpolate(logits, x.shape[2:], mode="bilinear")
        return functional.log_softmax(logits.flatten(1), dim=1).view_as(logits)


def vit(**options):
    """Make the transformer, randomly initialised; `weights: train` trains it."""
    return SmallViT(**options)


def classifier(n_classes=10):
    """Make a small classifier; it has layers to explain, but no saliency map."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, n_classes),
    )
