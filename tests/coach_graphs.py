"""A writer of frozen graphs as RL Coach makes them, that knows protobuf's wire format and no library.

The operations and names are those of a real checkpoint's graph (simapp of 2023): gradients rescaled before the head,
batch normalisation and dropout behind conditions that ask whether there is a training.
"""

import struct

import numpy as np

ROOT = "main_level/agent/main/online"
FLOAT, INT32, BOOL = 1, 3, 10
SCHEMES = {  # filters; dense layers of the embedder; of the middleware; activation; normalised
    "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW": (((32, 8, 4), (64, 4, 2), (64, 3, 1)), (), (512,), "Relu", False),
    "DEEP_CONVOLUTIONAL_NETWORK": (((32, 5, 2), (32, 3, 1), (64, 3, 2), (64, 3, 1)), (64,), (512,), "Tanh", False),
    "DEEP_CONVOLUTIONAL_NETWORK_DEEP": (
        ((32, 8, 4), (32, 4, 2), (64, 4, 2), (64, 3, 1)), (512, 512), (256, 128), "Relu", True,
    ),
}  # fmt: skip


def varint(value):
    value, out = value % 2**64, b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def whole(number, value):
    return varint(number << 3) + varint(value)


def text(number, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def shape_of(sizes):
    return b"".join(text(2, whole(1, size)) for size in sizes)


def kind(value):
    return whole(6, value)


def flag(value):
    return whole(5, int(value))


def numbers(*values):
    return text(1, text(3, b"".join(map(varint, values))))


def node(op, name, *inputs, **attributes):
    body = text(1, name) + text(2, op) + b"".join(text(3, one) for one in inputs)
    for key, value in attributes.items():
        body += text(5, text(1, key) + text(2, value))
    return text(1, body)


def constant(name, values, short=False):
    values = np.asarray(values)
    code, form = {"f": (FLOAT, "<f4"), "i": (INT32, "<i4"), "b": (BOOL, "?")}[values.dtype.kind]
    tensor = whole(1, code) + text(2, shape_of(values.shape))
    if values.dtype.kind == "f" and (short or not values.ndim):
        tensor += text(5, values.astype("<f4").tobytes())
    else:
        tensor += text(4, values.astype(form).tobytes())
    return node("Const", name, dtype=kind(code), value=text(8, tensor))


class Writer:
    """A graph in the making, and what it calculates in 64 bits."""

    def __init__(self, camera="FRONT_FACING_CAMERA", shape=(120, 160, 1), seed=0):
        self.rng, self.shape, self.camera = np.random.default_rng(seed), shape, camera
        self.at = f"{ROOT}/network_0/{camera}/{camera}"
        self.parts = [node("Placeholder", self.at, dtype=kind(FLOAT), shape=text(7, shape_of((-1, *shape))))]
        self.steps = []
        self.training = f"{ROOT}/is_training"
        self.parts.append(constant(self.training, False))

    def add(self, op, name, *inputs, **attributes):
        self.parts.append(node(op, name, *(inputs or (self.at,)), **attributes))
        self.at = name
        return name

    def variable(self, name, values):
        self.parts.append(constant(name, np.asarray(values, dtype=np.float32)))
        self.parts.append(node("Identity", f"{name}/read", name, T=kind(FLOAT)))
        return f"{name}/read"

    def scaled(self):
        where = f"{ROOT}/network_1/{self.camera}"
        for op, name, value in (("RealDiv", "truediv", 255.0), ("Sub", "sub", 0.0)):
            self.parts.append(constant(f"{where}/{name}/y", np.float32(value)))
            self.add(op, f"{where}/{name}", self.at, f"{where}/{name}/y", T=kind(FLOAT))
        self.steps.append(lambda x: x / 255.0)

    def convolution(self, name, given, made, size, step, spread=1.0):
        weight = self.rng.normal(0.0, spread * (2.0 / (size * size * given)) ** 0.5, (size, size, given, made))
        bias = self.rng.normal(0.0, 0.1, made)
        weight, bias = weight.astype(np.float32), bias.astype(np.float32)
        kernel = self.variable(f"{name}/kernel", weight)
        how = {"padding": text(2, "VALID"), "data_format": text(2, "NHWC"), "strides": numbers(1, step, step, 1)}
        self.add("Conv2D", f"{name}/Conv2D", self.at, kernel, T=kind(FLOAT), dilations=numbers(1, 1, 1, 1), **how)
        self.add("BiasAdd", f"{name}/BiasAdd", self.at, self.variable(f"{name}/bias", bias), T=kind(FLOAT))
        self.steps.append(lambda x: convolved(x, weight.astype(np.float64), step) + bias)

    def normalised(self, name):
        """What a training calculates, and what drives; a condition chooses."""
        x, before = self.at, self.training
        count = self.channels
        arrays = {"gamma": self.rng.uniform(0.5, 1.5, count), "beta": self.rng.normal(0.0, 0.2, count)}
        arrays |= {"mean": self.rng.normal(0.0, 0.3, count), "variance": self.rng.uniform(0.3, 2.0, count)}
        arrays = {key: value.astype(np.float32) for key, value in arrays.items()}
        reads = [self.variable(f"{name}/{key}", value) for key, value in arrays.items()]
        for side, port in (("FusedBatchNorm", ":1"), ("FusedBatchNorm_1", "")):
            inputs = []
            for k, one in enumerate((x, *reads)):
                switch = f"{name}/cond/{side}/Switch_{k}"
                self.parts.append(node("Switch", switch, one, before, T=kind(FLOAT)))
                inputs.append(switch + port)
            train = {"is_training": flag(side == "FusedBatchNorm"), "epsilon": b"\x25" + struct.pack("<f", 1e-3)}
            self.parts.append(node("FusedBatchNorm", f"{name}/cond/{side}", *inputs, T=kind(FLOAT), **train))
        self.add(
            "Merge",
            f"{name}/cond/Merge",
            f"{name}/cond/FusedBatchNorm_1",
            f"{name}/cond/FusedBatchNorm",
            T=kind(FLOAT),
            N=whole(3, 2),
        )
        gamma, beta, mean, variance = (arrays[key].astype(np.float64) for key in ("gamma", "beta", "mean", "variance"))
        self.steps.append(lambda x: (x - mean) / np.sqrt(variance + np.float32(1e-3)) * gamma + beta)

    def activated(self, name, op):
        self.add(op, name, T=kind(FLOAT))
        self.steps.append({"Relu": lambda x: np.maximum(x, 0.0), "Tanh": np.tanh}[op])

    def dropped(self, name):
        x = self.at
        self.parts.append(node("Switch", f"{name}/cond/dropout/Switch", x, self.training, T=kind(FLOAT)))
        self.parts.append(
            node("Mul", f"{name}/cond/dropout/mul", f"{name}/cond/dropout/Switch:1", f"{name}/keep", T=kind(FLOAT))
        )
        self.parts.append(constant(f"{name}/keep", np.float32(2.0)))
        self.parts.append(node("Switch", f"{name}/cond/Identity/Switch", x, self.training, T=kind(FLOAT)))
        self.parts.append(node("Identity", f"{name}/cond/Identity", f"{name}/cond/Identity/Switch", T=kind(FLOAT)))
        self.add(
            "Merge",
            f"{name}/cond/Merge",
            f"{name}/cond/dropout/mul",
            f"{name}/cond/Identity",
            T=kind(FLOAT),
            N=whole(3, 2),
        )

    def first(self, name, x, code):
        """`x[0]`."""
        ends = [f"{name}/stack", f"{name}/stack_1", f"{name}/stack_2"]
        for end, value in zip(ends, (0, 1, 1), strict=True):
            self.parts.append(constant(end, np.array([value])))
        self.parts.append(
            node("StridedSlice", name, x, *ends, T=kind(code), Index=kind(INT32), shrink_axis_mask=whole(3, 1))
        )
        return name

    def flattened(self):
        where = f"{ROOT}/network_1/{self.camera}/Flatten/flatten"
        self.parts.append(node("Shape", f"{where}/Shape", self.at, T=kind(FLOAT), out_type=kind(INT32)))
        count = self.first(f"{where}/strided_slice", f"{where}/Shape", INT32)
        self.parts.append(constant(f"{where}/Reshape/shape/1", np.array(-1)))
        self.parts.append(
            node("Pack", f"{where}/Reshape/shape", count, f"{where}/Reshape/shape/1", T=kind(INT32), N=whole(3, 2))
        )
        shape = f"{where}/Reshape/shape"
        self.add("Reshape", f"{where}/Reshape", self.at, shape, T=kind(FLOAT), Tshape=kind(INT32))
        self.steps.append(lambda x: x.reshape(len(x), -1))

    def dense(self, name, given, made):
        weight = self.rng.normal(0.0, (2.0 / given) ** 0.5, (given, made)).astype(np.float32)
        bias = self.rng.normal(0.0, 0.1, made).astype(np.float32)
        kernel = self.variable(f"{name}/kernel", weight)
        self.add("MatMul", f"{name}/MatMul", self.at, kernel, T=kind(FLOAT), transpose_a=flag(False))
        self.add("BiasAdd", f"{name}/BiasAdd", self.at, self.variable(f"{name}/bias", bias), T=kind(FLOAT))
        self.steps.append(lambda x: x @ weight.astype(np.float64) + bias)

    def rescaled(self):
        """(1 - r) x, without gradient, plus r x, in a list of one."""
        where, x = f"{ROOT}/network_1", self.at
        rescaler = self.variable(f"{where}/gradients_from_head_0-0_rescalers", np.float32(0.7))
        self.parts.append(constant(f"{where}/sub/x", np.float32(1.0)))
        self.parts.append(node("Sub", f"{where}/sub", f"{where}/sub/x", rescaler, T=kind(FLOAT)))
        for name, one in ((f"{where}/StopGradient/input", x), (f"{where}/mul_1/y", x)):
            self.parts.append(node("Pack", name, one, T=kind(FLOAT), N=whole(3, 1)))
        stopped = f"{where}/StopGradient"
        self.parts.append(node("StopGradient", stopped, f"{stopped}/input", T=kind(FLOAT)))
        self.parts.append(node("Mul", f"{where}/mul", f"{where}/sub", stopped, T=kind(FLOAT)))
        self.parts.append(node("Mul", f"{where}/mul_1", rescaler, f"{where}/mul_1/y", T=kind(FLOAT)))
        self.add("Add", f"{where}/add", f"{where}/mul", f"{where}/mul_1", T=kind(FLOAT))
        self.at = self.first(f"{where}/ppo_head_0/strided_slice", self.at, FLOAT)

    def head(self, choices):
        where = f"{ROOT}/network_1/ppo_head_0"
        self.dense(f"{where}/policy_{'fc' if choices else 'mean'}", self.width, choices or 2)
        self.add("Softmax" if choices else "Identity", f"{where}/policy", T=kind(FLOAT))

    def as_bytes(self):
        return b"".join(self.parts) + text(4, whole(1, 27))

    def calculate(self, seen):
        """The numbers before a softmax."""
        x = seen.astype(np.float64)
        for step in self.steps:
            x = step(x)
        return x


def coach_graph(
    network="DEEP_CONVOLUTIONAL_NETWORK_SHALLOW", choices=5, camera="FRONT_FACING_CAMERA", seed=0, channels=1
):
    """A graph of one of the three networks, with random weights."""
    filters, embedder, middleware, activation, normalised = SCHEMES[network]
    made = Writer(camera, (120, 160, channels), seed)
    made.scaled()
    where, rows, columns, k = f"{ROOT}/network_1/{camera}", 120, 160, 0
    for count, size, step in filters:
        made.convolution(f"{where}/Conv2d_{k}", channels, count, size, step)
        made.channels = channels = count
        rows, columns, k = (rows - size) // step + 1, (columns - size) // step + 1, k + 2
        if normalised:
            made.normalised(f"{where}/BatchnormActivationDropout_{k - 1}_batchnorm")
        made.activated(f"{where}/BatchnormActivationDropout_{k - 1}_activation", activation)
    made.flattened()
    width = rows * columns * channels
    for place, dense, how in (
        (where, embedder, activation),
        (f"{ROOT}/network_1/middleware_fc_embedder", middleware, "Relu"),
    ):
        for count in dense:
            made.dense(f"{place}/Dense_{k}", width, count)
            made.activated(f"{place}/BatchnormActivationDropout_{k}_activation", how)
            if normalised:
                made.dropped(f"{place}/BatchnormActivationDropout_{k}_dropout")
            width, k = count, k + 1
    made.width = width
    made.rescaled()
    made.head(choices)
    return made


def convolved(image, weight, step):
    high, wide, _, _ = weight.shape
    windows = np.lib.stride_tricks.sliding_window_view(image, (high, wide), (1, 2))[:, ::step, ::step]
    return np.einsum("nrcjhw,hwjf->nrcf", windows, weight, optimize=True)
