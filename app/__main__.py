"""The command ``unrolled``: the window, or with arguments what ``app.commands`` does.

What cannot be done is one sentence on the error stream: exit code 2 when something else has to be
asked for, 1 when the computer or the program failed. ``UNROLLED_DEBUG=1`` shows the traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from engine.said import Said


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A console that knows fewer characters shows a question mark and not an error. (None:
        # started without a console.)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        given = sys.argv[1:] if arguments is None else arguments
        if given:
            from app import commands

            code = commands.run(given)
        else:  # the window does not wait for what reads arguments
            from app.start import open_window

            code = open_window()
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a reader that has gone is no error
        return code
    except SystemExit as error:  # argparse has said what there is to say
        return error.code if isinstance(error.code, int) else 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read has gone (unrolled trace --json | head). Python would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("UNROLLED_DEBUG") == "1":
            raise
        sentence, code = _sentence(error)
        print(sentence, file=sys.stderr)
        return code


def _sentence(error: Exception) -> tuple[str, int]:
    """Return what to say about an error, and the exit code."""
    if isinstance(error, Said):
        return " ".join(str(error).split()), 2
    if isinstance(error, MemoryError):
        return "There is not enough memory for this; ask for a smaller size or a shorter text.", 1
    if isinstance(error, ImportError) and ".so" in str(error):
        from app import display

        missing = display.missing_libraries("libqoffscreen.so") or (str(error).partition(":")[0],)
        return display.library_sentence(missing, "Nothing can be drawn"), 1
    if isinstance(error, OSError):
        return f"The system refused ({error}); try another place, or again.", 1
    what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return (
        f"Unrolled stopped because of an error of its own ({what}); please report it, "
        "UNROLLED_DEBUG=1 shows where it was.",
        1,
    )


if __name__ == "__main__":
    sys.exit(main())
