"""
Time the bank of 40 log-Gabor filters against other ways to compute it, interleaved in one run.

    python benchmarks/loggabor.py [--rounds N] [--blocks]

Complex responses and amplitudes of one channel, periodic, CPU time of one thread, gains kept from
call to call where a peer can keep them. Peers of the same bank are compared in value as well.
phasepack and LogGabor (with SLIP) are timed where they can be imported; they have banks of their
own, and LogGabor's number of scales follows from the size, so it is scaled to 40 filters.
--blocks times every size of block at every size of image: what fourier.BLOCK_PIXELS is chosen by.
A peer that plans by measuring is compared with ours planned so. Brackets hold the quartiles of a
ratio over rounds. Prints Markdown for benchmarks/README.md.
"""

import argparse
import importlib
import sys
import types
import warnings

import cv2
import numpy as np
import pyfftw
import scipy.fft
import torch
from threadpoolctl import threadpool_limits
from timing import ROOT, circumstances, race

sys.path.insert(0, str(ROOT / "scripts"))

from gaborscope.filters import fourier, loggabor
from gaborscope.filters.loggabor import LogGaborBank  # noqa: E402

SIZES = [(56, 80), (112, 160), (224, 320)]
N_SCALES, N_ORIENTATIONS, WAVELENGTH, FACTOR, BANDWIDTH = 5, 8, 3.0, 2.0, 0.65
OURS, MEASURED = "ours, in blocks", "ours, planned by measuring"
SIX, SIX_MEASURED = "pyFFTW loop, float32", "pyFFTW loop, planned by measuring"
TARGETS = {
    "LogGabor, float64": 6,
    "phasepack, phase congruency whole, float64": 8,
    "phasepack, its responses alone, float64": 4,
    "numpy, even and odd apart, float64": 6,
    "numpy loop, float64": 2.5,
    "numpy loop, float32": 1.5,
    "OpenCV loop, float32": 1,
    "OpenCV loop, buffers kept": 1,
    SIX: 1,
    SIX_MEASURED: 1,
}
TURN_S = 0.004  # short turns, so that the machine's other work meets contestants alike
# what a peer is compared with, where that is not our default
RIVALS = {SIX_MEASURED: MEASURED}


def make_bank():
    """Return the bank of the table."""
    return LogGaborBank(N_SCALES, N_ORIENTATIONS, WAVELENGTH, FACTOR, BANDWIDTH)


def make_image(shape):
    """Noise whose amplitude spectrum falls as 1 / f, as that of photographs does."""
    rng = np.random.default_rng(1)
    f = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1]))
    f[0, 0] = np.inf
    image = np.fft.ifft2(np.fft.fft2(rng.standard_normal(shape)) / f).real
    return image / image.std()


# --- ours -----------------------------------------------------------------------------------------


def ours(bank, image, planning):
    """Responses and amplitudes, block by block, as the pipeline takes them."""
    prepared = bank.prepare(image.shape, "periodic", planning=planning)
    block = prepared.block
    amplitude = np.empty((block, *image.shape), np.float32)
    image = image.astype(np.float32)

    def run():
        prepared.analyse(image)
        for _, responses in prepared.responses():
            np.abs(responses, out=amplitude)

    return run


# --- peers of the same bank: calls that yield (response, amplitude) -------------------------------


def numpy_loop(image, gains, dtype):
    """One inverse transform per filter."""
    image, gains = image.astype(dtype), gains.astype(dtype)

    def run():
        spectrum = np.fft.fft2(image)
        for gain in gains:
            response = np.fft.ifft2(spectrum * gain)
            yield response, np.abs(response)

    return run


def numpy_even_odd(image, gains):
    """Even and odd filters each with an inverse transform of their own, as two real filters."""
    mirrored = np.roll(gains[:, ::-1, ::-1], 1, axis=(1, 2))
    even, odd = (gains + mirrored) / 2, (gains - mirrored) / 2j

    def run():
        spectrum = np.fft.fft2(image)
        for e, o in zip(even, odd, strict=True):
            real, imaginary = np.fft.ifft2(spectrum * e).real, np.fft.ifft2(spectrum * o).real
            yield real + 1j * imaginary, np.hypot(real, imaginary)

    return run


def scipy_loop(image, gains):
    """Use scipy.fft in the same way."""
    image, gains = image.astype(np.float32), gains.astype(np.float32)

    def run():
        spectrum = scipy.fft.fft2(image)
        for gain in gains:
            response = scipy.fft.ifft2(spectrum * gain, overwrite_x=True)
            yield response, np.abs(response)

    return run


def scipy_batch(image, gains):
    """All filters in one call."""
    image, gains = image.astype(np.float32), gains.astype(np.float32)

    def run():
        product = scipy.fft.fft2(image) * gains
        responses = scipy.fft.ifft2(product, overwrite_x=True)
        yield from zip(responses, np.abs(responses), strict=True)

    return run


def torch_batch(image, gains):
    """All filters in one call of torch."""
    image = torch.from_numpy(image.astype(np.float32))
    gains = torch.from_numpy(gains.astype(np.float32))

    def run():
        responses = torch.fft.ifft2(torch.fft.fft2(image) * gains)
        yield from zip(responses.numpy(), responses.abs().numpy(), strict=True)

    return run


