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


"""Run tasks on workers, reached over oslo.messaging.

Where a task goes is decided by the protocol's engine half, which all loops
of a process share (``hub``). What is ready waits here, as demand, until a
worker lends room for it. Tasks that are marked for the engine run in a few
threads of this process.
"""

from __future__ import annotations

from collections.abc import Iterable
import typing

from oslo_config import cfg
from oslo_log import log as logging

from taskflow_service import exceptions
from taskflow_service import task as task_mod
from taskflow_service.executors import base
from taskflow_service.executors import description
from taskflow_service.executors import hub as hub_mod
from taskflow_service.executors import threads
from taskflow_service.messaging import codec
from taskflow_service.messaging import defaults
from taskflow_service.messaging import transport as transport_mod
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import records
from taskflow_service.types import failure

LOG = logging.getLogger(__name__)


class RemoteExecutor(base.Executor):
    """Has requests run by workers.

    :param conf: None: defaults, as for TaskFlow's users
    :param workers_info: which topics serve which tasks (see ``Routing``);
        without it any worker that serves a task may have it
    :param topics: topics to which all tasks go, where there is no such map
    :param url: instead of ``[DEFAULT] transport_url``
    :param transport: TaskFlow's name for a transport: ``'memory'``
    :param exchange: TaskFlow's word for ``[remote] namespace``, without conf
    :param max_workers: threads for tasks that are marked for the engine
    :param options: other options of the engine; not looked at
    :raises ConfigurationError: what is configured can carry no requests
    """

    remote = True

    def __init__(
        self,
        conf: cfg.ConfigOpts | None = None,
        workers_info: description.WorkersInfo | None = None,
        topics: Iterable[str] | None = None,
        url: str | None = None,
        transport: str | None = None,
        exchange: str | None = None,
        max_workers: int | None = None,
        **options: typing.Any,
    ) -> None:
        if conf is None:
            conf = defaults.shared_conf(exchange)
        self.conf = conf
        self._start_timeout = conf.remote.start_timeout
        self.url = transport_mod.url_from(transport, url)
        self._codec = codec.Codec(conf)
        self._describe = description.Description(
            self._codec,
            description.Routing(workers_info, topics),
            conf.remote.max_message_size,
        )
        self._hub = hub_mod.shared(conf, self.url)
        self._hub.clients.add(self)
        self._local = threads.ThreadsExecutor(max_workers=max_workers)
        #: What waits for a place, by flow; under the hub's lock.
        self._waiting: dict[str, set[records.Work]] = {}
        #: What has one and was not returned by ``place`` yet.
        self._placed: dict[str, list[base.Request]] = {}
        self._offering: str | None = None

    def bind(self, deliver: base.Deliver) -> None:
        """Say where outcomes go."""
        super().bind(deliver)
        self._local.bind(deliver)

    def check(self, tasks: Iterable[task_mod.Task]) -> None:
        """Refuse tasks that cannot travel, unless they need not."""
        for task in tasks:
            if not _stays(task):
                self._describe.check(task)

    def place(self, offer: base.Offer) -> list[base.Request]:
        """Put all that is ready in line; return what has a place now."""
        works: list[records.Work] = []
        local: list[base.Request] = []
        while True:
            try:
                request = offer.take()
            except IndexError:
                break
            if _stays(request.task):
                local.append(request)
            else:
                works.append(self._work(request))
        placed = self._place(offer.run.flow_uuid, works)
        if local:
            self._local.open()
            mine = _LocalOffer(offer.run, local)
            placed += self._local.place(mine)
            for request in mine.left:
                offer.put_back(request)
        return placed

    def taken(self, request: base.Request) -> None:
        """Give back the room of a request that ran here."""
        self._local.taken(request)

    def called(self) -> Iterable[base.Run]:
        """Take out flows that waited for threads of this process."""
        return self._local.called()

    def idle(self) -> None:
        """Have the threads of tasks that stay here do their upkeep."""
        self._local.idle()

    def start(self, requests: list[base.Request]) -> None:
        """Send requests to where they were placed."""
        works: list[records.Work] = []
        for request in requests:
            work = request.private
            if isinstance(work, records.Work):
                if self._written(request, work):
                    works.append(work)
            elif isinstance(work, failure.Failure):
                self.deliver(base.Outcome(request, base.End.FAILED, work))
            else:
                self._local.start([request])
        if works:
            self._hub.start(works)

    def release(self, requests: list[base.Request]) -> None:
        """Give the room of requests back."""
        works = []
        for request in requests:
            if isinstance(request.private, records.Work):
                works.append(request.private)
            elif not isinstance(request.private, failure.Failure):
                self._local.release([request])
        if works:
            self._hub.release(works)

    def withdraw(self, run: base.Run) -> list[base.Request]:
        """Give up and return what waits for a flow, placed or not."""
        with self._hub.lock:
            works = self._waiting.pop(run.flow_uuid, set())
            placed = self._placed.pop(run.flow_uuid, [])
        self._hub.withdraw(works)
        self.release(placed)
        return [work.tag[1] for work in works] + placed

    def know(self, run: base.Run, logbook: base.Logbook | None) -> None:
        """Take note of where a flow is kept."""
        self._hub.evidence.know(run.flow_uuid, logbook)

    def attach(self, request: base.Request) -> None:
        """Ask after a request that an earlier owner of its flow started."""
        if request.worker is None or request.incarnation is None:
            super().attach(request)
            return
        work = self._work(request)
        work.request_uuid = request.request_uuid or ''
        self._hub.attach(
            work, messages.Peer(request.worker, request.incarnation)
        )

    def recorded(self, requests: list[base.Request]) -> None:
        """Let the workers forget outcomes that are committed."""
        uuids = [r.request_uuid for r in requests if r.request_uuid]
        if uuids:
            self._hub.recorded(uuids)

    def abandon(self, requests: list[base.Request]) -> None:
        """Forget requests that belong to another owner of their flow now."""
        mine = [r for r in requests if not isinstance(r.private, records.Work)]
        super().abandon(mine)
        works = [r.private for r in requests if r not in mine]
        uuids = [r.request_uuid for r in requests if r.request_uuid]
        self._hub.forget(works, uuids)

    def hush(self, run: base.Run) -> None:
        """Send nothing more of a flow that another process owns now."""
        self._hub.hush(self, run)

    def cancel(self, request: base.Request, reason: str) -> None:
        """Reach the token of a task, wherever it runs."""
        if isinstance(request.private, records.Work):
            self._hub.cancel(request.private, reason)
        else:
            self._local.cancel(request, reason)

    def outage(self, away: bool) -> None:
        """Have no start deadline run while a logbook is away."""
        self._hub.outage(self, away)

    def close(self) -> None:
        """Let the workers forget what is recorded; wait for nobody."""
        with self._hub.lock:
            left = [work for works in self._waiting.values() for work in works]
            placed = [r for found in self._placed.values() for r in found]
            self._waiting.clear()
            self._placed.clear()
        self._hub.withdraw(left)
        self.release(placed)
        self._hub.flush()
        self._local.close()

    # What the hub says; see ``hub.Client``

    def placed(self, work: records.Work) -> None:
        """Take note, under the hub's lock, that work has a place."""
        request: base.Request = work.tag[1]
        worker = typing.cast(messages.Peer, work.worker)
        request.request_uuid = work.request_uuid
        request.worker = worker.name
        request.incarnation = worker.incarnation
        self._found_place(work, request)

    def happened(self, event: records.Event) -> None:
        """Take what became of a request; in a turn of the hub."""
        if isinstance(event, records.Ended):
            self._ended(event)
        elif isinstance(event, records.Progressed):
            self._progressed(event)
        elif isinstance(event, records.Expired):
            self._expired(event)
        elif isinstance(event, records.Counted):
            request = event.work.tag[1]
            self.deliver(base.Outcome(request, None, (base.COUNTED, {})))

    def cut_off(self, seconds: float) -> None:
        """Give up what may not wait that long for a broker."""
        hub = self._hub
        with hub.lock:
            late = [
                work
                for works in self._waiting.values()
                for work in works
                if work.start_timeout is not None
                and seconds >= work.start_timeout
            ]
            reason = 'the message broker does not answer'
            for work in late:
                if hub.machine.withdraw(work):
                    self._expired(records.Expired(work, reason))

    # Placing

    def _work(self, request: base.Request) -> records.Work:
        task = request.task
        limit = task.start_timeout
        work = records.Work(
            self._describe.kind(request),
            (self, request),
            request.run.epoch,
            self._start_timeout if limit is None else limit,
        )
        former, request.former = request.former, None
        if former is not None and isinstance(former.private, records.Work):
            _inherit(request, work, former)
        request.private = work
        return work

    def _place(
        self, flow_uuid: str, works: list[records.Work]
    ) -> list[base.Request]:
        hub = self._hub
        if not works and not self._placed:
            return []
        with hub.lock:
            self._offering = flow_uuid
            if works:
                self._waiting.setdefault(flow_uuid, set()).update(works)
                hub.place(works)
            self._offering = None
            placed = self._placed.pop(flow_uuid, [])
            waits = [w for w in works if w.phase is records.Phase.WAITING]
            kinds = {work.kind: work for work in waits}
            said = {kind: hub.reason(work) for kind, work in kinds.items()}
        for work in waits:
            work.tag[1].reason = said[work.kind]
        if waits:
            hub.poke()
        return placed

    def _found_place(self, work: records.Work, request: base.Request) -> None:
        """Keep a request for the next ``place``; under the hub's lock."""
        flow_uuid = request.run.flow_uuid
        waiting = self._waiting.get(flow_uuid)
        if waiting is not None:
            waiting.discard(work)
            if not waiting:
                del self._waiting[flow_uuid]
        there = self._placed.setdefault(flow_uuid, [])
        there.append(request)
        if flow_uuid != self._offering and len(there) == 1:
            request.run.poke()

    def _written(self, request: base.Request, work: records.Work) -> bool:
        """Write the message of a request; False if that is its failure."""
        try:
            work.request = self._describe.message(request, work)
        except Exception:
            self._hub.release([work])
            self.deliver(
                base.Outcome(request, base.End.FAILED, failure.Failure())
            )
            return False
        return True

    # Outcomes

    def _ended(self, event: records.Ended) -> None:
        request: base.Request = event.work.tag[1]
        outcome = event.outcome
        end = base.End(event.end)
        if outcome is None:
            self.deliver(base.Outcome(request, end))
            return
        value: typing.Any = None
        try:
            value = self._value(request, end, outcome.value)
        except Exception:
            end, value = base.End.FAILED, failure.Failure()
        self.deliver(
            base.Outcome(
                request, end, value, outcome.started, outcome.finished
            )
        )

    def _value(
        self, request: base.Request, end: base.End, text: str | None
    ) -> typing.Any:
        if text is None:
            if end is base.End.CANCELLED:
                return failure.Failure.from_exception(
                    exceptions.Cancelled('Cancelled before it started')
                )
            return None
        value = self._codec.decode(text)
        if end is base.End.OK and request.action is base.Action.PROBE:
            return task_mod.Done(value[0]) if value else task_mod.NOT_DONE
        return value

    def _progressed(self, event: records.Progressed) -> None:
        name, details = self._codec.decode(event.progress)
        self.deliver(base.Outcome(event.work.tag[1], None, (name, details)))

    def _expired(self, event: records.Expired) -> None:
        """Place it nowhere: once it is RUNNING it fails at its start."""
        request: base.Request = event.work.tag[1]
        trouble = self._hub.endpoint.trouble
        reason = (
            f'the message broker is away: {trouble}'
            if trouble
            else event.reason
        )
        request.private = failure.Failure.from_exception(
            exceptions.StartTimeout(
                f'Task {request.task.name!r} of flow {request.run.flow_uuid} '
                f'could not start within {event.work.start_timeout:g} s: '
                f'{reason}'
            )
        )
        with self._hub.lock:
            self._found_place(event.work, request)


class _LocalOffer:
    """What a flow has ready for this process."""

    def __init__(self, run: base.Run, left: list[base.Request]) -> None:
        self.run = run
        self.left = left

    def __len__(self) -> int:
        return len(self.left)

    def take(self) -> base.Request:
        """Pop the best one."""
        return self.left.pop(0)

    def put_back(self, request: base.Request) -> None:
        """Undo a ``take``."""
        self.left.insert(0, request)


def _inherit(
    request: base.Request, work: records.Work, former: base.Request
) -> None:
    """Carry over what holds for an atom, not for one request of it."""
    if request.action is base.Action.PROBE:
        # Where its execute was lost that may still run.
        work.avoid = (
            former.private.avoid
            if former.action is base.Action.PROBE
            else former.incarnation
        )
    if (request.action, request.attempt) == (former.action, former.attempt):
        work.starved = former.private.starved


def _stays(task: task_mod.Task) -> bool:
    return task.runs_in == 'engine'
