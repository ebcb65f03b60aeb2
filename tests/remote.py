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


"""What tests of remote execution share: a bus of their own, and tasks."""

from __future__ import annotations

from collections.abc import Callable
import threading
import time
import typing
import uuid

import fixtures
from oslo_config import cfg

from taskflow_service import exceptions
from taskflow_service import identity
from taskflow_service import task
from taskflow_service import worker as worker_mod
from taskflow_service.engines import embedded
from taskflow_service.executors import hub
from taskflow_service.messaging import transport
from tests.conformance import transports

#: Seconds after which something that has not happened is a failure.
LONG = 30.0


class Bus(fixtures.Fixture):
    """A configuration for a bus and a state path that nobody else uses."""

    def __init__(
        self, url: str = 'fake://', namespace: str | None = None
    ) -> None:
        super().__init__()
        self.url = url
        self.namespace = namespace or f'tfs-{uuid.uuid4().hex[:12]}'
        self._closers: list[Callable[[], object]] = []

    def _setUp(self) -> None:
        self.conf = self.make_conf()
        self.addCleanup(self._close)

    def _close(self) -> None:
        # Each takes a second, so they close at the same time.
        threads = [threading.Thread(target=call) for call in self._closers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def make_conf(self) -> cfg.ConfigOpts:
        """Make a configuration as another process would have it."""
        conf = transports.make_conf(self.url, self.namespace)
        conf.set_override(
            'state_path', self.useFixture(fixtures.TempDir()).path
        )
        self.addCleanup(transport.forget, conf)
        self.addCleanup(lambda: identity.of_process(conf).close())
        self._closers.append(lambda: hub.forget(conf))
        self._closers.append(lambda: embedded.forget(conf))
        return conf

    def worker(
        self, *tasks: typing.Any, **kwargs: typing.Any
    ) -> worker_mod.Worker:
        """Start a worker, which stops at the latest with the test."""
        conf = kwargs.pop('conf', self.conf)
        made = worker_mod.Worker(conf, tasks=tasks, **kwargs)
        made.start()
        self._closers.append(lambda: made.stop(graceful=False))
        return made


class Notes:
    """What tasks leave for the test that runs them in its own process."""

    def __init__(self) -> None:
        self.lines: list[typing.Any] = []
        self.go_on = threading.Event()
        self.running = threading.Semaphore(0)

    def add(self, line: typing.Any) -> None:
        """Note something; thread-safe."""
        self.lines.append(line)


#: Replaced by each test that looks at it.
notes = Notes()


def new_notes() -> Notes:
    """Forget what was noted."""
    global notes
    notes = Notes()
    return notes


class Add(task.Task):
    """Adds what its constructor was given."""

    default_provides = 'total'

    def __init__(self, more: int = 1, **kwargs: typing.Any) -> None:
        super().__init__(**kwargs)
        self._more = more

    def execute(self, number: int) -> int:
        notes.add(('execute', self.name))
        return number + self._more

    def revert(self, result: typing.Any, **kwargs: typing.Any) -> None:
        notes.add(('revert', self.name, result))


class Quick(task.Task):
    """Does nothing, and may do it twice."""

    idempotent = True

    def execute(self) -> None:
        pass


class Nap(task.Task):
    """Takes its time, and notes when."""

    def __init__(self, seconds: float, **kwargs: typing.Any) -> None:
        super().__init__(**kwargs)
        self._seconds = seconds

    def execute(self) -> None:
        began = time.monotonic()
        attempt = typing.cast(task.Attempt, task.current())
        attempt.cancellation.wait(self._seconds)
        notes.add((self.name, began, time.monotonic()))


class Probed(Quick):
    """Was not done, if it is asked."""

    idempotent = False

    def probe(self) -> object:
        return task.NOT_DONE


class Broken(Exception):
    """What ``Break`` raises."""


class Break(task.Task):
    """Fails."""

    def execute(self, what: str = 'it') -> None:
        raise Broken(f'{what} broke')


class Unstorable(task.Task):
    """Returns, or raises, what has no stored form."""

    def execute(self, how: str) -> typing.Any:
        if how == 'result':
            return threading.Lock()
        if how == 'argument':
            raise Broken(threading.Lock())
        if how == 'exit':
            raise SystemExit(3)
        raise Broken('outside') from Broken(threading.Lock())


class Wait(task.Task):
    """Waits to be told to go on, or to stop."""

    def execute(self) -> str:
        attempt = typing.cast(task.Attempt, task.current())
        notes.add(attempt)
        notes.running.release()
        attempt.cancellation.add_callback(notes.go_on.set)
        if not notes.go_on.wait(LONG):
            raise exceptions.Timeout('nobody came')
        attempt.cancellation.raise_if_cancelled()
        return 'went on'


class Stubborn(task.Task):
    """Does not listen to its cancellation."""

    run_timeout = 5.0

    def execute(self) -> None:
        notes.running.release()
        notes.go_on.wait(LONG)


class Beat(task.Task):
    """Gives signs of life, more often than it must."""

    heartbeat_timeout = 1.0

    def execute(self, beats: int) -> None:
        attempt = typing.cast(task.Attempt, task.current())
        for number in range(beats):
            self.update_progress(number / beats)
            if attempt.cancellation.wait(0.25):
                attempt.cancellation.raise_if_cancelled()
