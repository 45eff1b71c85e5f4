"""
Convolutional gated recurrent unit of UNISAL, with depthwise separable convolutions.

Droste, R., Jiao, J., Noble, J. A. (2020). Unified image and video saliency modeling, ECCV.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import nn

DROPOUT = 0.2  # share of dropped channels of the hidden state, the same over a sequence


class ConvGRUCell(nn.Module):
    """
    One step of the recurrence.

    `h' = (1 - z) h + z tanh(W x + r U h + b)`. The gates are `r = sigmoid(W_r x + U_r h + b_r)` and
    z likewise. The result of each of the six convolutions is normalised and scaled separately.

    Parameters
    ----------
    n : int
        Channels of input and hidden state.
    norm : callable
        Takes a number of channels and returns a normalisation module.
    """

    drop_mask_1: torch.Tensor
    w_r: nn.Module
    u_r: nn.Module
    w_z: nn.Module
    u_z: nn.Module
    w: nn.Module
    u: nn.Module

    def __init__(self, n: int, norm: Callable[..., Any]) -> None:
        super().__init__()
        for gate in ("r", "z", "h"):
            self.register_parameter(f"b_{gate}", nn.Parameter(torch.zeros(n, 1, 1)))
        for gate in ("r", "z", "h"):
            for side in ("x", "h"):
                scale = nn.Parameter(torch.ones(n, 1, 1))
                self.register_parameter(f"a_{gate}_{side}", scale)
        for gate in ("r", "z", "out"):
            for side in ("x", "h"):
                self.add_module(f"norm_{gate}_{side}", norm(n))
        # a buffer, as in the published weights; training draws it for every sequence
        self.register_buffer("drop_mask_1", torch.ones(3, n))
        for name in ("w_r", "u_r", "w_z", "u_z", "w", "u"):
            self.add_module(name, _separable(n, norm))

    def draw_mask(self) -> None:
        """Draw the channels of the hidden state to be dropped in the next sequence."""
        keep = torch.full_like(self.drop_mask_1, 1 - DROPOUT)
        self.drop_mask_1 = torch.bernoulli(keep) / (1 - DROPOUT)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """
        Advance by one frame.

        Parameters
        ----------
        x, h : tensors (n, channel, y, x)
            Input and hidden state.

        Returns
        -------
        h : tensor (n, channel, y, x)
        """
        parts = {}
        for row, (gate, w, u, norm) in enumerate(
            (("r", self.w_r, self.u_r, "r"), ("z", self.w_z, self.u_z, "z"),
             ("h", self.w, self.u, "out"))
        ):  # fmt: skip
            dropped = h * self.drop_mask_1[row, :, None, None] if self.training else h
            from_input = getattr(self, f"norm_{norm}_x")(w(x)) * getattr(self, f"a_{gate}_x")
            from_hidden = getattr(self, f"norm_{norm}_h")(u(dropped)) * getattr(self, f"a_{gate}_h")
            parts[gate] = from_input, from_hidden
        r = torch.sigmoid(sum(parts["r"]) + self.b_r)
        z = torch.sigmoid(sum(parts["z"]) + self.b_z)
        new = torch.tanh(parts["h"][0] + r * parts["h"][1] + self.b_h)
        return (1 - z) * h + z * new


class ConvGRU(nn.Module):
    """
    Recurrent layer that runs one cell over a sequence.

    Parameters
    ----------
    n : int
        Channels.
    norm : callable
        Takes a number of channels and returns a normalisation module.
    """

    def __init__(self, n: int, norm: Callable[..., Any]) -> None:
        super().__init__()
        self.cell_list = nn.ModuleList([ConvGRUCell(n, norm)])

    def forward(
        self, frames: Sequence[torch.Tensor], h0: torch.Tensor | None = None
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """
        Run over a sequence.

        Parameters
        ----------
        frames : sequence of tensor (n, channel, y, x)
        h0 : tensor (n, channel, y, x), optional
            Initial hidden state, or a list that holds it. By default 0.

        Returns
        -------
        outputs : list of tensor (n, channel, y, x)
        hidden : tensor (n, channel, y, x)
        """
        (cell,) = self.cell_list
        hidden = h0[0] if isinstance(h0, (list, tuple)) else h0
        if hidden is None:
            hidden = torch.zeros_like(frames[0])
        if self.training:
            cast("ConvGRUCell", cell).draw_mask()
        outputs = []
        for frame in frames:
            hidden = cell(frame, hidden)
            outputs.append(hidden)
        return outputs, hidden


def _separable(n, norm):
    return nn.Sequential(
        OrderedDict(
            conv_dw=nn.Conv2d(n, n, 3, padding=1, groups=n, bias=False),
            sep_bn=norm(n),
            sep_relu=nn.ReLU6(),
            conv_sep=nn.Conv2d(n, n, 1, bias=False),
        )
    )
