"""
Read tensors from files that TensorFlow wrote, without TensorFlow.

Frozen graphs and SavedModels are Protocol Buffers; their tensors are constants of the graph and of
its functions. A checkpoint is an index (a sorted table in LevelDB's format) with shards of raw
bytes. Formats: tensorflow/core/framework/{graph,node_def,tensor}.proto,
core/protobuf/{saved_model,tensor_bundle,trackable_object_graph}.proto.
"""

import math
import struct
from pathlib import Path

import numpy as np

from gaborscope.errors import InputError, reading

TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}  # data types of types.proto
LARGEST = 1 << 30  # bytes of all tensors of a file, which may state a long one in few bytes
LONGEST_KEY = 1 << 12  # bytes
TABLE_MAGIC = 0xDB4775248B80FB57
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
# fields of TensorProto that hold a list of numbers, with their dtypes
NUMBERS = {5: "<f4", 6: "<f8"}
# PASSING: operations that hand a weight on. TAKING: operations whose second input is a weight.
PASSING = {"Identity", "ReadVariableOp", "Cast"}
TAKING = {"Conv2D": "kernel", "BiasAdd": "bias"}


def read_tensors(path: str | Path) -> dict[str, np.ndarray]:
    """
    Floating-point tensors of a frozen graph, a SavedModel or a checkpoint, by name.

    Parameters
    ----------
    path : str or Path
        A `.pb` file; the folder of a SavedModel; the index of a checkpoint, one of its shards or
        their common prefix; or a folder that holds one of these.

    Returns
    -------
    tensors : dict of str to array
        By name of the constant or variable, without ":0". In a graph equal constants may have been
        merged into one. The weight of a `Conv2D` or `BiasAdd` is therefore also given by the path
        of the operation, with `kernel` or `bias` as its last part.

    Raises
    ------
    InputError
        If the file is of another kind, cut short or damaged.
    """
    path = _find(Path(path))
    with reading(f"{path} is no complete file of TensorFlow", "download it again"):
        if path.suffix == ".index":
            return _read_checkpoint(path)
        tensors = _read_graphs(path)
        index = path.parent / "variables" / "variables.index"
        if path.name == "saved_model.pb" and index.exists():
            tensors |= _read_checkpoint(index)
    if not tensors:
        raise InputError(f"{path} holds no tensors; give the file that holds its variables")
    return tensors


def _find(path):
    """Return the file that is read first: an index or a `.pb` file."""
    if path.is_dir():
        for pattern in ("saved_model.pb", "*.pb", "*.index", "*/*.index"):
            paths = sorted(path.glob(pattern))
            if len(paths) > 1:
                raise InputError(f"{path} holds {len(paths)} files {pattern}; name the one to read")
            if paths:
                return paths[0]
        raise InputError(f"{path} holds no frozen graph, SavedModel or checkpoint of TensorFlow")
    stem = path.name.partition(".data-")[0].removesuffix(".index")
    index = path.with_name(f"{stem}.index")
    if index.exists():
        return index
    if not path.exists():
        raise InputError(f"there is no file {path}, and no checkpoint {index}")
    return path


