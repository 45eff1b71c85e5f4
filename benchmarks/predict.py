"""
Time ExplainedModel.predict against a forward pass of the network that it explains.

    python benchmarks/predict.py [--rounds N]

One image of 800x600 px, one thread each, CPU time, in turn. UNISAL and MSI-Net at the input that
their published weights want, with the layers, the bank and the options of config.yaml; weights are
random, which costs the same. The network's time is that of the forward pass alone, in the faster of
its two memory layouts: no reading, resizing or density. predict starts from the image of 800x600 px
and ends with its density. Prints Markdown for benchmarks/README.md.
"""

import argparse
import sys

import cv2
import numpy as np
import torch
from threadpoolctl import threadpool_limits
from timing import ROOT, circumstances, race, ratio

sys.path.insert(0, str(ROOT / "scripts"))

from gaborscope.backbones import recording  # noqa: E402
from gaborscope.backbones.backbone import build  # noqa: E402
from gaborscope.explanation.layers import FittedLayer, make_regressors  # noqa: E402
from gaborscope.explanation.model import ExplainedModel  # noqa: E402
from gaborscope.stimuli import geometry  # noqa: E402
from gaborscope.stimuli.layer import Layer  # noqa: E402
from gaborscope.workflow.settings import load as load_config  # noqa: E402

INPUTS = {"cmrnet": (144, 192), "unisal": (288, 384), "msinet": (240, 320)}
SIZE = (600, 800)
POOLS = {"point": {"kind": "point", "width": 1.0}, "gaussian": {"kind": "gaussian", "width": 2.0}}


def describe_layers(network, table, size, finest_stride):
    """Return layers as measure_layers describes them, cells tiling the input."""
    modules = recording.find_modules(network, table)
    with torch.no_grad(), recording.recorder(network, table) as record:
        network(torch.zeros((1, 3, *size)))
    layers = {}
    for name, maps in record.items():
        channels, *shape = maps.shape[1:]
        strides = [extent / n for extent, n in zip(size, shape, strict=True)]
        pool = max(1, round(finest_stride / strides[0]))
        stride = tuple(s * pool for s in strides)
        layers[name] = Layer(
            module=table[name],
            nonlinearity=modules[name][1],
            channels=channels,
            shape={geometry.size_name(size): geometry.pooled_shape(shape, pool)},
            pool=pool,
            stride=stride,
            offset_px=tuple((s - 1) / 2 for s in stride),
            offset_spread_px=stride,
            receptive_field_px=stride,
        )
    return layers


def make_model(layers, size, explanation, pool):
    """Return an explained model of these layers with random weights."""
    rng = np.random.default_rng(1)
    settings = {**explanation, "pool": POOLS[pool]}
    n = len(make_regressors(settings).table()["kind"])
    fitted = [
        FittedLayer(
            name=name,
            layer=layer,
            settings=settings,
            weight=rng.normal(0, 0.05, (layer.channels, n)).astype(np.float32),
            intercept=rng.normal(0, 0.1, layer.channels).astype(np.float32),
            residual_sd=rng.uniform(0.1, 1, layer.channels).astype(np.float32),
        )
        for name, layer in layers.items()
    ]
    channels = sum(layer.channels for layer in layers.values())
    return ExplainedModel(
        box=size,
        layers=fitted,
        settings={key: explanation["fusion"][key] for key in ("stride", "smoothing")},
        weight=rng.normal(0, 0.01, channels + 1),
        centre_bias=np.full((24, 32), 1 / 768),
        uniform_weight=0.001,
    )


def contestants(name, config):
    """Return the calls of one network."""
    size, entry = INPUTS[name], config["backbones"][name]
    network = build(name, **entry["options"])
    layers = describe_layers(network, entry["layers"], size, config["activations"]["finest_stride"])
    x = torch.rand((1, 3, *size))
    last = build(name, **entry["options"]).to(memory_format=torch.channels_last)
    x_last = x.contiguous(memory_format=torch.channels_last)
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    calls = {"forward": lambda: network(x), "forward, channels last": lambda: last(x_last)}
    for pool in POOLS:
        model = make_model(layers, size, config["explanations"]["direct"], pool)
        calls[f"predict, {pool}"] = lambda model=model: model.predict(image)
    return calls, len(layers)


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    config = load_config()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print("| network | input | layers | forward, ms | pooling | predict, ms | forward / predict |")
    print("|---|---|---|---|---|---|---|")
    with threadpool_limits(1), torch.no_grad():
        for name, size in INPUTS.items():
            calls, n = contestants(name, config)
            seconds = race(calls, options.rounds)
            forward = min(
                ("forward", "forward, channels last"), key=lambda k: np.median(seconds[k])
            )
            for pool in POOLS:
                own = f"predict, {pool}"
                print(
                    f"| {name} | {size[0]}x{size[1]} | {n} | "
                    f"{1000 * np.median(seconds[forward]):.0f} ({forward}) | {pool} | "
                    f"{1000 * np.median(seconds[own]):.0f} | {ratio(seconds, forward, own)} |"
                )
    torch_version = f"torch {torch.__version__}"
    print("\n" + circumstances(torch_version, f"{options.rounds} rounds, one thread"))


if __name__ == "__main__":
    main()
