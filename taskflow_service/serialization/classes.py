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

"""Which classes may be found by a name that somebody stored or sent.

A name in a row or a message must not be able to make this process import
what it likes.  So a class is looked up among what is loaded anyway, and a
module is imported only from packages that the operator allows.  What is
found has to be the class that the name was made of, not whatever an attribute
of that name happens to be.
"""

from __future__ import annotations

from collections.abc import Iterable
import importlib
import sys
from typing import Any

from taskflow_service import exceptions


def path_of(cls: type) -> str:
    """Return the name by which a class can be found again.

    Raises LookupError, with the reason as its text, if it leads elsewhere or
    nowhere: a class made inside a function, or one that was replaced.
    """
    path = f'{cls.__module__}:{cls.__qualname__}'
    found = _attribute(sys.modules.get(cls.__module__), cls.__qualname__)
    if found is not cls:
        raise LookupError(
            f'the name {path} does not lead back to its class; define the'
            ' class at the top of a module'
        )
    return path


def _attribute(module: Any, qualname: str) -> Any:
    found = module
    for name in qualname.split('.'):
        # Not getattr alone: that would run a module's own __getattr__.
        found = getattr(found, '__dict__', {}).get(name)
    return found


class Allowed:
    """Finds classes in what is loaded, and below the packages named here.

    Names are those of packages or modules, as in ``[serialization]
    allowed_modules``.  Immutable, so it may be shared by threads.
    """

    __slots__ = ('_modules',)

    def __init__(self, modules: Iterable[str] = ()) -> None:
        self._modules = tuple(dict.fromkeys(modules))

    def __repr__(self) -> str:
        return f'<Allowed: loaded modules{", ".join(("", *self._modules))}>'

    def allows(self, module: str) -> bool:
        """Tell whether a module may be imported."""
        return any(
            module == allowed or module.startswith(f'{allowed}.')
            for allowed in self._modules
        )

    def find(self, path: str) -> type:
        """Return the class that path_of() gave this name.

        May import its module.  Raises ValueUnreadable if it is not there or
        not allowed.
        """
        module_name, _, qualname = path.partition(':')
        module = sys.modules.get(module_name)
        if module is None:
            module = self._import(module_name, path)
        found = _attribute(module, qualname)
        if not isinstance(found, type):
            raise exceptions.ValueUnreadable(
                f'Class {path} is not to be found: its module has no class of'
                ' this name'
            )
        if f'{found.__module__}:{found.__qualname__}' != path:
            raise exceptions.ValueUnreadable(
                f'Class {path} is not to be found: in its place is'
                f' {found.__module__}:{found.__qualname__}'
            )
        return found

    def _import(self, name: str, path: str) -> Any:
        if not self.allows(name):
            raise exceptions.ValueUnreadable(
                f'Class {path} is not to be found: module {name} is not'
                ' loaded here, nor under [serialization] allowed_modules'
            )
        try:
            return importlib.import_module(name)
        # A module may raise anything while it is imported.
        except Exception as error:
            raise exceptions.ValueUnreadable(
                f'Class {path} is not to be found: module {name} cannot be'
                ' imported',
                cause=error,
            ) from error


#: Finds in loaded modules only.
LOADED = Allowed()
