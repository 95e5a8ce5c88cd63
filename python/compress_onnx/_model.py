"""Models and recipes."""

import ctypes
import json

import numpy

from ._library import Contents, GateFailed, call, context, encode, library, take_record

# ONNX's numbers of element types (TensorProto.DataType) that NumPy has as well.
_TYPES = {
    1: numpy.float32, 2: numpy.uint8, 3: numpy.int8, 4: numpy.uint16, 5: numpy.int16, 6: numpy.int32, 7: numpy.int64,
    9: numpy.bool_, 10: numpy.float16, 11: numpy.float64, 12: numpy.uint32, 13: numpy.uint64, 14: numpy.complex64,
    15: numpy.complex128,
}
_NUMBERS = {numpy.dtype(kind): number for number, kind in _TYPES.items()}


def _tensor_from(array):
    array = numpy.ascontiguousarray(array)
    if array.dtype not in _NUMBERS:
        raise TypeError(f"an array of {array.dtype} is no ONNX tensor")
    dims = (ctypes.c_int64 * max(array.ndim, 1))(*array.shape)
    contents = Contents(_NUMBERS[array.dtype], array.ndim, dims, array.ctypes.data, array.nbytes)
    tensor = ctypes.c_void_p()
    call("mc_tensor_from", ctypes.byref(tensor), ctypes.byref(contents))
    return tensor


def _array_of(tensor):
    contents = Contents()
    library.mc_tensor_read(tensor, ctypes.byref(contents))
    if contents.type not in _TYPES:
        raise TypeError(f"an output is of ONNX's element type {contents.type}, which NumPy lacks")
    shape = tuple(contents.dims[i] for i in range(contents.rank))
    data = ctypes.string_at(contents.data, contents.bytes) if contents.bytes else b""
    return numpy.frombuffer(data, _TYPES[contents.type]).reshape(shape).copy()


class Model:
    """An ONNX model, or its packed container, from a file."""

    def __init__(self, path, dims=None):
        self._handle = ctypes.c_void_p()
        call("mc_model_load", ctypes.byref(self._handle), encode(path))
        if dims:
            call("mc_model_settle", self._handle, ",".join(f"{k}={v}" for k, v in dims.items()).encode())

    def __del__(self):
        if getattr(self, "_handle", None):
            library.mc_model_destroy(self._handle)
            self._handle = None

    @property
    def inputs(self):
        """Names of the inputs that run takes, in order."""
        return [library.mc_model_input_name(self._handle, i).decode() for i in range(library.mc_model_n_inputs(self._handle))]

    @property
    def outputs(self):
        """Names of the outputs that run gives, in order."""
        return [library.mc_model_output_name(self._handle, i).decode() for i in range(library.mc_model_n_outputs(self._handle))]

    def run(self, *arrays, threads=0, **named):
        """One inference: arrays in the order of the inputs, or by their names; a list of arrays."""
        names = self.inputs
        for name in names[len(arrays):]:
            if name not in named:
                raise TypeError(f"input '{name}' is missing")
        given = list(arrays) + [named.pop(name) for name in names[len(arrays):]]
        if named:
            raise TypeError(f"the model has no input '{next(iter(named))}'")
        how = context(threads)
        tensors, results = [], (ctypes.c_void_p * max(library.mc_model_n_outputs(self._handle), 1))()
        try:
            for array in given:
                tensors.append(_tensor_from(array))
            inputs = (ctypes.c_void_p * max(len(tensors), 1))(*[t.value for t in tensors])
            call("mc_model_run", self._handle, ctypes.byref(how), inputs, len(tensors), results)
            return [_array_of(results[i]) for i in range(library.mc_model_n_outputs(self._handle))]
        finally:
            for tensor in tensors + list(results):
                library.mc_tensor_destroy(tensor)

    def info(self):
        """What the model is and what can be done with it, as `compress info` says."""
        how, record = context(), ctypes.c_void_p()
        call("mc_model_info", self._handle, ctypes.byref(how), ctypes.byref(record))
        return take_record(record)

    def evaluate(self, data, role=None, head=None, batch=0, threads=0):
        """Loss and metrics on a data set, as `compress eval` measures them."""
        how, record = context(threads), ctypes.c_void_p()
        call("mc_model_evaluate", self._handle, encode(data), encode(role), encode(head), batch, ctypes.byref(how), ctypes.byref(record))
        return take_record(record)

    def save(self, path, overwrite=False):
        """Write an ONNX file."""
        call("mc_model_save", self._handle, encode(path), overwrite)


def load(path, dims=None):
    """A model from an ONNX file; `dims` says what open dimensions are: {"height": 48}."""
    return Model(path, dims)


def _run(recipe, how, out, overwrite):
    record = ctypes.c_void_p()
    try:
        call("mc_recipe_run", recipe, ctypes.byref(how), encode(out), overwrite, ctypes.byref(record))
        return take_record(record)
    except GateFailed as failed:
        failed.record = take_record(record)
        raise
    finally:
        library.mc_recipe_destroy(recipe)


def _set_all(recipe, values):
    for path, value in values.items():
        call("mc_recipe_set", recipe, path.encode(), json.dumps(value).encode(), None)


def apply(recipe, out=None, overwrite=False, settings=None, threads=0, progress=None):
    """Do what a recipe says, a path or a dictionary; `settings` are as --set: {"gates.max_bytes": 60000}. The record."""
    handle = ctypes.c_void_p()
    if isinstance(recipe, dict):
        call("mc_recipe_create", ctypes.byref(handle))
    else:
        call("mc_recipe_load", ctypes.byref(handle), encode(recipe))
    try:
        _set_all(handle, {**(recipe if isinstance(recipe, dict) else {}), **(settings or {})})
    except Exception:
        library.mc_recipe_destroy(handle)
        raise
    return _run(handle, context(threads, progress=progress), out, overwrite)


def prune(model, output, data=None, overwrite=False, gates=None, threads=0, progress=None, **options):
    """Prune a model's file into another; `options` are those of `compress prune`. The record."""
    recipe = {"model": str(model), "steps": [{"prune": options}], "output": {"model": str(output)}}
    if data:
        recipe["data"] = data
    if gates:
        recipe["gates"] = gates
    return apply(recipe, None, overwrite, None, threads, progress)
