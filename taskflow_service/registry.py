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

"""Plugins by name: tasks, flow factories, engines, executors and so on.

Whatever has a name in a configuration file, a logbook or a message is found
here among the entry points of installed distributions, and nowhere else: a
name that came over the bus never makes anything be imported by its path.
Each is looked up and imported once per process; what is installed later is
seen by the next one, or after :func:`forget`.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
import enum
import fnmatch
import functools
import importlib
from importlib import metadata
import inspect
import itertools
import logging
import types
import typing

from oslo_config import cfg
import stevedore

from taskflow_service import exceptions
from taskflow_service import task

LOG = logging.getLogger(__name__)

#: Origin of a task class that a program gave instead of an entry point.
GIVEN = 'given by the program'


class Kind(enum.StrEnum):
    """What can be plugged in, and under which stevedore namespace."""

    TASK = 'taskflow_service.tasks'
    FLOW = 'taskflow_service.flows'
    ENGINE = 'taskflow_service.engines'
    EXECUTOR = 'taskflow_service.executors'
    PERSISTENCE = 'taskflow_service.persistence'
    LISTENER = 'taskflow_service.listeners'
    SETUP = 'taskflow_service.setup'


#: What a plugin is called in a message, and where its name is configured.
_WORDS = {
    Kind.TASK: ('task', '[worker] tasks'),
    Kind.FLOW: ('flow factory', 'flow factory'),
    Kind.ENGINE: ('engine', '[engine] type'),
    Kind.EXECUTOR: ('executor', '[engine] executor'),
    Kind.PERSISTENCE: ('persistence backend', '[persistence] backend'),
    Kind.LISTENER: ('listener', '[engine] listeners'),
    Kind.SETUP: ('setup callable', '[worker] setup'),
}


class TaskType(typing.NamedTuple):
    """A task class that can be served."""

    #: By which it is listed: its entry point, else its path.
    name: str
    cls: type[task.Task]
    #: Dotted, as ``1.0``.
    version: str
    #: The distribution and its version, or ``GIVEN``.
    origin: str

    @property
    def names(self) -> tuple[str, ...]:
        """Every wire name by which it is served, ``name`` first."""
        path = path_of(self.cls)
        return (self.name,) if path == self.name else (self.name, path)


def names(kind: Kind) -> list[str]:
    """List the installed names of a kind; imports nothing of theirs."""
    return sorted(_points(kind))


def load(kind: Kind, name: str, option: str | None = None) -> typing.Any:
    """Return what is installed under a name, imported once per process.

    ``option`` is named in errors instead of the usual one. Raises NotFound
    if nothing has the name, Duplicate if several distributions claim it, and
    ConfigurationError if it cannot be imported.
    """
    option = option or _WORDS[kind][1]
    point = _point(kind, name, option)
    try:
        return _import(point)
    except Exception as exc:
        raise exceptions.ConfigurationError(
            f'{option}: the {_WORDS[kind][0]} {name!r} of {_origin(point)} '
            f'cannot be imported from {point.value}',
            exc,
            option=option,
        ) from exc


def origin(kind: Kind, name: str) -> str:
    """Name the distribution, and its version, that provides a name."""
    return _origin(_points(kind)[name][0])


def path_of(target: type | types.FunctionType) -> str:
    """Return ``module:qualname``, by which every task class is served."""
    return f'{target.__module__}:{target.__qualname__}'


def wire_name(cls: type) -> str:
    """Return the name under which workers know a task class.

    That is the first of its entry points by name, else its path, which a
    worker serves that was given the class. Imports nothing.
    """
    path = path_of(cls)
    return _task_names().get(path, path)


def select(
    patterns: Iterable[str], option: str = '[worker] tasks'
) -> tuple[set[str], set[str]]:
    """Return the names of registered tasks: those given, those matched.

    Imports nothing. Raises NotFound for a name or a pattern that selects
    nothing, and Duplicate.
    """
    exact: set[str] = set()
    matched: set[str] = set()
    for pattern in patterns:
        if pattern in _points(Kind.TASK) or not set('*?[') & set(pattern):
            exact.add(pattern)
            continue
        found = fnmatch.filter(names(Kind.TASK), pattern)
        if not found:
            raise exceptions.NotFound(
                f'{option}: no registered task matches {pattern!r}; known: '
                f'{", ".join(names(Kind.TASK)) or "none"}'
            )
        matched.update(found)
    for name in sorted(exact | matched):
        _point(Kind.TASK, name, option)
    return exact, matched


def tasks(
    patterns: Iterable[str], option: str = '[worker] tasks'
) -> list[TaskType]:
    """Return the registered tasks that names or patterns select, by name.

    A task that was named must be importable (ConfigurationError), one that
    only a pattern selects is left out with a warning if it is not. Raises
    NotFound for a name or a pattern that selects nothing, and Duplicate.
    """
    exact, matched = select(patterns, option)
    selected = []
    for name in sorted(exact | matched):
        try:
            selected.append(_task(name, option))
        except exceptions.ConfigurationError as exc:
            if name in exact:
                raise
            LOG.warning('Not served: %s', ' '.join(str(exc).split()))
    return selected


def tasks_from(
    entries: Iterable[str | type[task.Task] | types.ModuleType],
) -> list[TaskType]:
    """Return the tasks that a program gives to a worker of its own.

    An entry is a task class, a module (all tasks defined in it), the path
    of either (``module:Class``, ``module``), or a name or pattern of
    registered tasks. Raises NotFound for what leads nowhere. The paths are
    the program's own words: never call this with one from elsewhere.
    """
    found: dict[str, TaskType] = {}
    for entry in entries:
        for each in _given(entry):
            found.setdefault(each.name, each)
    return list(found.values())


def allowed_modules(conf: cfg.ConfigOpts) -> tuple[str, ...]:
    """Return the packages out of which stored classes may be imported.

    Without ``[serialization] allowed_modules`` these are the top-level
    packages of the registered tasks and flow factories.
    """
    configured = conf.serialization.allowed_modules
    if configured is not None:
        return tuple(configured)
    points = itertools.chain.from_iterable(
        (*_points(Kind.TASK).values(), *_points(Kind.FLOW).values())
    )
    return tuple(sorted({point.module.partition('.')[0] for point in points}))


def run_setup(conf: cfg.ConfigOpts) -> None:
    """Run the callables of ``[worker] setup`` in their order.

    Once in each worker process and in each task process, before anything is
    announced. Raises ConfigurationError with the name of one that fails.
    """
    for name in conf.worker.setup:
        function = load(Kind.SETUP, name)
        try:
            function(conf)
        except Exception as exc:
            raise exceptions.ConfigurationError(
                f'[worker] setup: {name!r} of {origin(Kind.SETUP, name)} '
                'failed',
                exc,
                option='[worker] setup',
            ) from exc


def _given(
    entry: str | type[task.Task] | types.ModuleType,
) -> Iterator[TaskType]:
    if isinstance(entry, str):
        if entry in _points(Kind.TASK) or set('*?[') & set(entry):
            yield from tasks([entry], 'tasks')
            return
        entry = _by_path(entry)
    if isinstance(entry, types.ModuleType):
        for _, member in sorted(inspect.getmembers(entry, _is_task)):
            if member.__module__ == entry.__name__:
                yield _of_class(member)
        return
    if not _is_task(entry):
        raise exceptions.NotFound(f'tasks: {entry!r} is not a task class')
    yield _of_class(entry)


def _by_path(path: str) -> typing.Any:
    """Import what a program named: a module, or a class in one."""
    module, _, qualname = path.partition(':')
    try:
        found: typing.Any = importlib.import_module(module)
        for part in qualname.split('.') if qualname else ():
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as exc:
        raise exceptions.NotFound(
            f'tasks: {path!r} is neither a registered task nor the path of '
            f'a module or a class ({exc}); registered are '
            f'{", ".join(names(Kind.TASK)) or "none"}'
        ) from exc
    return found


def _is_task(found: typing.Any) -> typing.TypeGuard[type[task.Task]]:
    return inspect.isclass(found) and issubclass(found, task.Task)


def _of_class(cls: type[task.Task]) -> TaskType:
    name = wire_name(cls)
    registered = name in _points(Kind.TASK)
    where = origin(Kind.TASK, name) if registered else GIVEN
    return TaskType(name, cls, _version(cls), where)


def _task(name: str, option: str) -> TaskType:
    cls = load(Kind.TASK, name, option)
    where = origin(Kind.TASK, name)
    if not _is_task(cls):
        raise exceptions.ConfigurationError(
            f'{option}: {name!r} of {where} is {cls!r}, not a task class',
            option=option,
        )
    return TaskType(name, cls, _version(cls), where)


def _version(cls: type[task.Task]) -> str:
    version = cls.version
    if isinstance(version, list | tuple):
        return '.'.join(map(str, version))
    return str(version)


def _point(kind: Kind, name: str, option: str) -> metadata.EntryPoint:
    """Return the one entry point of a name; raises NotFound, Duplicate."""
    word = _WORDS[kind][0]
    points = _points(kind).get(name, ())
    if not points:
        known = ', '.join(names(kind)) or 'none'
        raise exceptions.NotFound(
            f'{option}: no installed distribution provides the {word} '
            f'{name!r}; known: {known}'
        )
    if len(points) > 1:
        origins = ' and '.join(
            f'{_origin(point)} ({point.value})' for point in points
        )
        raise exceptions.Duplicate(
            f'{option}: the {word} {name!r} is provided by {origins}; '
            'uninstall one of them, or rename it there'
        )
    return points[0]


def forget() -> None:
    """Forget what was looked up: the next look-up reads what is there then.

    For a program that puts a distribution on its own path, a test most of
    all. No engine or worker may run meanwhile.
    """
    for found in (_points, _task_names, _import, _origin):
        found.cache_clear()
    for kind in Kind:
        stevedore.ExtensionManager.ENTRY_POINT_CACHE.pop(kind.value, None)


@functools.cache
def _points(kind: Kind) -> dict[str, tuple[metadata.EntryPoint, ...]]:
    # Named, with no names: lists the entry points and imports none.
    manager: typing.Any = stevedore.NamedExtensionManager(kind.value, [])
    found: dict[str, tuple[metadata.EntryPoint, ...]] = {}
    for point in manager.list_entry_points():
        # An installed copy and a checkout may both list the same thing.
        others = found.get(point.name, ())
        if point.value not in (other.value for other in others):
            found[point.name] = (*others, point)
    return found


@functools.cache
def _task_names() -> dict[str, str]:
    """Map the paths of registered tasks to their (first) names."""
    return {
        point.value: name
        for name in reversed(names(Kind.TASK))
        for point in _points(Kind.TASK)[name]
    }


@functools.cache
def _import(point: metadata.EntryPoint) -> typing.Any:
    return point.load()


@functools.cache
def _origin(point: metadata.EntryPoint) -> str:
    """Name the distribution of an entry point.

    stevedore's cache does not know it, so that all distributions are read;
    this is slow, and needed for a banner or an error only.
    """
    for found in metadata.entry_points(group=point.group, name=point.name):
        if found.value == point.value and found.dist is not None:
            return f'{found.dist.name} {found.dist.version}'
    return 'an unknown distribution'
