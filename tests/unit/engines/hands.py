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

"""Flows whose tasks end when a test says so, and what is heard of them."""

from __future__ import annotations

from taskflow_service import clock as clock_mod
from taskflow_service import engines
from taskflow_service import task
from taskflow_service.executors import attempt
from taskflow_service.executors import base
from taskflow_service.types import notifier


class Boom(Exception):
    """What a task fails with."""


class Say(task.Task):
    """Says what it does to a list that the class is given."""

    def execute(self):
        return self.name

    def revert(self, **kwargs):
        pass


class Fail(Say):
    def execute(self):
        raise Boom(self.name)


class ByHand(base.Executor):
    """Holds what it is given; ``script`` says, step by step, what happens.

    The script is a generator: it runs until its next ``yield`` whenever the
    loop has nothing left to do but wait; where the script does nothing
    either, time moves on to what is waited for. When it is at its end
    whatever runs, or is started later, is performed at once.
    """

    def __init__(self, script=None, room=None):
        self.running = {}
        self.started = []
        self.cancelled = {}
        self.room = room
        self._script = None if script is None else script(self)

    def place(self, offer):
        """Take what there is room for."""
        placed = []
        try:
            while self.room is None or (
                len(placed) + len(self.running) < self.room
            ):
                placed.append(offer.take())
        except IndexError:
            pass
        return placed

    def start(self, requests):
        """Keep them."""
        for request in requests:
            self.started.append((str(request.action), request.task.name))
            self.running[request.task.name] = request

    def release(self, requests):
        """Forget them."""

    def cancel(self, request, reason):
        """Take note of it."""
        self.cancelled[request.task.name] = reason

    def idle(self):
        """Have the script go on."""
        if self._script is not None:
            try:
                next(self._script)
                return
            except StopIteration:
                self._script = None
        for name in list(self.running):
            self.perform(name)

    def perform(self, name):
        """Run a task's body now; its outcome is taken next."""
        request = self.running.pop(name)
        end, value = attempt.perform(
            request, attempt.attempt_of(request, self.deliver)
        )
        self.deliver(base.Outcome(request, end, value))

    def end(self, name, end=base.End.OK, value=None):
        """Have a task end as is said."""
        request = self.running.pop(name)
        self.deliver(base.Outcome(request, end, value))

    def tell(self, name, progress):
        """Have a running task tell how far it is."""
        request = self.running[name]
        told = (task.EVENT_UPDATE_PROGRESS, {'progress': progress})
        self.deliver(base.Outcome(request, None, told))

    def close(self):
        """Forget what runs."""
        self.running = {}


def load(flow, script=None, room=None, **options):
    """Make an engine whose tasks a script ends, by a clock of its own.

    The clock moves on by itself to whatever is waited for.
    """
    return engines.load(
        flow,
        engine='parallel',
        executor=ByHand(script, room),
        clock=clock_mod.VirtualClock(auto=True),
        **options,
    )


def listen(engine):
    """Collect what an engine tells, as ``name: old -> new``."""
    heard = []

    def atom(state, details):
        name = details.get('task_name') or details['retry_name']
        heard.append(f'{name}: {details["old_state"]} -> {state}')

    def flow(state, details):
        heard.append(f'{details["old_state"]} -> {state}')

    engine.atom_notifier.register(notifier.Notifier.ANY, atom)
    engine.notifier.register(notifier.Notifier.ANY, flow)
    return heard


def states(engine):
    """The states of all atoms by name."""
    names = [detail.name for detail in engine.storage._flowdetail]
    return {name: engine.storage.get_atom_state(name) for name in names}
