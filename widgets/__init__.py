"""Pictures and the Qt widgets that show them. Knows no array backend."""

import builtins

import PySide6.QtCore  # noqa: F401  (it puts its own import in the place of Python's)

# PySide's import reads the source of each module that comes after it, for ``__feature__``, which
# nothing here uses: a tenth of the start. Python's own goes on from here.
builtins.__import__ = getattr(builtins, "__orig_import__", builtins.__import__)
