"""Which functions and methods a per-element function may call, and what calling them means."""

from __future__ import annotations

import builtins
import enum
import re
import sys
from typing import Any

import numpy as np


class Effect(enum.Enum):
    """What calling a function does."""

    FRESH = "computes something new"
    ALIAS = "may hand back its arguments or parts of them"
    WRITES_FIRST = "writes into its first argument"
    READS = "reads files or calls a library, and writes nothing"
    TEXT = "is a function of penstock.text: computes something new or hands back its argument or parts of it"
    IMAGES = "is a function of penstock.image: computes something new or hands back its argument, and may read a file"


_FRESH_BUILTINS = frozenset(
    "abs all any ascii bin bool bytes chr complex divmod float format frozenset hex int isinstance issubclass "
    "len oct ord pow range repr round slice str".split()
)
_ALIAS_BUILTINS = frozenset(
    "dict enumerate filter iter list map max min next reversed set sorted sum tuple zip".split()
)

_FRESH_NUMPY = frozenset(
    "all allclose amax amin angle any append apply_along_axis apply_over_axes arange argmax argmin argpartition "
    "argsort argwhere around array_equal array_equiv average bartlett base_repr bincount binary_repr blackman "
    "block can_cast choose clip column_stack common_type compress concat concatenate convolve copy corrcoef "
    "correlate count_nonzero cov cross cumprod cumsum cumulative_prod cumulative_sum delete diag diagflat diff "
    "digitize dot dstack ediff1d einsum empty empty_like eye extract fix flatnonzero frombuffer fromiter "
    "fromfunction fromstring full full_like geomspace gradient hamming hanning histogram histogram2d histogramdd "
    "histogram_bin_edges hsplit hstack hypot i0 identity imag indices inner insert interp intersect1d isclose "
    "iscomplex iscomplexobj isdtype isin isneginf isposinf isreal isrealobj isscalar issubdtype iterable ix_ "
    "kaiser kron lexsort linspace logspace mask_indices max mean median meshgrid min min_scalar_type mintypecode "
    "nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod "
    "nanquantile nanstd nansum nanvar ndim ndindex nonzero ones ones_like outer pad partition percentile "
    "piecewise poly polyadd polyder polydiv polyfit polyint polymul polysub polyval prod promote_types ptp "
    "quantile ravel_multi_index repeat result_type roll roots round row_stack searchsorted select setdiff1d "
    "setxor1d shape sinc size sort sort_complex stack std sum take take_along_axis tensordot tile trace trapezoid "
    "trapz tri tril tril_indices trim_zeros triu triu_indices union1d unique unique_counts unique_inverse "
    "unique_values unpackbits packbits unravel_index unwrap vander var vdot vstack where zeros zeros_like "
    "histogram".split()
)
_ALIAS_NUMPY = frozenset(
    "array array_split asanyarray asarray asarray_chkfinite ascontiguousarray asfortranarray astype atleast_1d "
    "atleast_2d atleast_3d broadcast_arrays broadcast_to diagonal dsplit expand_dims flip fliplr flipud "
    "matrix_transpose moveaxis ndenumerate permute_dims ravel real real_if_close require reshape resize rollaxis "
    "rot90 split squeeze swapaxes transpose unstack vectorize vsplit".split()
)
_WRITING_NUMPY = frozenset("copyto fill_diagonal place put put_along_axis putmask".split())
_READING_BUILTINS = frozenset(["callable", "getattr", "hasattr", "type"])
"""They may tell a traced stand-in from the real thing, so that a function which calls them is not traced."""
_READING_NUMPY = frozenset("fromfile genfromtxt load loadtxt".split())

