"""Runs the annotations of the package while the tests run: a wrong shape in a signature fails the test that meets it.

A tensor that is being traced may not know its sizes yet; such a call is not checked, and the same function is when it
is called eagerly.
"""

import functools
import inspect

import jaxtyping
from beartype import BeartypeConf, beartype

from biggan_tf.types import Tensor

PACKAGES = (
    "augmentations",
    "contracts",
    "evaluation",
    "families",
    "games",
    "inference",
    "latents",
    "layers",
    "ops",
    "training",
)
_check = beartype(conf=BeartypeConf(is_pep484_tower=True))
_jaxtyped = jaxtyping.jaxtyped
_is_tensor = {}  # by type
_checked_before = {}  # by all that decides what is checked: functions that are defined again in each call of another


class _AskedOncePerType(type(Tensor)):
    """Whether a value is a tensor depends on its type alone; `typing` asks for all attributes of the protocol again."""

    def __instancecheck__(cls, value):
        kind = type(value)
        if cls is not Tensor:
            return super().__instancecheck__(value)
        if kind not in _is_tensor:
            _is_tensor[kind] = super().__instancecheck__(value)
        return _is_tensor[kind]


def install():
    """Checks every module of `PACKAGES` that is imported from here on."""
    jaxtyping.jaxtyped = _with_signature
    Tensor.__class__ = _AskedOncePerType
    modules = [f"biggan_tf.{name}" for name in PACKAGES]
    jaxtyping.install_import_hook(modules, "tests.typechecks.where_sizes_are_known")


def where_sizes_are_known(function):
    """`function`, checked by beartype unless an argument has sizes that are unknown while tracing."""
    # `jaxtyping` gives an empty function with the annotations of the one that is checked. Writing its checks takes a
    # millisecond or two, which adds up where a function defines others in each of its calls.
    names, annotations = function.__code__.co_varnames, tuple(function.__annotations__.items())
    key = (function.__module__, function.__qualname__, names, annotations)
    try:
        known = key in _checked_before
    except TypeError:  # an annotation cannot be hashed
        return _with_known_sizes(function)
    if not known:
        _checked_before[key] = _with_known_sizes(function)
    return _checked_before[key]


def _with_known_sizes(function):
    checked = _check(function)

    @functools.wraps(function)
    def call(*args, **kwargs):
        if all(map(_is_known, (*args, *kwargs.values()))):
            return checked(*args, **kwargs)
        return None

    return call


def _with_signature(function=None, *, typechecker=None):
    """`jaxtyping.jaxtyped`, whose result can still be asked for its arguments.

    Keras does not look below the decorator of an `__init__`, nor TensorFlow below that of a function whose gradient is
    its own. Of other methods Keras copies the attributes to a function without `self`, which no signature may name.
    """
    if function is None:
        return functools.partial(_with_signature, typechecker=typechecker)
    wrapped = _jaxtyped(function, typechecker=typechecker)
    if inspect.isfunction(wrapped) and not inspect.isclass(function):
        signature = inspect.signature(function)
        if function.__name__ == "__init__" or "self" not in signature.parameters:
            wrapped.__signature__ = signature
    return wrapped


def _is_known(value):
    if isinstance(value, list | tuple):
        return all(map(_is_known, value))
    if isinstance(value, dict):
        return all(map(_is_known, value.values()))
    if type(value).__name__ in ("SymbolicTensor", "KerasTensor"):
        rank = getattr(value.shape, "rank", len(value.shape))
        return rank is not None and None not in tuple(value.shape)
    return True
