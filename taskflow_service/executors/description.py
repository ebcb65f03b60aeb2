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


"""What is said of a task so that a worker can run it.

A task travels by the wire name of its class and the arguments of its
constructor; which workers may have it is decided by its kind. Both are
worked out here, once for each class where they can be.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
import inspect
import typing

from taskflow_service import exceptions
from taskflow_service import registry
from taskflow_service import task as task_mod
from taskflow_service.executors import base
from taskflow_service.messaging import codec as codec_mod
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import records

#: Topics to the tasks that go there: names, paths or classes.
WorkersInfo = Mapping[str, Iterable[str | type[task_mod.Task]]]

_KindKey = tuple[type[task_mod.Task], typing.Any, bool, bool]


class Routing:
    """Which topics serve a task, as a static map says, if there is one.

    :param workers_info: topic to tasks, each by its wire name, as
        ``module:Class``, as ``module.Class``, or as a class; a task that is
        in none of its topics can run nowhere
    :param topics: without such a map: topics to which all tasks go
    """

    def __init__(
        self,
        workers_info: WorkersInfo | None = None,
        topics: Iterable[str] | None = None,
    ) -> None:
        self._default = tuple(topics or ())
        self._map: dict[str, list[str]] | None = None
        if workers_info is not None:
            self._map = {}
            for topic, tasks in workers_info.items():
                for each in tasks:
                    for name in _names(each):
                        self._map.setdefault(name, []).append(topic)

    def topics(self, cls: type[task_mod.Task]) -> tuple[str, ...] | None:
        """Return its topics, empty for any; None if it may go nowhere."""
        if self._map is None:
            return self._default
        found = [
            topic for name in _names(cls) for topic in self._map.get(name, ())
        ]
        return tuple(sorted(set(found))) or None


class Description:
    """Describes tasks and requests to workers. Thread-safe."""

    def __init__(
        self, codec: codec_mod.Codec, routing: Routing, max_size: int
    ) -> None:
        self._codec = codec
        self._routing = routing
        self._max_size = max_size
        self._kinds: dict[_KindKey, records.Kind] = {}

    def check(self, task: task_mod.Task) -> None:
        """Refuse a task that cannot travel.

        :raises TaskNotRemotable: names the task and what of it stays here
        """
        cls = type(task)
        if isinstance(task, task_mod.FunctorTask) or '<' in cls.__qualname__:
            raise exceptions.TaskNotRemotable(
                f'Task {task.name!r} cannot run on a worker: '
                f'{cls.__qualname__} is not a class at the top of a module, '
                'by which a worker could find it; define one, or set '
                "runs_in = 'engine'"
            )
        if self._routing.topics(cls) is None:
            raise exceptions.TaskNotRemotable(
                f'Task {task.name!r} ({registry.wire_name(cls)}) is under no '
                'topic of workers_info, so no worker may run it'
            )
        args, kwargs = task.constructor_arguments
        if not args and not kwargs:
            return
        for name, value in _named(cls, args, kwargs):
            try:
                self._codec.encode(value)
            except exceptions.ValueNotStorable as ex:
                raise exceptions.TaskNotRemotable(
                    f'Task {task.name!r} cannot run on a worker: argument '
                    f'{name!r} of its constructor cannot travel: {ex}; make '
                    "it a value that can, or set runs_in = 'engine'",
                    ex,
                ) from ex

    def kind(self, request: base.Request) -> records.Kind:
        """Return what decides where a request may go."""
        task = request.task
        cls = type(task)
        extra = request.action is not base.Action.EXECUTE
        version = task.version
        key = (cls, version, task.idempotent, extra)
        try:
            return self._kinds[key]
        except (KeyError, TypeError):
            pass
        if isinstance(version, list | tuple):
            version = '.'.join(map(str, version))
        kind = records.Kind(
            registry.wire_name(cls),
            str(version),
            bool(task.idempotent) or request.action is base.Action.PROBE,
            self._routing.topics(cls) or (),
            extra,
        )
        if isinstance(key[1], tuple | str):
            self._kinds[key] = kind
        return kind

    def message(
        self, request: base.Request, work: records.Work
    ) -> messages.Request:
        """Write a placed request as it travels.

        :raises ValueNotStorable: an argument cannot travel, or all of them
            together are too large
        """
        task = request.task
        run = request.run
        args, kwargs = task.constructor_arguments
        written = messages.Request(
            request_uuid=work.request_uuid,
            flow_uuid=run.flow_uuid,
            flow_name=run.flow_name,
            atom=str(task.name),
            task=work.kind.task,
            task_version=work.kind.version,
            action=messages.Action(request.action),
            attempt=request.attempt,
            round=request.number,
            epoch=run.epoch,
            grant=work.grant,
            backlog=work.charge is records.Charge.BACKLOG,
            idempotent=work.kind.idempotent,
            strict_fence=task.strict_fence,
            run_timeout=task.run_timeout,
            heartbeat_timeout=task.heartbeat_timeout,
            memory_limit=task.memory_limit,
            constructor=self._text([list(args), kwargs])
            if args or kwargs
            else None,
            arguments=self._arguments(request),
            context=self._text(run.context),
        )
        if written.size > self._max_size // 2:
            raise exceptions.ValueTooLarge(
                f'the arguments take up to {written.size} bytes, more than '
                'half of [remote] max_message_size; pass where they are '
                'instead',
                size=written.size,
                reason='too large to travel',
            ).of(str(task.name), 'arguments')
        return written

    def _arguments(self, request: base.Request) -> str | None:
        if not request.arguments:
            return None
        try:
            return self._codec.encode(request.arguments)
        except exceptions.ValueNotStorable as ex:
            raise ex.of(str(request.task.name), 'arguments') from ex

    def _text(self, value: typing.Any) -> str | None:
        return None if value is None else self._codec.encode(value)


def _names(task: str | type[task_mod.Task]) -> list[str]:
    if isinstance(task, str):
        return [task]
    path = registry.path_of(task)
    return list(
        dict.fromkeys((registry.wire_name(task), path, path.replace(':', '.')))
    )


def _named(
    cls: type[task_mod.Task],
    args: tuple[typing.Any, ...],
    kwargs: dict[str, typing.Any],
) -> list[tuple[str, typing.Any]]:
    """Pair a constructor's arguments with their names, for an error."""
    parameters = list(inspect.signature(cls).parameters)
    named = [
        (parameters[index] if index < len(parameters) else str(index), value)
        for index, value in enumerate(args)
    ]
    return named + list(kwargs.items())