_READING_MODULES = frozenset(
    "cv2 PIL json re _io io os.path posixpath ntpath genericpath gzip bz2 lzma zlib struct _struct base64 "
    "binascii hashlib _hashlib pathlib string unicodedata imageio soundfile librosa scipy skimage simplejpeg html "
    "textwrap urllib.parse csv _csv _json datetime".split()
)
_PURE_MODULES = frozenset(
    "math cmath _operator operator itertools numpy.linalg numpy.fft numpy.char numpy.strings".split()
)
_TEXT_MODULES = frozenset(
    f"penstock.text.{name}" for name in "cleaning tokenizing vocabularies lengths masking corruption targets".split()
)
_WRITING_NAME = re.compile(
    r"write|save|show|rand|rvs|sampl|permut|seed|dump$|remove|unlink|mkdir|rmdir|touch|rename|delete|shuffle|^i[a-z]+$"
)
"""Names in otherwise known libraries that write, draw, or work in place (`operator.iadd`)."""
_HARMLESS_I_NAMES = frozenset(
    ["isqrt", "isnan", "isinf", "isfinite", "isclose", "index", "islice", "is_", "inv", "invert"]
)

GENERATOR_METHODS = frozenset(
    "beta binomial choice exponential gamma geometric integers laplace lognormal multinomial multivariate_normal "
    "normal permutation permuted poisson random standard_normal triangular uniform".split()
)
"""Methods of `numpy.random.Generator` that change nothing but the generator."""
DATA_METHODS = frozenset(
    # numpy.ndarray
    "all any argmax argmin argpartition argsort astype choose clip compress conj conjugate copy cumprod cumsum "
    "diagonal dot flatten item max mean min nonzero prod ptp ravel repeat reshape round searchsorted squeeze std "
    "sum swapaxes take tobytes tolist trace transpose var view "
    # dict, list, tuple, set, numbers, named tuples
    "get items keys values count index union intersection difference issubset issuperset isdisjoint "
    "symmetric_difference is_integer bit_length bit_count as_integer_ratio hex to_bytes from_bytes fromhex _replace "
    "_asdict reduce accumulate outer reduceat".split()
) | {name for kind in (str, bytes) for name in dir(kind) if not name.startswith("_")}
ALIAS_METHODS = frozenset(
    "astype reshape ravel transpose swapaxes squeeze view diagonal get items keys values pop setdefault popitem copy "
    "_replace _asdict".split()
)
MUTATING_METHODS = frozenset(
    "append extend insert remove pop clear sort reverse add discard update setdefault popitem fill put itemset resize "
    "partition setfield setflags byteswap move_to_end rotate appendleft extendleft popleft difference_update "
    "intersection_update symmetric_difference_update at".split()
) - {"partition"}
"""`partition` is also a method of text; a method of an array by that name counts as unknown through `DATA_METHODS`."""
SETTLED_ATTRIBUTES = frozenset("shape dtype ndim size itemsize nbytes strides name kind str start stop step".split())
"""Attributes of arrays and dtypes whose value cannot be written into."""

_BLAME = {
    "random": "draws random numbers",
    "numpy.random": "draws random numbers",
    "secrets": "draws random numbers",
    "time": "reads the clock",
    "logging": "writes to a log",
    "warnings": "gives warnings",
    "os": "calls the operating system",
    "sys": "touches the interpreter's state",
    "threading": "uses threads",
    "subprocess": "starts processes",
}


def effect_of(function: Any) -> Effect | None:
    """What calling `function`, which is no plain Python function, does; None where that is not known.

    >>> effect_of(len).name, effect_of(print)
    ('FRESH', None)
    """
    if isinstance(function, np.ufunc):
        return Effect.FRESH
    if isinstance(function, type):
        return _effect_of_type(function)
    if getattr(function, "__objclass__", None) in (str, bytes, int, float, tuple):
        return Effect.ALIAS
    module, name = home_of(function)
    if module == "builtins":
        found = getattr(builtins, name, None) is function
        if name in _READING_BUILTINS:
            return Effect.READS
        return _among(name, _FRESH_BUILTINS, _ALIAS_BUILTINS) if found else None
    if module == "numpy" and getattr(np, name, None) is function:
        if name in _WRITING_NUMPY:
            return Effect.WRITES_FIRST
        return Effect.READS if name in _READING_NUMPY else _among(name, _FRESH_NUMPY, _ALIAS_NUMPY)
    if module.startswith("penstock.image."):
        return Effect.IMAGES
    if module in _TEXT_MODULES and name != "save":
        return Effect.TEXT
    if name not in _HARMLESS_I_NAMES and _WRITING_NAME.search(name):
        return None
    if module in _PURE_MODULES:
        return None if name in ("setitem", "delitem", "attrgetter", "methodcaller", "call") else Effect.ALIAS
    if module == "functools" and name == "reduce":
        return Effect.ALIAS
    if module == "_functools" and name == "reduce":
        return Effect.ALIAS
    if module == "numpy.lib.stride_tricks" or module == "numpy.lib._stride_tricks_impl":
        return Effect.ALIAS
    return Effect.READS if is_known_library(module) else None


