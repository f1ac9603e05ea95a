"""What the libraries of server v2 say of one another: their versions are the server's.

Fields of ours are among it: the server's older marshmallow knows only this form.
"""

from importlib.util import find_spec

import pytest

__all__ = ["let_warn"]

WARNINGS = (
    "ignore::marshmallow.warnings.RemovedInMarshmallow4Warning",
    "ignore:distutils Version classes are deprecated:DeprecationWarning",
)


def let_warn(config: pytest.Config) -> None:
    """Let them warn, also while they load, where they are.

    Parameters
    ----------
    config : pytest.Config
        Of this session.
    """
    if find_spec("labthings") is not None:
        for line in WARNINGS:
            config.addinivalue_line("filterwarnings", line)
