"""Responses of filters in torch, with a gradient by the image; for `differentiable`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from gaborscope.filters import fourier
from gaborscope.filters.controls import ControlBank
from gaborscope.filters.lattice import NEGLIGIBLE, Lattice
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.stimuli import geometry

TOGETHER = 8  # filters whose common frequencies are cut out: neighbours are of one scale
TINY = 1e-30  # below it, a square root has no slope

Target = tuple[geometry.Grid, str, float]
Bank = LogGaborBank | ControlBank
Pair = tuple[torch.Tensor, torch.Tensor]


def root(values: torch.Tensor) -> torch.Tensor:
    """Return the square root, without slope at 0."""
    return torch.where(values > TINY, values.clamp(min=TINY).sqrt(), torch.zeros_like(values))


def separable(planes: torch.Tensor, along_y: torch.Tensor, along_x: torch.Tensor) -> torch.Tensor:
    """Apply matrices along y and x to planes (..., y, x)."""
    return along_y @ planes @ along_x.T


def tensors(arrays: Sequence[np.ndarray], dtype: torch.dtype) -> Any:
    """Return arrays as tensors of one type."""
    return tuple(torch.as_tensor(np.ascontiguousarray(a), dtype=dtype) for a in arrays)


def complex_of(dtype: torch.dtype) -> torch.dtype:
    """Return the complex type of a real one."""
    return torch.complex64 if dtype == torch.float32 else torch.complex128


def transform_shape(bank: Bank, shape: tuple[int, int], boundary: str) -> tuple[int, int]:
    """Return the size of the transforms in px."""
    return shape if boundary == "periodic" else fourier.padded_shape(shape, bank.margin_px)


def spectrum_of(channels: torch.Tensor, full: tuple[int, int]) -> torch.Tensor:
    """Return the spectra of mirrored images (channel, height, width)."""
    index = []
    for extent, wide in zip(channels.shape[1:], full, strict=True):
        before = (wide - extent) // 2
        index.append(
            torch.as_tensor(
                np.pad(np.arange(extent), (before, wide - extent - before), mode="symmetric")
            )
        )
    rows, columns = index
    return torch.fft.fft2(channels[:, rows][:, :, columns])


class Responses:
    """
    Complex responses of filters at the points of a lattice, as `lattice.Folded`.

    They are the inverse transform at these points alone, from the frequencies that filters pass.
    """

    def __init__(
        self,
        gains: Sequence[np.ndarray] | np.ndarray,
        lattice: Lattice,
        shape: tuple[int, int],
        full: tuple[int, int],
        dtype: torch.dtype,
    ) -> None:
        wide, self._parts = complex_of(dtype), []
        for first in range(0, len(gains), TOGETHER):
            some = np.stack(list(gains[first : first + TOGETHER]))
            passed = (np.abs(some) > NEGLIGIBLE).any(axis=0)
            passed[0, 0] = True  # so that there is something
            used, waves = [passed.any(axis=1), passed.any(axis=0)], []
            for axis, n in enumerate(full):
                places = lattice.positions(axis) + (n - shape[axis]) // 2
                frequency = np.fft.fftfreq(n)[used[axis]]
                waves.append(np.exp(2j * np.pi * np.outer(places, frequency)) / n)
            # (f_y, filter, f_x), so that each axis is one product of two matrices
            gain = torch.as_tensor(some[:, used[0]][:, :, used[1]].swapaxes(0, 1).copy())
            gain = gain.to(wide if gain.is_complex() else dtype)
            index = [torch.as_tensor(np.flatnonzero(along)) for along in used]
            self._parts.append((gain, index, [torch.as_tensor(w).to(wide) for w in waves]))

    def __call__(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Return responses (channel, filter, row, column) of spectra (channel, f_y, f_x)."""
        responses = []
        for gain, (rows, columns), (along_y, along_x) in self._parts:
            passed = spectrum[:, rows][:, :, columns].swapaxes(0, 1)[:, :, None] * gain[:, None]
            lines = (passed.flatten(0, 2) @ along_x.T).unflatten(0, passed.shape[:3])
            points = (along_y @ lines.flatten(1)).unflatten(1, lines.shape[1:])
            responses.append(points.movedim(0, 2))
        return torch.cat(responses, dim=1)


class AllPx:
    """Responses of a bank and its residual at all px."""

    def __init__(
        self,
        bank: Bank,
        shape: tuple[int, int],
        boundary: str,
        dtype: torch.dtype,
    ) -> None:
        self._full, self._shape = transform_shape(bank, shape, boundary), shape
        gains = np.concatenate([bank.gains(self._full), bank.residual_gain(self._full)[None]])
        self._gains = torch.as_tensor(gains)
        self._gains = self._gains.to(complex_of(dtype) if self._gains.is_complex() else dtype)

    def __call__(self, channels: torch.Tensor) -> Pair:
        """Return responses (channel, filter, y, x) and residuals (channel, y, x)."""
        inside = [
            slice((wide - n) // 2, (wide - n) // 2 + n)
            for n, wide in zip(self._shape, self._full, strict=True)
        ]
        spectra = spectrum_of(channels, self._full)[:, None] * self._gains
        responses = torch.fft.ifft2(spectra)[(..., *inside)]
        return responses[:, :-1], responses[:, -1].real