def opencv(image, gains):
    """OpenCV's transform, per filter, on arrays of two channels."""
    image = image.astype(np.float32)
    doubled = np.repeat(gains[..., None].astype(np.float32), 2, axis=3)

    def run():
        spectrum = cv2.dft(image, flags=cv2.DFT_COMPLEX_OUTPUT)
        for gain in doubled:
            response = cv2.idft(cv2.multiply(spectrum, gain), flags=cv2.DFT_SCALE)
            yield (
                response.view(np.complex64)[..., 0],
                cv2.magnitude(response[..., 0], response[..., 1]),
            )

    return run


def opencv_buffers(image, gains):
    """Use OpenCV with every buffer kept, unscaled, and amplitudes by numpy."""
    image = image.astype(np.float32)
    doubled = np.repeat((gains / image.size)[..., None].astype(np.float32), 2, axis=3)
    product, response = np.empty((2, *image.shape, 2), np.float32)
    amplitude = np.empty(image.shape, np.float32)

    def run():
        spectrum = cv2.dft(image, flags=cv2.DFT_COMPLEX_OUTPUT)
        for gain in doubled:
            cv2.multiply(spectrum, gain, dst=product)
            cv2.idft(product, dst=response)
            values = response.view(np.complex64)[..., 0]
            yield values, np.abs(values, out=amplitude)

    return run


def pyfftw_loop(image, gains, planning):
    """Use pyFFTW in six lines: both axes in one plan, every buffer kept."""
    image, gains = image.astype(np.float32), (gains / image.size).astype(np.float32)
    spectrum, product, response = (pyfftw.empty_aligned(image.shape, "complex64") for _ in range(3))
    amplitude = np.empty(image.shape, np.float32)
    forward = pyfftw.FFTW(product, spectrum, (0, 1), flags=(planning,))
    backward = pyfftw.FFTW(product, response, (0, 1), "FFTW_BACKWARD", (planning,))
    pyfftw.forget_wisdom()  # measurements would change later estimates

    def run():
        product[...] = image
        forward.execute()
        for gain in gains:
            np.multiply(spectrum, gain, out=product)
            backward.execute()
            yield response, np.abs(response, out=amplitude)

    return run


def consume(run):
    """Turn a generator function into a call that does all of its work."""

    def call():
        for _ in run():
            pass

    return call


# --- peers with banks of their own ----------------------------------------------------------------


def phasepack_peers(image):
    """Phase congruency as phasepack computes it, and its responses alone; {} without it."""
    try:
        phasepack = importlib.import_module("phasepack")
        tools = importlib.import_module("phasepack.tools")
    except ImportError:
        return {}

    def whole():
        phasepack.phasecong(image, N_SCALES, N_ORIENTATIONS, WAVELENGTH, FACTOR, BANDWIDTH)

    def responses():
        # its bank is built anew in every call there; here too, by the same formulae
        height, width = image.shape
        f_y, f_x = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
        radius, angle = np.hypot(f_y, f_x), np.arctan2(-f_y, f_x)
        radius[0, 0] = 1
        low_pass = tools.lowpassfilter(image.shape, 0.45, 15)
        radial = []
        for scale in range(N_SCALES):
            octaves = np.log(radius * WAVELENGTH * FACTOR**scale)
            radial.append(np.exp(-(octaves**2) / (2 * np.log(BANDWIDTH) ** 2)) * low_pass)
            radial[-1][0, 0] = 0
        sine, cosine = np.sin(angle), np.cos(angle)
        spectrum = tools.fft2(image)
        for orientation in np.pi * np.arange(N_ORIENTATIONS) / N_ORIENTATIONS:
            s, c = np.sin(orientation), np.cos(orientation)
            turn = np.abs(np.arctan2(sine * c - cosine * s, cosine * c + sine * s))
            spread = (np.cos(np.clip(turn * N_ORIENTATIONS / 2, 0, np.pi)) + 1) / 2
            for gain in radial:
                np.abs(tools.ifft2(spectrum * (gain * spread)))

    return {
        "phasepack, phase congruency whole, float64": whole,
        "phasepack, its responses alone, float64": responses,
    }


def loggabor_peer(image):
    """LogGabor's pyramid, (call, number of filters); None without it."""
    try:
        importlib.import_module("NeuroTools.parameters")
    except ImportError:  # a class of one line, all that SLIP takes from a package out of use

        class ParameterSet(dict):
            __getattr__, __setattr__ = dict.__getitem__, dict.__setitem__

        stand_in = types.ModuleType("NeuroTools.parameters")
        stand_in.ParameterSet = ParameterSet
        sys.modules["NeuroTools"] = types.ModuleType("NeuroTools")
        sys.modules["NeuroTools.parameters"] = stand_in
    if not hasattr(np, "complex"):
        np.complex = complex  # LogGabor of 2017 asks for it
    try:
        package = importlib.import_module("LogGabor")
    except ImportError:
        return None
    settings = {
        "N_X": image.shape[0], "N_Y": image.shape[1], "n_theta": N_ORIENTATIONS,
        "base_levels": FACTOR, "B_sf": 0.4, "B_theta": np.pi / N_ORIENTATIONS,
        "use_cache": True, "verbose": 0, "mask_exponent": 3.0,
    }  # fmt: skip
    pyramid = package.LogGabor(settings)
    return lambda: np.abs(pyramid.linear_pyramid(image)), pyramid.n_levels * N_ORIENTATIONS


