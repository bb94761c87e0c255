"""Progress of a training, for terminals, notebooks and files."""

from __future__ import annotations

import sys
import time


class Progress:
    """Writes one line to stderr that is written over: in a terminal and in a notebook, both of which know the carriage
    return. Into a file go a few whole lines instead.

    >>> import io
    >>> out = io.StringIO()
    >>> progress = Progress(out)
    >>> progress("note", "the model is mlp:50:tanh")
    >>> progress("epoch", 100, 200, 0.25, 0.5)
    >>> print(out.getvalue().replace(chr(13), "<"), end="")
    gramstep: the model is mlp:50:tanh
    gramstep: epoch 100/200, train 2.500e-01, validation 5.000e-01
    """

    #: Seconds between two writes.
    PAUSE = 0.1

    def __init__(self, out=None):
        self.out = sys.stderr if out is None else out
        self.live = _rewrites(self.out)
        self.last = 0.0
        self.width = 0

    def __call__(self, kind, *event):
        if kind == "note":
            self._line(event[0])
        else:
            self._epoch(*event)

    def _epoch(self, epoch, epochs, train, validation):
        if self.live:
            if time.monotonic() - self.last < self.PAUSE:
                return
        elif epoch % max(1, epochs // 10):
            return
        self.last = time.monotonic()
        judged = "" if validation is None else f", validation {validation:.3e}"
        text = f"epoch {epoch}/{epochs}, train {train:.3e}{judged}"
        if self.live:
            self.out.write("\r" + f"gramstep: {text}".ljust(self.width))
            self.width = len(text) + 10
            self.out.flush()
        else:
            self._line(text)

    def _line(self, text):
        self.out.write(f"gramstep: {text}\n")
        self.out.flush()

    def close(self):
        """Ends the line that is written over."""
        if self.live and self.width:
            self.out.write("\n")
            self.out.flush()


def _rewrites(out):
    """Whether a carriage return goes back to the start of the line."""
    isatty = getattr(out, "isatty", None)
    notebook = type(out).__module__.startswith("ipykernel")
    return notebook or bool(isatty and isatty())
