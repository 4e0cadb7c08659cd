"""A reader of frozen TensorFlow graphs that knows protobuf's wire format and no library, and what they calculate.

Field numbers are those of `graph.proto`, `node_def.proto`, `attr_value.proto`, `tensor.proto`, `tensor_shape.proto` and
`versions.proto` in TensorFlow's sources.
"""

import struct
from dataclasses import dataclass, field

import numpy as np

DTYPES = {1: "<f4", 3: "<i4"}  # DT_FLOAT, DT_INT32


@dataclass
class Node:
    name: str
    op: str
    inputs: list[str]
    attributes: dict[str, object] = field(default_factory=dict)


def fields(data):
    """Every (field number, value) of a message: whole numbers, four or eight bytes, or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        match key & 7:
            case 0:
                yield key >> 3, varint()
            case 2:
                size = varint()
                yield key >> 3, data[at : at + size]
                at += size
            case 5:
                yield key >> 3, data[at : at + 4]
                at += 4
            case 1:
                yield key >> 3, data[at : at + 8]
                at += 8
            case kind:
                raise ValueError(f"wire type {kind}")


def signed(value):
    return value - 2**64 if value >= 2**63 else value


def shape_of(data):
    sizes = []
    for number, value in fields(data):
        assert number == 2  # dim
        sizes.append(next((signed(size) for key, size in fields(value) if key == 1), 0))
    return tuple(sizes)


def tensor_of(data):
    found = dict(fields(data))
    kind, shape = DTYPES[found[1]], shape_of(found.get(2, b""))
    if 4 in found:  # tensor_content
        return np.frombuffer(found[4], kind).reshape(shape)
    assert not shape and kind == "<f4"
    return np.float32(struct.unpack("<f", found[5][:4])[0])  # float_val


def numbers_of(data):
    at, found = 0, []
    while at < len(data):
        value = shift = 0
        while True:
            byte = data[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        found.append(signed(value))
    return found


def attribute_of(data):
    ((number, value),) = fields(data)
    match number:
        case 1:  # list(i)
            return [n for key, packed in fields(value) for n in numbers_of(packed) if key == 3]
        case 2:
            return value.decode()
        case 5:
            return bool(value)
        case 6:
            return DTYPES[value]
        case 7:
            return shape_of(value)
        case 8:
            return tensor_of(value)
    raise ValueError(f"attribute of the kind {number}")


def node_of(data):
    node = Node("", "", [])
    for number, value in fields(data):
        match number:
            case 1:
                node.name = value.decode()
            case 2:
                node.op = value.decode()
            case 3:
                node.inputs.append(value.decode())
            case 5:
                entry = dict(fields(value))
                node.attributes[entry[1].decode()] = attribute_of(entry[2])
            case _:
                raise ValueError(f"field {number} of a node")
    return node


def read_graph(data):
    """The nodes of a graph, and the version of its maker."""
    nodes, producer = [], None
    for number, value in fields(data):
        if number == 1:
            nodes.append(node_of(value))
        elif number == 4:
            producer = dict(fields(value))[1]
        else:
            raise ValueError(f"field {number} of a graph")
    return nodes, producer


def calculate(nodes, feed):
    """What the last node gives, in 64 bits, with each operation as TensorFlow's documentation defines it."""
    known = {}
    for node in nodes:
        given = [known[name] for name in node.inputs]
        get = node.attributes
        match node.op:
            case "Placeholder":
                value = np.asarray(feed, dtype=np.float64)
                assert value.shape[1:] == get["shape"][1:]
            case "Const":
                value = get["value"]
            case "Slice":
                begin, size = given[1], given[2]
                value = given[0][tuple(slice(b, None if n < 0 else b + n) for b, n in zip(begin, size, strict=True))]
            case "Pad":
                value = np.pad(given[0], given[1])
            case "Sub":
                value = given[0] - given[1]
            case "AddV2":
                value = given[0] + given[1]
            case "Mul":
                value = given[0] * given[1]
            case "Sqrt":
                value = np.sqrt(given[0])
            case "Mean":
                value = given[0].mean(tuple(given[1]), keepdims=get["keep_dims"])
            case "RealDiv":
                value = given[0] / given[1]
            case "AvgPool":
                assert get["ksize"] == get["strides"] and get["padding"] == "VALID"
                _, high, wide, _ = get["ksize"]
                n, rows, columns, channels = given[0].shape
                value = given[0][:, : rows // high * high, : columns // wide * wide]
                value = value.reshape(n, rows // high, high, columns // wide, wide, channels).mean((2, 4))
            case "Conv2D":
                value = convolved(given[0], given[1].astype(np.float64), *get["strides"][1:3])
                assert get["padding"] == "VALID" and get["data_format"] == "NHWC" and get["dilations"] == [1] * 4
            case "BiasAdd":
                value = given[0] + given[1]
            case "MatMul":
                assert not get["transpose_a"] and not get["transpose_b"]
                value = given[0] @ given[1].astype(np.float64)
            case "Reshape":
                value = given[0].reshape(given[1])
            case "Relu":
                value = np.maximum(given[0], 0.0)
            case "Tanh":
                value = np.tanh(given[0])
            case "Softmax":
                grown = np.exp(given[0] - given[0].max(-1, keepdims=True))
                value = grown / grown.sum(-1, keepdims=True)
            case op:
                raise ValueError(f"no operation that both converters take: {op}")
        known[node.name] = value
    return value


def convolved(image, weight, down, across):
    high, wide, _, filters = weight.shape
    rows, columns = (image.shape[1] - high) // down + 1, (image.shape[2] - wide) // across + 1
    made = np.zeros((len(image), rows, columns, filters))
    for i in range(rows):
        for k in range(columns):
            seen = image[:, i * down : i * down + high, k * across : k * across + wide]
            made[:, i, k] = np.tensordot(seen, weight, 3)
    return made
