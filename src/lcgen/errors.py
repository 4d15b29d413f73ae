"""Every exception that lcgen raises on purpose.

::

    LcgenError
    ├── InputError (ValueError)          an argument is wrong
    │   ├── DomainError                  a value outside the domain a model was trained on
    │   ├── UnknownNameError             a class, subclass, band, parameter, model ... that is not known
    │   └── UnitError                    a quantity with a unit that does not fit
    ├── ConfigError (ValueError)         a configuration file is wrong; names the key
    ├── DataError                        something read from disk is wrong
    │   ├── DataFormatError              a malformed survey file: file, line number, reason
    │   ├── CadenceError                 a schedule that cannot be read or is empty
    │   ├── EnsembleError                an ensemble file that cannot be read or written
    │   │   └── IncompleteEnsembleError  an ensemble that was cut off; it can be resumed
    │   └── CheckpointError              a model that cannot be loaded
    │       └── IntegrityError           a file whose sha256 is not the recorded one
    ├── PluginError                      an installed plugin that cannot be used; says which and why
    └── MissingExtraError (ImportError)  an optional dependency is missing; says what to install
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = [
    "CadenceError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DataFormatError",
    "DomainError",
    "EnsembleError",
    "IncompleteEnsembleError",
    "InputError",
    "IntegrityError",
    "LcgenError",
    "MissingExtraError",
    "PluginError",
    "UnitError",
    "UnknownNameError",
]


class LcgenError(Exception):
    """Base class of all errors that lcgen raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses take other arguments than the message, which the default would call them with when an error
        # comes back from a worker process.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[LcgenError], args: tuple[Any, ...], attributes: dict[str, Any]) -> LcgenError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class InputError(LcgenError, ValueError):
    """An argument is wrong."""


class DomainError(InputError):
    """A value lies outside the domain on which the model was trained.

    Parameters
    ----------
    parameter : str
        Name of the parameter.
    value : float
        The value received.
    low, high : float
        The limits allowed.
    context : str, optional
        What the limits belong to, for example ``"class RRLYR"``.
    hint : str, optional
        What the caller can do.
    """

    def __init__(
        self,
        parameter: str,
        value: float,
        low: float,
        high: float,
        *,
        context: str = "",
        hint: str = "",
    ) -> None:
        self.parameter, self.value, self.low, self.high = parameter, value, low, high
        where = f" for {context}" if context else ""
        text = f"{parameter} = {value:g} is outside [{low:g}, {high:g}]{where}"
        super().__init__(f"{text}; {hint}" if hint else text)


class UnknownNameError(InputError):
    """A name that is not among the allowed ones.

    Parameters
    ----------
    kind : str
        What was named: ``"class"``, ``"band"``, ``"parameter"`` ...
    name : object
        The name received.
    allowed : iterable of str
        The names that would have been understood.
    hint : str, optional
        What the caller can do.
    """

    def __init__(self, kind: str, name: object, allowed: Iterable[str], *, hint: str = "") -> None:
        self.kind, self.name, self.allowed = kind, name, tuple(allowed)
        close = difflib.get_close_matches(str(name), self.allowed, n=1)
        text = f"unknown {kind} {name!r}"
        if close:
            text += f" (did you mean {close[0]!r}?)"
        text += f"; allowed: {', '.join(self.allowed) or 'none'}"
        super().__init__(f"{text}; {hint}" if hint else text)


class UnitError(InputError):
    """A quantity has a unit that cannot be converted into the expected one."""


class ConfigError(LcgenError, ValueError):
    """A configuration is wrong; the message names the key."""


class DataError(LcgenError):
    """Something read from disk is wrong."""


class DataFormatError(DataError):
    """A survey file does not have the format it should have.

    Parameters
    ----------
    path : str or path-like
        The file.
    reason : str
        What is wrong.
    line : int, optional
        Line number, counted from 1.
    """

    def __init__(self, path: object, reason: str, *, line: int | None = None) -> None:
        self.path, self.reason, self.line = str(path), reason, line
        where = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{where}: {reason}")


class CadenceError(DataError):
    """A schedule cannot be read, or holds no visit."""


class EnsembleError(DataError):
    """An ensemble file cannot be read or written."""


class IncompleteEnsembleError(EnsembleError):
    """An ensemble file was not finished; it can be resumed."""


class CheckpointError(DataError):
    """A trained model cannot be loaded."""


class IntegrityError(CheckpointError):
    """The sha256 of a file differs from the recorded one."""


class PluginError(LcgenError):
    """An installed plugin cannot be used; the message names it and says why."""


class MissingExtraError(LcgenError, ImportError):
    """An optional dependency is missing.

    Parameters
    ----------
    package : str
        The package that could not be imported.
    extra : str
        The extra of lcgen that brings it.
    purpose : str
        What it is needed for.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{purpose} needs {package}; install it with: pip install 'lcgen[{extra}]'")
