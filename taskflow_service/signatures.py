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

"""What ``execute`` and ``revert`` accept, and which symbols they are given.

A signature is inspected once per class, not once per atom: inspection costs
some ten microseconds, a flow may have 100,000 atoms, and nearly all of them
take what their class says. What follows from the class alone is one
:class:`ClassBinding` that all its atoms share; an atom whose constructor says
otherwise (``requires=``, ``rebind=``, ...) gets a :class:`Binding` of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from collections.abc import Set
import inspect
import typing

from oslo_utils import reflection

from taskflow_service.types import sets

#: An argument of a callable -> the symbol whose value it is given.
Arguments = dict[str, str]

#: Arguments with their symbols, and those of them that have a default.
Bound = tuple[Arguments, tuple[str, ...]]

#: What the constructor of an atom accepts: names of arguments; symbols by
#: argument or in the order of the signature; names for the whole result, for
#: its elements (a sequence) or for its keys (a set).
Requires = str | Iterable[str] | None
Rebind = Mapping[str, str] | Sequence[str] | None
Provides = str | Sequence[str] | Set[str]

#: A provided name -> the key of its value in the result, None for all of it.
SaveAs = dict[str, typing.Any]

#: The names under which an engine hands its own values to an atom.
NAMES_OF_THE_ENGINE = frozenset(('history', 'result', 'flow_failures'))

NOTHING: sets.OrderedSet[str] = sets.OrderedSet()


class SharedDict(dict[str, typing.Any]):
    """A dict that all atoms of a class share, and so nobody may change."""

    def _refuse(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        raise TypeError(
            'All atoms of a class share this mapping: give rebind= or '
            'provides= to the constructor of one, or assign a new mapping'
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[typing.Any, ...]:
        return (SharedDict, (dict(self),))


class Signature:
    """The arguments that a callable takes by name.

    :ivar required: those without a default, in their order
    :ivar optional: those with one
    :ivar open: whether it takes any other name as well (``**kwargs``)
    """

    __slots__ = ('open', 'optional', 'required')

    def __init__(self, function: Callable[..., typing.Any]) -> None:
        """Inspect a callable; ValueError if there is nothing to inspect."""
        named = []
        self.open = False
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                self.open = True
            elif parameter.kind is not parameter.VAR_POSITIONAL:
                named.append(parameter)
        self.required = tuple([p.name for p in named if p.default is p.empty])
        self.optional = tuple(
            [p.name for p in named if p.default is not p.empty]
        )

    def accepts(self, name: str) -> bool:
        """Tell whether an argument of this name can be given."""
        return self.open or name in self.required or name in self.optional


class Request(typing.NamedTuple):
    """What the constructor of an atom says about one of its two callables.

    ``requires`` names arguments whose symbol is their own name, ``ignore``
    arguments that are not looked up by symbol.
    """

    requires: Requires = None
    rebind: Rebind = None
    auto_extract: bool = True
    ignore: Collection[str] = ()

    def names(self) -> set[str]:
        """Return the arguments that are named."""
        return {*_tuple(self.requires), *(self.rebind or ())}

    def bind(
        self,
        signature: Signature,
        who: str = '',
        insisted: Collection[str] | None = None,
    ) -> Bound:
        """Map the arguments of a signature to symbols.

        :param who: the name of the atom, for messages
        :param insisted: names that the signature must accept; others that it
            does not are left out. By default it must accept all.
        :raises ValueError: arguments that must have a symbol have none, or
            there are symbols for arguments that are not accepted
        """
        required = signature.required
        if self.ignore:
            required = tuple([a for a in required if a not in self.ignore])
        named = _tuple(self.requires)
        if self.auto_extract:
            named = required + named
        arguments = dict(zip(named, named, strict=True))
        if self.rebind:
            if isinstance(self.rebind, (dict, Mapping)):
                arguments.update(self.rebind)
            else:
                arguments.update(_in_order(self.rebind, required, who))
        if not signature.open:
            extra = [arg for arg in arguments if not signature.accepts(arg)]
            if insisted is not None:
                for arg in extra:
                    del arguments[arg]
                extra = [arg for arg in extra if arg in insisted]
            if extra:
                raise ValueError(
                    f'Extra arguments given to atom {who}: {extra}'
                )
        missing = [arg for arg in required if arg not in arguments]
        if missing:
            raise ValueError(f'Missing arguments for atom {who}: {missing}')
        if not (self.auto_extract and signature.optional):
            return arguments, ()
        optional = tuple(
            [
                arg
                for arg in signature.optional
                if arg not in arguments and arg not in self.ignore
            ]
        )
        arguments.update(zip(optional, optional, strict=True))
        return arguments, optional


def _in_order(
    symbols: typing.Any, required: tuple[str, ...], who: str
) -> Arguments:
    if isinstance(symbols, str) or not isinstance(symbols, Sequence):
        raise TypeError(
            f'Invalid rebind value {symbols!r} for atom {who}: a dict by '
            'argument or a list in the order of the arguments is expected'
        )
    arguments = dict(zip(required, symbols, strict=False))
    rest = symbols[len(required) :]
    arguments.update(zip(rest, rest, strict=True))
    return arguments


def _tuple(names: Requires) -> tuple[str, ...]:
    if not names:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


class Binding:
    """How symbols become the arguments of an atom's execute and revert.

    :ivar rebind: argument of ``execute`` -> symbol
    :ivar revert_rebind: argument of ``revert`` -> symbol; the same object as
        ``rebind`` where the two are equal
    :ivar revert_accepts: which of the engine's own names ``revert`` takes
    :ivar shared: what the class alone says
    """

    __slots__ = (
        'optional',
        'rebind',
        'revert_accepts',
        'revert_optional',
        'revert_rebind',
        'shared',
    )

    def __init__(
        self,
        shared: ClassBinding,
        execute: Bound,
        revert: Bound,
        revert_accepts: frozenset[str],
    ) -> None:
        self.shared = shared
        self.rebind, optional = execute
        self.revert_rebind, revert_optional = revert
        if self.revert_rebind == self.rebind:
            self.revert_rebind = self.rebind
        self.optional = _symbols(optional)
        self.revert_optional = _symbols(revert_optional)
        self.revert_accepts = revert_accepts

    @property
    def requires(self) -> sets.OrderedSet[str]:
        """Return the symbols without which execute or revert cannot run."""
        if self.revert_rebind is self.rebind and not self.optional:
            return sets.OrderedSet(self.rebind.values())
        return sets.OrderedSet(
            [
                symbol
                for arguments, optional in (
                    (self.rebind, self.optional),
                    (self.revert_rebind, self.revert_optional),
                )
                for argument, symbol in arguments.items()
                if argument not in optional
            ]
        )


class AtomClass(typing.Protocol):
    """What a class of atoms tells about itself."""

    default_provides: Provides | None
    _class_binding: typing.ClassVar[ClassBinding | None]
    # What the engine hands to execute and to revert is not a symbol.
    _ignored: typing.ClassVar[tuple[Collection[str], Collection[str]]]
    _named_after_class: typing.ClassVar[bool]

    @property
    def execute(self) -> Callable[..., typing.Any]: ...

    @property
    def revert(self) -> Callable[..., typing.Any]: ...


class ClassBinding(Binding):
    """What follows from a class of atoms alone; its atoms share it.

    It holds as long as the class has the same ``execute`` and ``revert``: a
    test may patch them.

    :ivar default_name: the name of an atom that is given none
    :ivar default_provides: what ``save_as`` was made from
    """

    __slots__ = (
        '_optional',
        '_plain',
        '_required',
        '_requires',
        'default_name',
        'default_provides',
        'execute',
        'execute_signature',
        'owner',
        'provides',
        'revert',
        'revert_signature',
        'save_as',
    )

    def __init__(self, owner: type[AtomClass]) -> None:
        self.owner = owner
        # As the class gives them, to be compared by identity.
        self.execute = owner.execute
        self.revert = owner.revert
        self.execute_signature = _signature(owner, 'execute')
        self.revert_signature = _signature(owner, 'revert')
        self.default_name: str | None = None
        if owner._named_after_class:
            self.default_name = reflection.get_class_name(owner)
        execute = Request(ignore=owner._ignored[0]).bind(
            self.execute_signature
        )
        revert = Request(ignore=owner._ignored[1]).bind(self.revert_signature)
        super().__init__(
            self,
            (SharedDict(execute[0]), execute[1]),
            (SharedDict(revert[0]), revert[1]),
            accepted_from_engine(self.revert_signature),
        )
        self._requires = super().requires
        # For rebound(): arguments as they are without, and which of them
        # keep their place in the order when they get another symbol.
        self._plain = (execute[0], revert[0])
        self._optional = execute[1]
        self._required = frozenset(
            () if revert[1] else execute[0].keys() - set(execute[1])
        )
        self.default_provides: object = None
        self.save_as: SaveAs = SharedDict()
        provides = owner.default_provides
        if isinstance(provides, (str, Sequence, Set)):
            self.default_provides = provides
            self.save_as = SharedDict(save_as_of(provides))
        self.provides = _symbols(tuple(self.save_as))

    def __reduce__(self) -> tuple[typing.Any, ...]:
        # An atom that is copied or pickled finds the binding of its class.
        return (binding_of, (self.owner,))

    @property
    def requires(self) -> sets.OrderedSet[str]:
        """Return the symbols without which execute or revert cannot run."""
        return self._requires

    def rebound(self, who: str, rebind: Rebind) -> Binding:
        """Bind an atom that gives other symbols to its arguments.

        This is what constructors most often ask for: where it comes down to
        copying two small dicts, that is all that is done.
        """
        if type(rebind) is not dict or not self._required.issuperset(rebind):
            return self.bind(who, Request(rebind=rebind), Request())
        first, second = self._plain
        accepted = rebind
        if not self.revert_signature.open:
            accepted = {a: s for a, s in rebind.items() if a in second}
        return Binding(
            self,
            ({**first, **rebind}, self._optional),
            ({**second, **accepted}, ()),
            self.revert_accepts,
        )

    def bind(
        self,
        who: str,
        execute: Request,
        revert: Request,
        signatures: tuple[Signature, Signature] | None = None,
    ) -> Binding:
        """Bind an atom whose constructor says more than its class.

        What was asked for ``execute`` holds for ``revert`` too where nothing
        was asked for that, as far as it accepts it.

        :param who: the name of the atom, for messages
        :param signatures: of execute and revert, if not those of the class
        """
        first, second = signatures or (
            self.execute_signature,
            self.revert_signature,
        )
        ignored = self.owner._ignored
        inheriting = Request(
            revert.requires or execute.requires,
            revert.rebind or _fitting(execute.rebind, first, second, ignored),
            execute.auto_extract,
            (*ignored[1], *execute.ignore),
        )
        if ignored[0]:
            execute = execute._replace(ignore=(*ignored[0], *execute.ignore))
        return Binding(
            self,
            execute.bind(first, who),
            inheriting.bind(second, who, insisted=revert.names()),
            accepted_from_engine(second),
        )


def binding_of(owner: type[AtomClass]) -> ClassBinding:
    """Return what the atoms of a class share, inspecting it if needed."""
    found = owner._class_binding
    if (
        found is None
        or found.owner is not owner
        or found.execute is not owner.execute
        or found.revert is not owner.revert
    ):
        found = owner._class_binding = ClassBinding(owner)
    return found


def _fitting(
    rebind: Rebind,
    execute: Signature,
    revert: Signature,
    ignored: tuple[Collection[str], Collection[str]],
) -> Rebind:
    """Return what ``revert`` inherits of execute's ``rebind``.

    Symbols in order hold for the arguments of both, unless there are more of
    them than ``revert`` takes: then they go by the names that they have for
    ``execute``.
    """
    if not rebind or revert.open or isinstance(rebind, Mapping):
        return rebind
    if len(rebind) <= len(set(revert.required).difference(ignored[1])):
        return rebind
    named = [arg for arg in execute.required if arg not in ignored[0]]
    return dict(zip(named, rebind, strict=False))


def accepted_from_engine(signature: Signature) -> frozenset[str]:
    """Return which of the engine's own names a callable takes."""
    if signature.open:
        return NAMES_OF_THE_ENGINE
    return frozenset(filter(signature.accepts, NAMES_OF_THE_ENGINE))


def save_as_of(provides: Provides | None) -> SaveAs:
    """Map the names that an atom provides to keys of its result."""
    if isinstance(provides, str):
        return {provides: None}
    if provides is None:
        return {}
    if isinstance(provides, Sequence):
        return {name: index for index, name in enumerate(provides)}
    if isinstance(provides, Set):
        return {name: name for name in provides}
    raise TypeError(
        f'Atom provides {provides!r}: a string is expected, a list '
        'or tuple, or a set'
    )


def _signature(owner: type, name: str) -> Signature:
    function = inspect.getattr_static(owner, name)
    if hasattr(function, '__get__'):
        # Whatever it is bound to only takes the place of its first argument.
        function = function.__get__(object(), owner)
    return Signature(function)


def _symbols(names: tuple[str, ...]) -> sets.OrderedSet[str]:
    return sets.OrderedSet(names) if names else NOTHING
