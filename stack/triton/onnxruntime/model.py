# ruff: noqa: INP001 - Triton loads this file by its path
"""Triton's `onnxruntime` backend in Python, for where NVIDIA's C++ one cannot be had.

It reads the same `config.pbtxt` and refuses what the C++ backend refuses, so that a model folder that is
served here is served there. One `execute` call is one ONNX Runtime call: the requests that Triton's dynamic
batcher brings together are concatenated along the batch axis and their outputs cut apart again.
"""

import json
import os

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as pb

DATA_TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(string)": "TYPE_STRING",
}
"""ONNX to Triton. The C++ backend takes no others (bfloat16, for one), so neither does this."""

GRAPH_LEVELS = {
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
INITIALIZERS = "session.use_device_allocator_for_initializers"
SHRINKAGE = "memory.enable_memory_arena_shrinkage"


class TritonPythonModel:
    """One instance of one model version. Triton calls `initialize` once, then `execute`."""

    def initialize(self, args):
        """Load the graph and check it against the configuration; what is raised here fails the load."""
        config = json.loads(args["model_config"])
        try:
            self.session = load(args, config)
            check_inputs(config, self.session.get_inputs())
            check_outputs(config, self.session.get_outputs())
            self.run_options = run_options(parameters(config))
        except ValueError as error:
            raise pb.TritonModelException(f"unable to load model '{args['model_name']}': {error}") from None
        self.batching = config["max_batch_size"] > 0
        self.ranks = {one.name: len(one.shape) for one in self.session.get_inputs()}
        self.strings = {one.name for one in self.session.get_inputs() if one.type == "tensor(string)"}
        self.scalar_shapes = {
            one.name: shape(by_name(config["output"])[one.name])
            for one in self.session.get_outputs()
            if not one.shape and one.name in by_name(config["output"])
        }

    def execute(self, requests):
        """Answer every request, in order; one that is wrong does not fail the others."""
        if self.batching and len(requests) > 1:
            try:
                return self.run_together(requests)
            except Exception:  # noqa: BLE001 - whose fault it was shows when each is run alone
                return [self.run_alone(request) for request in requests]
        return [self.run_alone(request) for request in requests]

    def run_alone(self, request):
        """The response to one request."""
        try:
            names = request.requested_output_names()
            outputs = self.session.run(names, self.feed(request), self.run_options)
            return self.response(names, outputs)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this request's answer
            return pb.InferenceResponse(error=pb.TritonError(str(error), pb.TritonError.INVALID_ARG))

    def run_together(self, requests):
        """The responses to several requests, from one ONNX Runtime call over all their rows."""
        feeds = [self.feed(request) for request in requests]
        asked = [request.requested_output_names() for request in requests]
        names = list(dict.fromkeys(name for some in asked for name in some))
        together = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
        outputs = dict(zip(names, self.session.run(names, together, self.run_options), strict=True))
        responses = []
        start = 0
        for feed, some in zip(feeds, asked, strict=True):
            stop = start + len(next(iter(feed.values())))
            responses.append(self.response(some, [outputs[name][start:stop] for name in some]))
            start = stop
        return responses

    def feed(self, request):
        """Input name to array; no copy but for strings, which come as UTF-8 bytes."""
        feed = {}
        for tensor in request.inputs():
            name = tensor.name()
            array = tensor.as_numpy()
            if name in self.strings:
                array = decoded(name, array)
            feed[name] = array if self.ranks[name] else array.reshape(())
        return feed

    def response(self, names, outputs):
        """Outputs, in the order of their names, as Triton's tensors."""
        if self.scalar_shapes:
            outputs = [
                np.reshape(array, self.scalar_shapes.get(name, np.shape(array)))
                for name, array in zip(names, outputs, strict=True)
            ]
        return pb.InferenceResponse([pb.Tensor(*pair) for pair in zip(names, outputs, strict=True)])


def load(args, config):
    """The ONNX Runtime session. Raises ValueError."""
    filename = config.get("default_model_filename") or "model.onnx"
    path = os.path.join(args["model_repository"], args["model_version"], filename)
    if os.path.isdir(path):
        path = os.path.join(path, "model.onnx")
    if not os.path.isfile(path):
        raise ValueError(f"unable to find '{path}'")
    options = session_options(config)
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's exceptions share no base class
        raise ValueError(f"ONNX Runtime cannot read '{path}': {error}") from None


def session_options(config):
    """What the configuration's parameters ask of ONNX Runtime, under the C++ backend's names."""
    given = parameters(config)
    options = ort.SessionOptions()
    level = int(config.get("optimization", {}).get("graph", {}).get("level", 0))
    options.graph_optimization_level = GRAPH_LEVELS.get(level, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    mode = number(given, "execution_mode")
    if mode not in (0, 1):
        raise ValueError(f"parameter 'execution_mode' must be 0 or 1, got {mode}")
    options.execution_mode = (ort.ExecutionMode.ORT_SEQUENTIAL, ort.ExecutionMode.ORT_PARALLEL)[mode]
    options.intra_op_num_threads = max(number(given, "intra_op_thread_count"), 0)
    options.inter_op_num_threads = max(number(given, "inter_op_thread_count"), 0)
    options.enable_cpu_mem_arena = boolean(given, "enable_mem_arena")
    options.enable_mem_pattern = boolean(given, "enable_mem_pattern")
    # A thread that waits by spinning takes the processor from the gateway, which is on the same host here.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if INITIALIZERS in given:
        options.add_session_config_entry(INITIALIZERS, given[INITIALIZERS])
    return options


def run_options(given):
    """What every run is told, or None."""
    if SHRINKAGE not in given:
        return None
    options = ort.RunOptions()
    options.add_run_config_entry(SHRINKAGE, given[SHRINKAGE])
    return options


def parameters(config):
    """The configuration's parameters, name to string."""
    return {name: value.get("string_value", "") for name, value in config.get("parameters", {}).items()}


def number(given, name):
    """A whole number; 0, ONNX Runtime's own choice, where it is not given."""
    try:
        return int(given.get(name, "0"))
    except ValueError:
        raise ValueError(f"parameter '{name}' must be a whole number, got '{given[name]}'") from None


def boolean(given, name):
    """A truth value; true, ONNX Runtime's default, where it is not given."""
    text = given.get(name, "true")
    if text.lower() not in BOOLEANS:
        raise ValueError(f"parameter '{name}' must be true, false, 1 or 0, got '{text}'")
    return BOOLEANS[text.lower()]


def check_inputs(config, graph):
    """Every input of the graph is configured, and the other way round."""
    configured = by_name(config["input"])
    names = {one.name for one in graph}
    if set(configured) != names:
        raise ValueError(f"configured inputs {sorted(configured)}, but the model has {sorted(names)}")
    for one in graph:
        check_tensor("input", configured[one.name], one, config["max_batch_size"])


def check_outputs(config, graph):
    """Every configured output is in the graph; the graph may have more."""
    in_graph = {one.name: one for one in graph}
    for name, configured in by_name(config["output"]).items():
        if name not in in_graph:
            raise ValueError(f"configured output '{name}', but the model has {sorted(in_graph)}")
        check_tensor("output", configured, in_graph[name], config["max_batch_size"])


def check_tensor(direction, configured, one, max_batch_size):
    """Data type and shape agree: a fixed axis must be configured as it is, an output's dynamic one as -1."""
    where = f"{direction} '{one.name}'"
    if one.type not in DATA_TYPES:
        raise ValueError(f"{where} is a {one.type}, which Triton cannot carry")
    if configured["data_type"] != DATA_TYPES[one.type]:
        raise ValueError(f"{where} is configured as {configured['data_type']}, but is {DATA_TYPES[one.type]}")
    dims = [axis if isinstance(axis, int) else -1 for axis in one.shape]
    wanted = ([-1] if max_batch_size > 0 else []) + shape(configured)
    if not dims:
        agree = max_batch_size == 0 and all(axis == 1 for axis in wanted)
    else:
        agree = len(dims) == len(wanted) and all(
            has == asked or (has == -1 and direction == "input")
            for has, asked in zip(dims, wanted, strict=True)
        )
    if not agree:
        batch = "batch axis included" if max_batch_size > 0 else "no batching"
        raise ValueError(f"{where} is configured with shape {wanted} ({batch}), but has {dims}")


def shape(configured):
    """The shape that the model sees: the reshaped one, if there is a reshape."""
    source = configured["reshape"]["shape"] if "reshape" in configured else configured["dims"]
    return [int(axis) for axis in source]


def by_name(tensors):
    """Configured tensors by name."""
    return {one["name"]: one for one in tensors}


def decoded(name, array):
    """BYTES as the text that ONNX Runtime's strings are."""
    try:
        text = [item.decode() for item in array.ravel()]
    except UnicodeDecodeError as error:
        raise ValueError(f"input '{name}': not UTF-8: {error}") from None
    result = np.empty(len(text), dtype=np.object_)
    result[:] = text
    return result.reshape(array.shape)
