"""The C library: where it is, what its functions take, how errors and records come out of it."""

import ctypes
import json
import os
import pathlib

_GATE_FAILED, _INTERRUPTED = -1, -130
_FORMAT_JSON = 0


class _CError(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("text", ctypes.c_char * 1024), ("hint", ctypes.c_char * 256)]


class _Progress(ctypes.Structure):
    _fields_ = [
        ("what", ctypes.c_char_p),
        ("done", ctypes.c_int64),
        ("total", ctypes.c_int64),
        ("loss", ctypes.c_double),
        ("metric", ctypes.c_char_p),
        ("value", ctypes.c_double),
        ("samples", ctypes.c_int64),
    ]


_ProgressCallback = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.POINTER(_Progress))


class _Context(ctypes.Structure):
    _fields_ = [
        ("threads", ctypes.c_int),
        ("cpu", ctypes.c_char_p),
        ("seed", ctypes.c_uint64),
        ("progress", _ProgressCallback),
        ("progress_context", ctypes.c_void_p),
        ("log", ctypes.c_void_p),
        ("log_context", ctypes.c_void_p),
        ("peers", ctypes.c_void_p),
        ("memory", ctypes.c_void_p),
    ]


class Contents(ctypes.Structure):
    """struct mc_tensor_contents."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("rank", ctypes.c_int),
        ("dims", ctypes.POINTER(ctypes.c_int64)),
        ("data", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
    ]


class Error(Exception):
    """A call failed; `status` is what the command would exit with, `hint` how to mend it, or empty."""

    def __init__(self, text, status, hint=""):
        super().__init__(text)
        self.status = status
        self.hint = hint


class GateFailed(Error):
    """Done, but a gate does not hold; `record` has everything."""

    record = None


class Interrupted(Error):
    """The progress callback asked to stop."""


def _open():
    beside = pathlib.Path(__file__).with_name("libcompress.so")
    named = os.environ.get("COMPRESS_LIBRARY")
    return ctypes.CDLL(named or (str(beside) if beside.exists() else "libcompress.so.0"))


_pointer = ctypes.c_void_p
_text = ctypes.c_char_p
_out = ctypes.POINTER(ctypes.c_void_p)
_error = ctypes.POINTER(_CError)
_context = ctypes.POINTER(_Context)

_CAN_FAIL = {
    "mc_model_load": [_out, _text],
    "mc_model_save": [_pointer, _text, ctypes.c_bool],
    "mc_model_settle": [_pointer, _text],
    "mc_model_info": [_pointer, _context, _out],
    "mc_model_evaluate": [_pointer, _text, _text, _text, ctypes.c_int64, _context, _out],
    "mc_model_run": [_pointer, _context, _out, ctypes.c_int, _out],
    "mc_tensor_from": [_out, ctypes.POINTER(Contents)],
    "mc_record_text": [_pointer, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p)],
    "mc_recipe_create": [_out],
    "mc_recipe_load": [_out, _text],
    "mc_recipe_set": [_pointer, _text, _text, _text],
    "mc_recipe_set_text": [_pointer, _text, _text, _text],
    "mc_recipe_run": [_pointer, _context, _text, ctypes.c_bool, _out],
}
_OTHERS = {
    "mc_version": ([], _text),
    "mc_context_init": ([_context], None),
    "mc_model_destroy": ([_pointer], None),
    "mc_model_n_inputs": ([_pointer], ctypes.c_int),
    "mc_model_n_outputs": ([_pointer], ctypes.c_int),
    "mc_model_input_name": ([_pointer, ctypes.c_int], _text),
    "mc_model_output_name": ([_pointer, ctypes.c_int], _text),
    "mc_tensor_destroy": ([_pointer], None),
    "mc_tensor_read": ([_pointer, ctypes.POINTER(Contents)], None),
    "mc_record_destroy": ([_pointer], None),
    "mc_recipe_destroy": ([_pointer], None),
    "mc_text_release": ([_pointer], None),
}


def _declare(library):
    for name, arguments in _CAN_FAIL.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments + [_error], ctypes.c_int
    for name, (arguments, result) in _OTHERS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    return library


library = _declare(_open())


def encode(value):
    """Text or a path as the bytes that C wants; None stays None."""
    return None if value is None else os.fsencode(value)


def call(name, *arguments):
    """Call a function that can fail, or raise what it says."""
    error = _CError()
    status = getattr(library, name)(*arguments, ctypes.byref(error))
    if status == 0:
        return
    kind = {_GATE_FAILED: GateFailed, _INTERRUPTED: Interrupted}.get(status, Error)
    raise kind(error.text.decode(errors="replace"), -status, error.hint.decode(errors="replace"))


def context(threads=0, seed=0, progress=None):
    """How work is to be done. `progress` is called with what, done and total and returns False to stop."""
    made = _Context()
    library.mc_context_init(ctypes.byref(made))
    made.threads, made.seed = threads, seed
    if progress:

        def report(_, at):
            return progress(at.contents.what.decode(), at.contents.done, at.contents.total) is not False

        made.progress = _ProgressCallback(report)
    return made


def take_record(handle):
    """A record as a dictionary; destroys it."""
    text = ctypes.c_void_p()
    try:
        call("mc_record_text", handle, _FORMAT_JSON, ctypes.byref(text))
        return json.loads(ctypes.string_at(text))
    finally:
        library.mc_text_release(text)
        library.mc_record_destroy(handle)


def version():
    """Version of the library."""
    return library.mc_version().decode()
