"""Puts guards into a Python process of a program run by `agentguard exec`.

Python imports a module of this name at its start. One that the environment has already is hidden
by this one, so it is found and run first.
"""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def _run_the_hidden_one() -> None:
    others = [folder for folder in sys.path if Path(folder).resolve() != _HERE]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


def _guard() -> None:
    try:
        from agentguard.execution.process import begin
    except ImportError as problem:
        sys.stderr.write(
            f"agentguard exec: NOT GUARDED: {sys.executable} (process {os.getpid()}) cannot load "
            f"agentguard: {problem}. Install agentguard in this environment.\n"
        )
        return
    begin()


_run_the_hidden_one()
_guard()