# --- the table ------------------------------------------------------------------------------------


def measure(shape, rounds):
    """CPU seconds of all contestants at one size, and the errors of those with our bank."""
    bank, image = make_bank(), make_image(shape)
    gains = bank.gains(shape)
    exact = np.fft.ifft2(np.fft.fft2(image) * gains)
    largest = np.abs(exact).max()
    peers = {
        "numpy, even and odd apart, float64": numpy_even_odd(image, gains),
        "numpy loop, float64": numpy_loop(image, gains, np.float64),
        "numpy loop, float32": numpy_loop(image, gains, np.float32),
        "scipy loop, float32": scipy_loop(image, gains),
        "scipy batch, float32": scipy_batch(image, gains),
        "torch batch, float32": torch_batch(image, gains),
        "OpenCV loop, float32": opencv(image, gains),
        "OpenCV loop, buffers kept": opencv_buffers(image, gains),
        SIX: pyfftw_loop(image, gains, "FFTW_ESTIMATE"),
        SIX_MEASURED: pyfftw_loop(image, gains, "FFTW_MEASURE"),
    }
    errors = {
        name: max(np.abs(z - e).max() for (z, _), e in zip(run(), exact, strict=True)) / largest
        for name, run in peers.items()
    }
    errors[OURS] = np.abs(bank.responses(image, "periodic") - exact).max() / largest
    contestants = {
        OURS: ours(bank, image, "estimate"),
        MEASURED: ours(bank, image, "measure"),
        "ours, all responses returned": lambda: np.abs(bank.responses(image, "periodic")),
        **{name: consume(run) for name, run in peers.items()},
        **phasepack_peers(image),
    }
    filters = {}
    pyramid = loggabor_peer(image)
    if pyramid:
        contestants["LogGabor, float64"], filters["LogGabor, float64"] = pyramid
    seconds = race(contestants, rounds, TURN_S)
    for name, n in filters.items():
        seconds[name] = seconds[name] * gains.shape[0] / n
    return seconds, errors


def table(measured):
    """Markdown: CPU ms and ratios to ours, by size; targets beside them."""
    heads = " | ".join(f"{h}x{w} | ratio" for h, w in measured)
    print(f"| CPU ms of 40 filters | {heads} | target | largest error |")
    print("|---|" + "---|---|" * len(measured) + "---|---|")
    for name in list(measured.values())[0][0]:
        cells, met = [], []
        for seconds, _ in measured.values():
            cells.append(f"{1000 * np.median(seconds[name]):.3g}")
            own = RIVALS.get(name, OURS)
            cells.append("" if name == OURS else quartiles(seconds[name] / seconds[own]))
            met.append(np.median(seconds[name] / seconds[own]))
        wanted = TARGETS.get(name)
        verdict = ""
        if wanted:
            verdict = f"{wanted:g}: " + ("met" if min(met) >= wanted else "missed")
        found = [errors[name] for _, errors in measured.values() if name in errors]
        error = f"{max(found):.1e}" if found else ""
        print(f"| {name} | {' | '.join(cells)} | {verdict} | {error} |")


def quartiles(ratios):
    """Median and quartiles over rounds, as text."""
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    return f"{middle:.2f} ({low:.2f} .. {high:.2f})"


def blocks(rounds):
    """Markdown: CPU ms of 40 filters by the number of filters transformed together."""
    print("| CPU ms of 40 filters | px | 1 | 2 | 4 | 8 | chosen |\n|---|---|---|---|---|---|---|")
    for shape in [(14, 20), (28, 40), (56, 80), (80, 108), (112, 160), (192, 240), (224, 320)]:
        pixels, limit = shape[0] * shape[1], fourier.BLOCK_PIXELS
        chosen, contestants = fourier.block_size(shape, N_ORIENTATIONS), {}
        for size in (1, 2, 4, 8):
            fourier.BLOCK_PIXELS = size * pixels
            loggabor.clear_cache()
            contestants[str(size)] = ours(make_bank(), make_image(shape), "estimate")
        fourier.BLOCK_PIXELS = limit
        loggabor.clear_cache()
        seconds = race(contestants, rounds)
        cells = " | ".join(f"{1000 * np.median(spent):.3g}" for spent in seconds.values())
        print(f"| {shape[0]}x{shape[1]} | {pixels} | {cells} | {chosen} |")


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--blocks", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        if options.blocks:
            blocks(options.rounds)
        else:
            table({shape: measure(shape, options.rounds) for shape in SIZES})
    print("\n" + circumstances(f"{options.rounds} rounds, one thread"))


if __name__ == "__main__":
    main()
