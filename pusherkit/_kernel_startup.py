"""IPython runs this file when the kernel of a lesson starts, because PYTHONSTARTUP names it.

It runs in the learner's own namespace, so it leaves no name there.
"""

try:
    from pusherkit._first_cell import install as _install
except ImportError:  # a kernel from another environment
    pass
else:
    _install(get_ipython())  # type: ignore[name-defined]  # noqa: F821  # IPython puts it there
    del _install
