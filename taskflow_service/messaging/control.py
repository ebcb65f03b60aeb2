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


"""The control: one thread at a time drives a half of the protocol.

Whatever happens elsewhere (a message, the end of a task, a wish of the
loop) is a call to it. After each batch of calls comes a turn: the core is
asked what to do, and what there is to send is handed over. A peer whose last
message is still on its way gets the next one when that has gone, built then:
so what comes up meanwhile travels together.

To wake a thread costs more than most turns. So the thread that brings a
call takes the turn itself where it finds nobody at it, and leaves its call to
who is at it otherwise. A thread of the control's own takes the turns for
which nothing but time is the reason, and those of threads that have better
things to do. No turn waits for the bus: what there is to send, a sender
sends.
"""

from __future__ import annotations

import abc
import collections
from collections.abc import Callable
import contextlib
import itertools
import queue
import threading
import time
import typing

from oslo_config import cfg
from oslo_log import log as logging

from taskflow_service import clock as clock_mod
from taskflow_service.messaging import endpoint
from taskflow_service.messaging import transport as transport_mod
from taskflow_service.protocol import link
from taskflow_service.protocol import messages

LOG = logging.getLogger(__name__)

#: A core wants to be asked at least this often, in seconds.
TICK = 0.5
#: Calls after which a turn is due, however many more wait.
_BATCH = 1000
#: Turns that another thread than the control's own takes, one after another.
_FAVOURS = 3
#: Seconds between two log lines about messages that are not taken.
_REPEAT = 60.0
_SELF = 'self'
#: What comes back of a message in the best of worlds.
_USUAL = frozenset(
    f'handed back: {why}'
    for why in ('no room', 'grant lapsed', 'recalled', 'closed')
)

_Call = tuple[Callable[..., object], tuple[typing.Any, ...]]


def nothing() -> None:
    """Do nothing: what is wanted is the turn after it."""


def timing_of(conf: cfg.ConfigOpts) -> link.Timing:
    """Return the protocol's lengths of time as configured."""
    return link.Timing(
        lease=conf.remote.lease, lost_after=conf.remote.lost_after
    )