# --- Protocol Buffers -----------------------------------------------------------------------------


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _fields(data):
    """Yield the number and the value (int or memoryview) of each field of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind in (1, 2, 5):
            length = {1: 8, 5: 4}.get(kind)
            if length is None:
                length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError(f"a field of {length} bytes is cut short")
            value, at = data[at : at + length], at + length
        else:
            raise ValueError(f"a field has the unknown type {kind}")
        yield number, value


def _all(data, number):
    return [value for field, value in _fields(data) if field == number]


def _first(data, number, default=b""):
    return next((value for field, value in _fields(data) if field == number), default)


def _text(data, number):
    return bytes(_first(data, number)).decode("utf-8")


def _shape(data):
    shape = tuple(int(_first(dimension, 1, 0)) for dimension in _all(data, 2))
    if math.prod(shape) > LARGEST:  # also of a negative number, which is a large one here
        raise ValueError(f"a tensor has the shape {shape}")
    return shape


def _tensor(data):
    """Array of a TensorProto; None for a data type that is not read."""
    kind = _first(data, 1, 0)
    if kind not in TYPES:
        return None
    shape = _shape(_first(data, 2))
    content = _first(data, 4, None)
    if content is not None:
        return np.frombuffer(content, TYPES[kind]).reshape(shape).copy()
    for number, stored in NUMBERS.items():
        parts = [bytes(value) for value in _all(data, number)]
        if parts and stored == TYPES[kind]:
            values = np.frombuffer(b"".join(parts), stored)
            # a list may be shorter than the tensor: its last number is then repeated
            n = math.prod(shape)
            return np.concatenate([values, np.repeat(values[-1:], n - len(values))]).reshape(shape)
    return None


# --- graphs ---------------------------------------------------------------------------------------


def _read_graphs(path):
    """Constants of a frozen graph, or of the graphs and functions of a SavedModel."""
    data = memoryview(path.read_bytes())
    if not len(data):
        raise ValueError("it is empty")
    # byte 0x08: a SavedModel begins with its version number, a graph with a node
    graphs = [data]
    if data[0] == 0x08:
        graphs = [_first(meta, 2) for meta in _all(data, 2)]
    parts = list(graphs)
    nodes_at = [1] * len(graphs)
    for graph in graphs:
        functions = [f for library in _all(graph, 2) for f in _all(library, 1)]
        parts += functions
        nodes_at += [3] * len(functions)
    tensors = {}
    for part, number in zip(parts, nodes_at, strict=True):
        for name, value in _constants(_all(part, number)).items():
            tensors.setdefault(name, value)
    return tensors


def _constants(nodes):
    """Constants of one graph, and the weights of its convolutions by operation."""
    operations, constants, n_bytes = {}, {}, 0
    for node in nodes:
        name, operation = _text(node, 1), _text(node, 2)
        inputs = [bytes(value).decode().lstrip("^").partition(":")[0] for value in _all(node, 3)]
        operations[name] = (operation, inputs)
        if operation == "Const":
            attributes = {_text(entry, 1): _first(entry, 2) for entry in _all(node, 5)}
            value = _tensor(_first(attributes["value"], 8))
            if value is not None and value.dtype.kind == "f":
                constants[name] = value
                n_bytes += value.nbytes
                if n_bytes > LARGEST:
                    raise ValueError("its tensors are too large")

    def source(name):
        passed = set()
        while name not in passed:  # else it goes round in a circle
            passed.add(name)
            operation, inputs = operations.get(name, ("", []))
            if operation in PASSING and inputs:
                name = inputs[0]
        return name

    taken = {}
    for name, (operation, inputs) in operations.items():
        if operation in TAKING and len(inputs) > 1 and source(inputs[1]) in constants:
            taken[f"{name.rpartition('/')[0]}/{TAKING[operation]}"] = constants[source(inputs[1])]
    return constants | taken


# --- checkpoints ----------------------------------------------------------------------------------


def _read_checkpoint(index):
    """Tensors of a checkpoint, by the names of their variables if it stores the names."""
    entries = dict(_table(memoryview(index.read_bytes())))
    header = entries.pop("")
    n_shards = _first(header, 1, 0)
    if _first(header, 2, 0):
        raise ValueError("it was written on a big-endian machine")
    prefix = index.with_suffix("")
    tensors, names, n_bytes = {}, {}, 0
    for key, entry in entries.items():
        kind = _first(entry, 1, 0)
        if kind not in TYPES and key != OBJECT_GRAPH:
            continue
        shard = Path(f"{prefix}.data-{_first(entry, 3, 0):05d}-of-{n_shards:05d}")
        offset, size = _first(entry, 4, 0), _first(entry, 5, 0)
        n_bytes += size
        if n_bytes > 2 * LARGEST:  # entries may name the same bytes again and again
            raise ValueError("its tensors are too large")
        raw = _read_shard(shard, offset, size, key)
        if key == OBJECT_GRAPH:
            names = _object_names(raw)
        else:
            value = np.frombuffer(raw, TYPES[kind]).reshape(_shape(_first(entry, 2)))
            if value.dtype.kind == "f":
                tensors[key] = value.copy()
    return {names.get(key, key): value for key, value in tensors.items()}


def _read_shard(path, offset, size, key):
    if not path.exists():
        raise InputError(f"the checkpoint's file {path} is missing; put it beside the index")
    if offset + size > path.stat().st_size:
        raise InputError(f"{path} ends within the tensor {key}; download it again")
    with open(path, "rb") as handle:
        handle.seek(offset)
        return handle.read(size)


def _object_names(raw):
    """Names of variables by their keys in an object-based checkpoint."""
    length, at = _varint(raw, 0)
    graph = memoryview(raw)[at + 4 : at + 4 + length]  # skip 4 bytes of checksum
    attributes = [a for node in _all(graph, 1) for a in _all(node, 2)]
    return {_text(a, 3): _text(a, 2) for a in attributes if len(_first(a, 2))}


def _table(data):
    """Yield keys and values of a sorted table."""
    if len(data) < 48 or struct.unpack("<Q", data[-8:])[0] != TABLE_MAGIC:
        raise ValueError("it does not end as an index")
    at = 0
    for _ in range(2):  # skip offset and length of the metadata index
        _, at = _varint(data[-48:], at)
    handle, seen = data[-48:][at:], set()
    for _, value in _block(data, handle):
        offset, _ = _varint(value, 0)
        if offset in seen:  # else a short file could name one block a million times
            raise ValueError("its index names a block twice")
        seen.add(offset)
        for key, entry in _block(data, value):
            yield key.decode("utf-8"), entry


def _block(data, handle):
    """Yield keys and values of one block; each key is stored as its difference to the last."""
    offset, at = _varint(handle, 0)
    size, _ = _varint(handle, at)
    block, compression = data[offset : offset + size], data[offset + size]
    if compression:
        raise ValueError("its index is compressed")
    (n_restarts,) = struct.unpack("<I", block[-4:])
    block, at, key = block[: len(block) - 4 - 4 * n_restarts], 0, b""
    while at < len(block):
        shared, at = _varint(block, at)
        n_new, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + bytes(block[at : at + n_new])
        if len(key) > LONGEST_KEY or at + n_new + length > len(block):
            raise ValueError("its index is damaged")
        yield key, block[at + n_new : at + n_new + length]
        at += n_new + length
