"""The dataset that a file or module of the user's holds under a name."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.errors import PipelineFileError
from penstock.show.user_frames import user_traceback

DEFAULT_NAME = "dataset"


def load(target: str, kind: type[Any]) -> Any:
    """Run a file, or import a module, and take the dataset of it that `target` names.

    Args:
        target: `FILE.py`, `FILE.py:NAME` or `module.path:NAME`. NAME is a dataset or a function of no arguments that
            returns one; `dataset` if there is none.
        kind: The class of datasets.

    Raises:
        FileNotFoundError: There is no such file or module.
        PipelineFileError: The code raised; shows where, from the user's first line on.
        ValueError: There is no such name in it, or it stands for something else.
    """
    place, name = split(target)
    module = _run(Path(place)) if _is_file(place) else _imported(place)
    if not hasattr(module, name):
        raise ValueError(_missing(place, name, module, kind))
    found = getattr(module, name)
    if not isinstance(found, kind) and callable(found):
        _check_takes_nothing(target, found)
        found = _guarded(target, found)
    if not isinstance(found, kind):
        raise ValueError(
            f"{place}:{name} is {_described(found)}, and no Dataset; name a Dataset, or a function that returns one"
            + _candidates(place, module, kind)
        )
    return found


def split(target: str) -> tuple[str, str]:
    """The file or module, and the name in it.

    >>> split("train.py:images"), split("train.py"), split("my.pipelines:test")
    (('train.py', 'images'), ('train.py', 'dataset'), ('my.pipelines', 'test'))
    """
    place, colon, name = target.rpartition(":")
    if not colon or not place or target.endswith(".py"):
        return target, DEFAULT_NAME
    return place, name or DEFAULT_NAME


def _is_file(place: str) -> bool:
    return place.endswith(".py") or os.sep in place or "/" in place or os.path.isfile(place)


def _run(path: Path) -> ModuleType:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        near = _close(path.name, _neighbours(path.parent))
        raise FileNotFoundError(f"{path} {what}; give a Python file{near}, or a module as module.path:NAME")
    name = path.stem if path.stem not in sys.modules else f"penstock_show_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    # As `python FILE` does, so that it finds what lies beside it; dataclasses look for their module by name.
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules[name] = module
    _guarded(str(path), lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
    return module


def _imported(place: str) -> ModuleType:
    # As `python -m` does.
    sys.path.insert(0, os.getcwd())
    try:
        found = importlib.util.find_spec(place)
    except (ModuleNotFoundError, ValueError):
        found = None
    if found is None:
        raise FileNotFoundError(f"there is neither a file nor a module {place}; write FILE.py:NAME or module.path:NAME")
    module: ModuleType = _guarded(place, lambda: importlib.import_module(place))
    return module


def _guarded(what: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (Exception, SystemExit) as error:
        trace = "".join(user_traceback(error).format(chain=False))
        raise PipelineFileError(f"{what} raised {type(error).__name__}\n{trace.rstrip()}") from error


def _check_takes_nothing(target: str, function: Callable[..., Any]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind()
    except TypeError:
        raise ValueError(
            f"{target} is a function that needs arguments, {signature}; name one of none, such as "
            "`def shown(): return pipeline(...)`"
        ) from None


def _missing(place: str, name: str, module: ModuleType, kind: type[Any]) -> str:
    names = [known for known, value in vars(module).items() if known[0] != "_" and not isinstance(value, type)]
    return f"{place} has no name {name!r}{_close(name, names)}{_candidates(place, module, kind)}"


def _candidates(place: str, module: ModuleType, kind: type[Any]) -> str:
    names = [name for name, value in vars(module).items() if isinstance(value, kind)]
    if not names:
        return "; there is no Dataset among its names"
    return f"; its datasets: {', '.join(f'{place}:{name}' for name in names[:8])}"


def _neighbours(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("*.py")] if folder.is_dir() else []


def _close(name: str, names: list[str]) -> str:
    found = difflib.get_close_matches(name, names, 1)
    return f" (did you mean {found[0]}?)" if found else ""


def _described(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text}" if len(text) <= 60 else f"a {type(value).__name__}"