class Control(abc.ABC):
    """Runs one core, in one thread at a time.

    :param peer: under which name it receives, and as which incarnation
    :param url: instead of ``[DEFAULT] transport_url``
    :raises ConfigurationError: what is configured can carry no requests
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        role: transport_mod.Role,
        peer: messages.Peer,
        url: str | None = None,
        clock: clock_mod.Clock = clock_mod.SYSTEM,
    ) -> None:
        self.conf = conf
        self.peer = peer
        self.clock = clock
        self.timing = timing_of(conf)
        self._max_size = conf.remote.max_message_size
        self._calls: collections.deque[_Call] = collections.deque()
        #: Held by the thread that takes a turn; nobody waits for it but the
        #: control thread.
        self._turns = threading.Lock()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        #: For how long the control thread waits for the bell.
        self._pause = TICK
        self._over = False
        #: Until when a subclass waits with a message, so that it grows.
        self.patience = TICK
        self._sending = threading.Lock()
        #: Where a message is on its way to, and where another one waits for
        #: that.
        self._under_way: set[transport_mod.Address] = set()
        self._held_up: set[transport_mod.Address] = set()
        self._said: dict[str, float] = {}
        #: Messages that were not taken, by the reason.
        self.refusals: collections.Counter[str] = collections.Counter()
        self._mark = f'{_SELF}:{peer.incarnation}:'
        self._thread = threading.Thread(
            target=self._run, name=f'tfs-{role}-{peer.name}', daemon=True
        )
        self.endpoint = endpoint.Endpoint(
            conf, role, peer.name, self._arrived, url
        )

    def open(self) -> None:
        """Begin to listen and to run; does not block."""
        self.endpoint.open()
        self._thread.start()

    def post(self, call: Callable[..., object], *args: typing.Any) -> None:
        """Have something called and a turn taken soon; thread-safe."""
        self._calls.append((call, args))
        self._bell.put(None)

    def do(self, call: Callable[..., object], *args: typing.Any) -> None:
        """As :meth:`post`, in this thread if nobody is at it; thread-safe.

        For threads that no program may interrupt and that hold no lock.
        """
        self._calls.append((call, args))
        self._advance()

    def finish(self, timeout: float) -> None:
        """Take a last turn, send what it gives, and run no more."""
        deadline = time.monotonic() + timeout
        self.post(self._end)
        if self._thread.is_alive():
            self._thread.join(timeout)
        self.endpoint.finish(max(0.0, deadline - time.monotonic()))

    def close(self, timeout: float = 5.0) -> None:
        """As :meth:`finish`, and stop listening; takes a second."""
        self.finish(timeout)
        self.endpoint.close()

    @property
    def ended(self) -> bool:
        """Whether the control thread has ended."""
        return not self._thread.is_alive()

    # What a subclass does, in the thread that takes the turn

    @abc.abstractmethod
    def received(self, message: messages.Message) -> None:
        """Give a message from the bus to the core."""

    @abc.abstractmethod
    def returned(self, number: int) -> None:
        """Tell the core that a cast to oneself came back."""

    @abc.abstractmethod
    def turn(self) -> None:
        """Ask the core what to do, do it, and send what there is."""

    @property
    @abc.abstractmethod
    def counts(self) -> collections.Counter[str]:
        """How often the core took nothing of a message, by the reason."""

    def namesake(self, incarnation: str) -> None:
        """Take note that another incarnation casts to this name."""
        self.say(
            'Two processes use the name %s: this one (%s) and another (%s); '
            'give one of them another [worker] name, or hosts state paths '
            'of their own',
            self.peer.name,
            self.peer.incarnation,
            incarnation,
        )

    # What a subclass uses

    def now(self) -> clock_mod.Boottime:
        """Return the time by which the core judges."""
        return self.clock.boottime()

    def sending(self, address: transport_mod.Address) -> bool:
        """Whether a message to an address is still on its way.

        If so, a turn follows when the bus has it, or has not.
        """
        with self._sending:
            if address not in self._under_way:
                return False
            self._held_up.add(address)
            return True

    def send(
        self,
        address: transport_mod.Address,
        message: messages.Message,
        version: messages.Version | None = None,
        last_look: Callable[[messages.Message], messages.Message]
        | None = None,
    ) -> None:
        """Hand a message to a sender.

        :param version: what was agreed with its reader
        :param last_look: called right before the send, in the thread that
            sends: returns what may go out then
        """

        def build() -> str:
            final = message if last_look is None else last_look(message)
            return messages.to_wire(final, self._max_size, version)

        with self._sending:
            self._under_way.add(address)
        self.endpoint.send(
            address, build, lambda error: self._sent(address, error)
        )

    def cast_self(self, number: int) -> None:
        """Send a number to oneself: it proves that the link is good."""
        self.endpoint.send(
            self.endpoint.address, lambda: f'{self._mark}{number}'
        )

    def say(
        self,
        what: str,
        *args: typing.Any,
        about: str = '',
        level: int = logging.WARNING,
    ) -> None:
        """Log something, the same about the same at most once a minute."""
        now = time.monotonic()
        if now - self._said.get(what + about, float('-inf')) >= _REPEAT:
            self._said[what + about] = now
            LOG.log(level, what, *args)

    # The rest is ours

    def _sent(
        self, address: transport_mod.Address, error: Exception | None
    ) -> None:
        """Let the next message go; called in a sender."""
        with self._sending:
            self._under_way.discard(address)
            held_up = address in self._held_up
            self._held_up.discard(address)
        if isinstance(error, messages.MessageRefused):
            what = '%s cannot send a message: %s'
            self.do(self.say, what, self.peer.name, error)
        elif held_up:
            self.do(nothing)

    def _arrived(self, text: str) -> None:
        """Read a text; called in a thread of the bus."""
        if text.startswith(_SELF):
            _, _, rest = text.partition(':')
            incarnation, _, number = rest.partition(':')
            if incarnation != self.peer.incarnation:
                self.do(self.namesake, incarnation)
            elif number.isdecimal():
                self.do(self.returned, int(number))
            return
        try:
            message = messages.from_wire(text, self._max_size)
        except messages.MessageRefused as refused:
            self.do(self.refused, refused)
        else:
            self.do(self._take, message)

    def _take(self, message: messages.Message) -> None:
        """Give a message to the core; say of what it takes nothing."""
        known = dict(self.counts)
        self.received(message)
        if self.counts == known:
            return
        for reason, count in self.counts.items():
            if count != known.get(reason) and reason not in _USUAL:
                self.say(
                    '%s: %s: %s (%d so far)',
                    self.peer.name,
                    message.message_id,
                    reason,
                    count,
                    about=reason,
                    level=logging.INFO,
                )

    def refused(self, refused: messages.MessageRefused) -> None:
        """Take note of a message that is not taken."""
        self.refusals[refused.reason] += 1
        self.say(
            '%s does not take a %s (%d so far)',
            self.peer.name,
            refused,
            self.refusals[refused.reason],
            about=refused.reason,
        )

    def _run(self) -> None:
        over = False
        while not over:
            # What was brought below is left to this thread.
            if not self._calls:
                self._wait()
            self._advance()
            # Behind a turn that another thread takes, which may be the last.
            with self._turns:
                self._pause, over = self.patience, self._over

    def _wait(self) -> None:
        with contextlib.suppress(queue.Empty):
            self._bell.get(timeout=self._pause)
            while True:
                self._bell.get_nowait()

    def _advance(self) -> None:
        """Take turns while there are calls, unless somebody is at it.

        Who is at it looks for calls once more when he has let go of it, so
        that none is left behind.
        """
        mine = threading.current_thread() is self._thread
        for _ in itertools.count() if mine else range(_FAVOURS):
            if not self._turns.acquire(blocking=False):
                return
            try:
                if self._over:
                    return
                self._take_turn()
                hurry = self.patience < self._pause
            finally:
                self._turns.release()
            if not self._calls:
                break
        else:
            hurry = True
        if hurry and not mine:
            self._bell.put(None)

    def _take_turn(self) -> None:
        calls = self._calls
        for _ in range(min(len(calls), _BATCH)):
            call, args = calls.popleft()
            self._guarded(call, *args)
        self._guarded(self.turn)

    def _end(self) -> None:
        self._over = True

    def _guarded(self, call: Callable[..., object], *args: typing.Any) -> None:
        try:
            call(*args)
        except Exception:
            # A fault in one call must not end a thread that everything
            # hangs on.
            LOG.exception('%s: a call of %s failed', self.peer.name, call)
