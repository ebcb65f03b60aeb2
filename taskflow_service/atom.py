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

"""What a flow is made of: a named unit that does something and can undo it.

An atom says by the signatures of its ``execute`` and ``revert`` which symbols
it requires, and by ``provides`` which symbols its result becomes. Tasks and
retry controllers are atoms.

An atom costs about a microsecond and one object: all that follows from its
class is shared (see :mod:`taskflow_service.signatures`), and what its
constructor said otherwise hides what is shared.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
import typing

from oslo_utils import reflection

from taskflow_service import signatures
from taskflow_service.types import sets

_T = typing.TypeVar('_T')


class _Derived(typing.Generic[_T]):
    """An attribute that is worked out when asked, unless it was assigned.

    A property would cost nothing more but could not be assigned to, which
    programs do to plain attributes.
    """

    def __init__(self, work_out: Callable[[typing.Any], _T]) -> None:
        self._work_out = work_out
        self.__doc__ = work_out.__doc__

    @typing.overload
    def __get__(self, atom: None, owner: type) -> typing.Self: ...

    @typing.overload
    def __get__(self, atom: Atom, owner: type) -> _T: ...

    def __get__(self, atom: Atom | None, owner: type) -> _T | typing.Self:
        if atom is None:
            return self
        return self._work_out(atom)


def _checked(
    inject: Mapping[str, typing.Any], who: str | None
) -> Mapping[str, typing.Any]:
    if not isinstance(inject, Mapping):
        raise TypeError(
            f'Atom {who} cannot inject {inject!r}: a dict by symbol is '
            'expected'
        )
    return inject


class Atom(abc.ABC):
    """A named unit of work with arguments, a result and a way back.

    :param name: unique in the flow that it will be part of
    :param provides: what the result is called: a string names all of it, a
        list or tuple its elements, a set its keys; ``()`` names nothing,
        even where the class has ``default_provides``
    :param requires: symbols to require beyond those of the signature, handed
        over by name to ``**kwargs``
    :param auto_extract: whether the signature says what is required; if not,
        ``requires`` and ``rebind`` say all of it
    :param rebind: which symbol an argument is given: a dict from arguments
        to symbols, or a list in the order of the signature
    :param inject: values that only this atom sees, by symbol
    :param ignore_list: arguments that are not symbols
    :param revert_rebind: as ``rebind``, for ``revert``; by default the same
    :param revert_requires: as ``requires``, for ``revert``
    :raises ValueError: arguments without a symbol, symbols without an
        argument
    :raises TypeError: a parameter of a wrong type

    The attributes that follow from these are ``name``, ``version``,
    ``inject``, ``save_as`` (name -> key in the result), ``provides``,
    ``rebind`` and ``revert_rebind`` (argument -> symbol), ``requires`` (of
    execute and revert), ``optional`` and ``revert_optional``. Mappings and
    sets are shared between atoms: they are read, or replaced, not changed.
    """

    name: str

    #: What is provided where the constructor does not say.
    default_provides: signatures.Provides | None = None

    #: A new version says that it is not the same work as before.
    version: typing.Any = (1, 0)

    #: Among atoms that can run at once, higher goes first.
    priority: int = 0

    #: Values that only this atom sees, by symbol.
    inject: Mapping[str, typing.Any] | None = None

    # What the engine hands to execute and to revert is not a symbol.
    _ignored: typing.ClassVar[tuple[Collection[str], Collection[str]]] = (
        (),
        ('result', 'flow_failures'),
    )
    _named_after_class: typing.ClassVar[bool] = False
    _class_binding: typing.ClassVar[signatures.ClassBinding | None] = None
    _binding: signatures.Binding
    _positional: tuple[typing.Any, ...] = ()
    _keywords: Mapping[str, typing.Any] | None = None

    def __new__(cls, *args: typing.Any, **kwargs: typing.Any) -> typing.Self:
        # Here, and not in __init__, the arguments are those of the outermost
        # constructor, whatever subclasses make of them.
        self = object.__new__(cls)
        self._positional = args
        if kwargs:
            self._keywords = kwargs
        return self

    def __init__(
        self,
        name: str | None = None,
        provides: signatures.Provides | None = None,
        requires: signatures.Requires = None,
        auto_extract: bool = True,
        rebind: signatures.Rebind = None,
        inject: Mapping[str, typing.Any] | None = None,
        ignore_list: Collection[str] | None = None,
        revert_rebind: signatures.Rebind = None,
        revert_requires: signatures.Requires = None,
    ) -> None:
        cls = type(self)
        shared = cls._class_binding
        if (
            shared is None
            or shared.owner is not cls
            or shared.execute is not cls.execute
            or shared.revert is not cls.revert
        ):
            shared = signatures.binding_of(cls)
        # Only a retry may be without one, until its flow names it.
        self.name = shared.default_name if name is None else name  # type: ignore[assignment]
        if inject is not None:
            self.inject = _checked(inject, self.name)
        if provides is None:
            provides = self.default_provides
        if provides is not shared.default_provides:
            self.save_as = signatures.save_as_of(provides)
        if (
            requires is None
            and auto_extract
            and ignore_list is None
            and revert_rebind is None
            and revert_requires is None
        ):
            self._binding = (
                shared
                if rebind is None
                else shared.rebound(str(self.name), rebind)
            )
        else:
            self._binding = shared.bind(
                str(self.name),
                signatures.Request(
                    requires, rebind, auto_extract, ignore_list or ()
                ),
                signatures.Request(revert_requires, revert_rebind),
            )

    @_Derived
    def save_as(self) -> signatures.SaveAs:
        """Map what is provided to keys of the result."""
        return self._binding.shared.save_as

    @_Derived
    def provides(self) -> sets.OrderedSet[str]:
        """Return the symbols that the result becomes."""
        shared = self._binding.shared
        save_as = self.save_as
        if save_as is shared.save_as:
            return shared.provides
        return sets.OrderedSet(save_as)

    @_Derived
    def rebind(self) -> signatures.Arguments:
        """Map the arguments of execute to symbols."""
        return self._binding.rebind

    @_Derived
    def revert_rebind(self) -> signatures.Arguments:
        """Map the arguments of revert to symbols."""
        return self._binding.revert_rebind

    @_Derived
    def requires(self) -> sets.OrderedSet[str]:
        """Return the symbols without which the atom cannot run."""
        requires = self._binding.requires
        return requires.difference(self.inject) if self.inject else requires

    @_Derived
    def optional(self) -> sets.OrderedSet[str]:
        """Return the arguments of execute that have a default."""
        optional = self._binding.optional
        return optional.difference(self.inject) if self.inject else optional

    @_Derived
    def revert_optional(self) -> sets.OrderedSet[str]:
        """Return the arguments of revert that have a default."""
        optional = self._binding.revert_optional
        return optional.difference(self.inject) if self.inject else optional

    @_Derived
    def revert_accepts(self) -> frozenset[str]:
        """Return which of the engine's own values ``revert`` takes by name.

        A subset of ``history``, ``result`` and ``flow_failures``.
        """
        return self._binding.revert_accepts

    @property
    def constructor_arguments(
        self,
    ) -> tuple[tuple[typing.Any, ...], dict[str, typing.Any]]:
        """Return what the outermost constructor was called with.

        ``type(atom)(*args, **kwargs)`` is the same atom again, for example
        on a worker. A class with a ``__new__`` of its own must hand all its
        arguments on.
        """
        return self._positional, dict(self._keywords or ())

    @property
    def heard(self) -> bool:
        """Say whether anybody listens to this atom's own events."""
        return False

    def __str__(self) -> str:
        version = self.version
        if isinstance(version, (list, tuple)):
            version = '.'.join(map(str, version))
        return f'"{self.name}=={version}"'

    def __repr__(self) -> str:
        return f'<{reflection.get_class_name(self)} {self}>'

    def pre_execute(self) -> None:
        """Prepare for execute; what this raises is the atom's failure."""

    @abc.abstractmethod
    def execute(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        """Do the work; the result is kept and handed to who requires it.

        The arguments of the signature are looked up by name. It must be
        possible to do the work once more, unless the atom says otherwise.
        """

    def post_execute(self) -> None:
        """Clean up after execute; what this raises is the atom's failure."""

    def pre_revert(self) -> None:
        """Prepare for revert; what this raises is a failure to revert."""

    def revert(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        """Undo what execute did, or began to do; by default nothing.

        Of ``result`` (what execute returned, or its ``Failure``) and
        ``flow_failures`` (failures by the name of their atom) it gets those
        that it names, or both by ``**kwargs``.
        """

    def post_revert(self) -> None:
        """Clean up after revert; what this raises is a failure to revert."""
