#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Run a program with one package or the other, and take its transcript."""

from __future__ import annotations

import contextlib
import io
import logging
import pathlib
import re
import sys
import types

HERE = pathlib.Path(__file__).parent
PROGRAMS = HERE / 'programs'
EXPECTED = HERE / 'expected'
DIFFERS = HERE / 'differs'

# What is another thing in every run, or only another package's name.
_MASKS = (
    (re.compile(r'\btaskflow_service\b'), 'taskflow'),
    (
        re.compile(
            r'\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b'
        ),
        'UUID',
    ),
    (re.compile(r'\b\d{4}-\d\d-\d\d[T ][\d:.]+'), 'TIME'),
    (re.compile(r'\b0x[0-9a-f]+\b'), '0xADDRESS'),
    (re.compile(r'\b[0-9]+\.[0-9]+ seconds\b'), 'N.N seconds'),
    # Frames of a traceback say where the package has its code.
    (re.compile(r'^ +File ".*\n( +.*\n)*', re.MULTILINE), '  FRAMES\n'),
    (re.compile(r'(  FRAMES\n)+'), '  FRAMES\n'),
    # How a failure is shown within a list or a dictionary.
    (
        re.compile(
            r'<taskflow\.types\.failure\.Failure object at 0xADDRESS>'
            r"|<Failure: [^>]*>"
        ),
        '<FAILURE>',
    ),
    (re.compile(r'[ \t]+$', re.MULTILINE), ''),
)


def names() -> list[str]:
    """List the programs."""
    return sorted(path.stem for path in PROGRAMS.glob('[!_]*.py'))


def transcript(name: str, package: str) -> str:
    """Run a program with a package in TaskFlow's place.

    Return what it printed, with what cannot be the same twice masked.
    """
    path = PROGRAMS / f'{name}.py'
    source = re.sub(r'\btaskflow\b', package, path.read_text())
    module = types.ModuleType(name)
    module.__file__ = str(path)
    output = io.StringIO()
    root = logging.getLogger()
    handlers = list(root.handlers)
    sys.modules[name] = module
    try:
        with contextlib.redirect_stdout(output):
            exec(compile(source, path, 'exec'), vars(module))
    finally:
        del sys.modules[name]
        root.handlers[:] = handlers
    return mask(output.getvalue())


def mask(text: str) -> str:
    """Mask what cannot be the same twice."""
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    return text
