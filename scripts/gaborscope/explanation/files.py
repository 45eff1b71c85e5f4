"""Write cascades to HDF5 groups and read them."""

import json
import os

os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")  # see store.files
import h5py
import numpy as np

from gaborscope.explanation.cascade import Cascade, CascadeLayer, Edge
from gaborscope.stimuli import geometry
from gaborscope.stimuli.layer import Layer
from gaborscope.store.files import put


def write_cascade(group: h5py.Group, cascade: Cascade) -> None:
    """
    Write a cascade.

    Parameters
    ----------
    group : h5py.Group
        Empty.
    cascade : cascade.Cascade
    """
    group.attrs["box"] = json.dumps(geometry.Box(*cascade.box))
    group.attrs["image"] = json.dumps(cascade.image_settings, sort_keys=True)
    group.attrs["edge"] = json.dumps(cascade.edge_settings, sort_keys=True)
    group.attrs["layers"] = json.dumps([fitted.name for fitted in cascade.layers])
    for fitted in cascade.layers:
        part = group.create_group(f"layer/{fitted.name}")
        part.attrs["layer"] = json.dumps(fitted.layer.to_json(), sort_keys=True)
        part.attrs["image"] = fitted.image
        part.attrs["edges"] = json.dumps(
            [
                [edge.parent, edge.kind, edge.ratio, edge.offset, edge.variance]
                for edge in fitted.edges
            ]
        )
        put(part, "weight", fitted.weight, "channel, regressor", "activation", np.float32)
        for key in ("intercept", "residual_sd", "map_sd"):
            put(part, key, getattr(fitted, key), "channel", "activation", np.float32)
        put(part, "regressor_sd", fitted.regressor_sd, "regressor", "regressor", np.float32)
        for edge in fitted.edges:
            if edge.basis is not None:
                axes = "principal channel, channel"
                put(part, f"basis/{edge.parent}", edge.basis, axes, "", np.float32)


def read_cascade(group: h5py.Group) -> Cascade:
    """
    Read a cascade.

    Parameters
    ----------
    group : h5py.Group

    Returns
    -------
    cascade : cascade.Cascade
    """
    layers = []
    for name in json.loads(group.attrs["layers"]):
        part = group["layer"][name]
        edges = []
        for parent, kind, ratio, offset, variance in json.loads(part.attrs["edges"]):
            key = f"basis/{parent}"
            basis = part[key][()] if key in part else None
            edges.append(Edge(parent, kind, tuple(ratio), tuple(offset), basis, variance))
        arrays = {
            key: part[key][()]
            for key in ("weight", "intercept", "residual_sd", "regressor_sd", "map_sd")
        }
        layers.append(
            CascadeLayer(
                name=name,
                layer=Layer.from_json(json.loads(part.attrs["layer"])),
                image=bool(part.attrs["image"]),
                edges=edges,
                **arrays,
            )
        )
    return Cascade(
        box=geometry.Box(*json.loads(group.attrs["box"])),
        image_settings=json.loads(group.attrs["image"]),
        edge_settings=json.loads(group.attrs["edge"]),
        layers=layers,
    )
