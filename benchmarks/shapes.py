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
"""Flows of five shapes, built with TaskFlow's API from either library."""

from __future__ import annotations

from collections.abc import Callable
import importlib
from typing import Any

# A layered graph has this many tasks in a layer.
_WIDTH = 10
# A nested flow has this many tasks in each inner flow.
_INNER = 10


class Library:
    """The same names from ``taskflow_service`` or from ``taskflow``."""

    def __init__(self, name: str) -> None:
        def module(path: str) -> Any:
            return importlib.import_module(f'{name}.{path}')

        self.name = name
        self.engines = module('engines')
        self.linear = module('patterns.linear_flow').Flow
        self.unordered = module('patterns.unordered_flow').Flow
        self.graph = module('patterns.graph_flow').Flow
        base = module('task').Task

        class Nothing(base):  # type: ignore[misc,valid-type]
            """Do nothing."""

            def execute(self) -> None:
                pass

        class Increase(base):  # type: ignore[misc,valid-type]
            """Do nothing with a result that the next one takes."""

            def execute(self, x: int) -> int:
                return x

        self.nothing = Nothing
        self.increase = Increase

    def load(self, flow: Any, store: dict[str, Any] | None = None) -> Any:
        """Return an engine, compiled and ready to run."""
        engine = self.engines.load(flow, engine='serial', store=store or {})
        engine.compile()
        engine.prepare()
        return engine


def linear(library: Library, n: int) -> Any:
    flow = library.linear('linear')
    flow.add(*(library.nothing(f't{i}') for i in range(n)))
    return flow


def results(library: Library, n: int) -> Any:
    flow = library.linear('results')
    flow.add(
        *(
            library.increase(f't{i}', provides=f'x{i + 1}', rebind=[f'x{i}'])
            for i in range(n)
        )
    )
    return flow


def unordered(library: Library, n: int) -> Any:
    flow = library.unordered('unordered')
    flow.add(*(library.nothing(f't{i}') for i in range(n)))
    return flow


def layered(library: Library, n: int) -> Any:
    flow = library.graph('layered')
    tasks = [library.nothing(f't{i}') for i in range(n)]
    flow.add(*tasks)
    for index in range(_WIDTH, n):
        layer = (index // _WIDTH - 1) * _WIDTH
        flow.link(tasks[layer + index % _WIDTH], tasks[index])
        flow.link(tasks[layer + (index + 1) % _WIDTH], tasks[index])
    return flow


def nested(library: Library, n: int) -> Any:
    flow = library.linear('nested')
    for start in range(0, n, _INNER):
        inner = library.unordered(f'inner{start}')
        inner.add(
            *(
                library.nothing(f't{i}')
                for i in range(start, min(start + _INNER, n))
            )
        )
        flow.add(inner)
    return flow


SHAPES: dict[str, Callable[[Library, int], Any]] = {
    'linear': linear,
    'results': results,
    'unordered': unordered,
    'layered': layered,
    'nested': nested,
}
STORES: dict[str, dict[str, Any]] = {'results': {'x0': 0}}