def is_known_library(module: str) -> bool:
    """Whether a module by this name only computes and reads."""
    parts = module.split(".")
    return any(".".join(parts[: count + 1]) in _READING_MODULES for count in range(len(parts)))


def writes_by_name(name: str) -> bool:
    """Whether a method of an object from a known library sounds as if it wrote something."""
    return _WRITING_NAME.search(name) is not None and name not in _HARMLESS_I_NAMES


def home_of(function: Any) -> tuple[str, str]:
    """The module and the name that a function says it has."""
    owner = getattr(function, "__self__", None)
    module = getattr(function, "__module__", None)
    if module is None and owner is not None:
        module = owner.__name__ if isinstance(owner, type(sys)) else type(owner).__module__
    return str(module or ""), str(getattr(function, "__name__", type(function).__name__))


def blame(function: Any) -> str:
    """One clause that says why calling `function` is not pure."""
    module, name = home_of(function)
    if ends_more_than_a_row(function):
        return f"raises {name}, which ends more than one element"
    if function is print:
        return "prints"
    if function is input:
        return "reads from the keyboard"
    owner = getattr(function, "__self__", None)
    if is_random_generator(owner) or type(owner).__module__ == "random":
        return f"draws random numbers with {name}()"
    for home, why in _BLAME.items():
        if module == home or module.startswith(home + "."):
            return f"{why} with {home}.{name}()"
    shown = name if module in ("", "builtins") else f"{module}.{name}"
    return f"calls {shown}(), which is not known to be free of effects"


def ends_more_than_a_row(value: Any) -> bool:
    """Whether it is an exception that is no error, such as SystemExit, or a class of such."""
    kind = value if isinstance(value, type) else type(value)
    return issubclass(kind, BaseException) and not issubclass(kind, Exception)


def is_random_generator(value: Any) -> bool:
    """Whether it draws, and is NumPy's."""
    random = sys.modules.get("numpy.random")  # importing it takes 15 ms, and where nobody has, it made no object
    return random is not None and isinstance(value, (random.Generator, random.RandomState))


def is_constant(value: Any) -> bool:
    """Whether `value` can never change: a number, text, None, a dtype, or a tuple or frozenset of such."""
    if value is None or value is Ellipsis or value is NotImplemented:
        return True
    if isinstance(value, (bool, int, float, complex, str, bytes, np.generic, np.dtype, slice, range)):
        return True
    if isinstance(value, enum.Enum):
        return True
    return isinstance(value, (tuple, frozenset)) and all(is_constant(item) for item in value)


def _among(name: str, fresh: frozenset[str], alias: frozenset[str]) -> Effect | None:
    if name in fresh:
        return Effect.FRESH
    return Effect.ALIAS if name in alias else None


def _effect_of_type(cls: type) -> Effect | None:
    if issubclass(cls, np.generic) or cls is np.dtype:
        return Effect.FRESH
    if cls.__module__ == "builtins":
        if issubclass(cls, BaseException):
            return None if ends_more_than_a_row(cls) else Effect.FRESH
        return Effect.READS if cls is type else _among(cls.__name__, _FRESH_BUILTINS, _ALIAS_BUILTINS)
    if cls.__module__ == "numpy" and cls.__name__ in ("iinfo", "finfo"):
        return Effect.FRESH
    if cls.__module__ == "itertools" and cls.__name__ != "count":
        return Effect.ALIAS
    if cls.__module__ == "collections" and cls.__name__ in ("OrderedDict", "Counter", "deque", "defaultdict"):
        return Effect.ALIAS
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return Effect.ALIAS
    if "__dataclass_fields__" in vars(cls) and not hasattr(cls, "__post_init__"):
        return Effect.ALIAS
    if is_known_library(cls.__module__):
        return Effect.READS
    return None
