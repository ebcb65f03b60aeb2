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

"""Names of processes, and the proof that one of them is dead.

Every process that listens or owns flows takes one name, ``<host>.<n>``, by
locking ``names/<host>.<n>.lock`` below the state path. Beside the lock lies
a record: the *incarnation* (a uuid made once per process start, written and
fsynced before the first claim or message), and those that had the name
before, each with how it ended. A lock that is free proves dead the
incarnation in its record; there is no other proof.

The lock is ``flock`` because it belongs to the open file, not to the
process: whoever holds a duplicate of the descriptor keeps it. Task processes
are given one, so that a name is free only when all of them are gone. For the
same reason the lock is never released by ``LOCK_UN``, which would release it
under them, only by closing. The record is a file of its own because it is
replaced as a whole, and a lock must stay on one inode.

Limits: processes that tasks start themselves do not hold the lock. Two hosts
must not share a state path, nor a name.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator
import contextlib
import enum
import fcntl
import json
import logging
import os
import pathlib
import socket
import tempfile
import threading
import time
import typing
import uuid

from oslo_config import cfg

from taskflow_service import exceptions

LOG = logging.getLogger(__name__)

SYSTEM_STATE_PATH = pathlib.Path('/var/lib/taskflow_service')
USER_STATE_PATH = pathlib.Path('~/.local/state/taskflow_service')

#: Names on one host; reached only if something takes them and never ends.
_MOST_NAMES = 10000
#: Predecessors that a record keeps: some hours of a worker that crashes as
#: fast as it is started again.
_MOST_PREDECESSORS = 1000
#: A prober holds a lock for microseconds; a taker tries again this often
#: before it believes that somebody lives under the name.
_TRIES = 1000


class End(enum.StrEnum):
    """How an incarnation ended."""

    #: Every request that it started has its outcome spooled or recorded.
    CLEAN = 'clean'
    #: Anything else: requests that it had started are dead.
    UNCLEAN = 'unclean'


class Predecessor(typing.NamedTuple):
    """An incarnation that is gone."""

    name: str
    incarnation: str
    end: End
    #: Wall-clock time at which it started.
    started_at: float


# Guards ``_held`` and ``_of_process``, and every moment in which a lock is
# open that must not be inherited: a fork in between would keep it for the
# child's life.
_fork_lock = threading.RLock()
_held: set[Identity] = set()
_of_process: dict[pathlib.Path, Identity] = {}


class Identity:
    """A name that this process holds. Thread-safe.

    ``clean`` says what an orderly end is worth: a worker sets it to False
    before it takes its first request, and to True once every outcome is
    spooled or recorded.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        name: str,
        descriptor: int,
        predecessors: tuple[Predecessor, ...],
    ) -> None:
        self.directory = directory
        self.name = name
        self.incarnation = str(uuid.uuid4())
        self.started_at = time.time()
        #: Those that had the name before, oldest first.
        self.predecessors = predecessors
        self.clean = True
        self._descriptor = descriptor
        self._write(None)

    def __repr__(self) -> str:
        return f'<Identity {self.name} incarnation {self.incarnation}>'

    def duplicate(self) -> int:
        """Duplicate the descriptor that holds the name, for a task process.

        The caller passes it on (it is not inherited by programs that are
        executed unless asked for) and closes its own copy.
        """
        return os.dup(self._descriptor)

    def close(self) -> None:
        """Give the name up; idempotent.

        The record says clean or unclean as ``clean`` does. Task processes
        that still hold a duplicate keep the name taken.
        """
        with _fork_lock:
            if self._descriptor < 0:
                return
            try:
                self._write(End.CLEAN if self.clean else End.UNCLEAN)
            except OSError as exc:
                # Nothing written is an unclean end: less, and still true.
                LOG.warning('Cannot write how %s ended: %s', self.name, exc)
            self._forget()
            _held.discard(self)
            if _of_process.get(self.directory) is self:
                del _of_process[self.directory]

    def _write(self, end: End | None) -> None:
        record = {
            'version': 1,
            'incarnation': self.incarnation,
            'started_at': self.started_at,
            'end': end,
            'predecessors': [
                [past.incarnation, past.end, past.started_at]
                for past in self.predecessors[-_MOST_PREDECESSORS:]
            ],
        }
        _replace(_record_path(self.directory, self.name), record)

    def _forget(self) -> None:
        """Let go of the descriptor, and write nothing."""
        os.close(self._descriptor)
        self._descriptor = -1


def state_path(conf: cfg.ConfigOpts) -> pathlib.Path:
    """Return the directory for what outlives this process; make it.

    Raises ConfigurationError if ``[DEFAULT] state_path`` is given and is no
    directory in which this process can write.
    """
    if conf.state_path:
        path = pathlib.Path(conf.state_path).expanduser().absolute()
        reason = _unusable(path)
        if reason is not None:
            raise exceptions.ConfigurationError(
                f'[DEFAULT] state_path: {path} cannot be used ({reason}); '
                'name a directory in which this process can write'
            )
        return path
    if _unusable(SYSTEM_STATE_PATH) is None:
        return SYSTEM_STATE_PATH
    path = USER_STATE_PATH.expanduser()
    reason = _unusable(path)
    if reason is not None:
        raise exceptions.ConfigurationError(
            f'[DEFAULT] state_path: neither {SYSTEM_STATE_PATH} nor {path} '
            f'can be used ({reason}); set it to a directory in which this '
            'process can write'
        )
    return path


def of_process(conf: cfg.ConfigOpts) -> Identity:
    """Return this process's identity under its state path; take one first.

    There is one per process and state path, whoever asks. A forked child
    takes one of its own. Blocks for an fsync the first time.
    """
    directory = _directory(state_path(conf))
    with _fork_lock:
        if directory not in _of_process:
            host = conf.worker.name or socket.gethostname()
            _of_process[directory] = take(directory, host)
        return _of_process[directory]


def take(directory: pathlib.Path, host: str) -> Identity:
    """Take the first name ``<host>.<n>`` that is free in ``directory``.

    For whoever plays several processes in one; others use ``of_process``.
    Raises ConfigurationError if nothing can be written there.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _fork_lock:
            for number in range(1, _MOST_NAMES + 1):
                made = _take(directory, f'{host}.{number}')
                if made is not None:
                    return made
    except OSError as exc:
        raise exceptions.ConfigurationError(
            f'[DEFAULT] state_path: no name can be taken in {directory}', exc
        ) from exc
    raise exceptions.ConfigurationError(
        f'[DEFAULT] state_path: the names {host}.1 to {host}.{_MOST_NAMES} '
        f'are all taken or closed to this user in {directory}'
    )


def dead(conf: cfg.ConfigOpts) -> list[Predecessor]:
    """List the incarnations that this host's locks prove dead.

    Reads every record each time: task processes may outlive their worker's
    process, so a lock that is held now may be free a moment later.
    """
    return list(_dead(_directory(state_path(conf))))


def proven_dead(conf: cfg.ConfigOpts, incarnation: str) -> bool:
    """Whether this host's locks prove an incarnation dead.

    False proves nothing: it may be alive, or have lived on another host.
    """
    return any(
        past.incarnation == incarnation
        for past in _dead(_directory(state_path(conf)))
    )


def forget(conf: cfg.ConfigOpts) -> None:
    """Give up the name that ``of_process`` took for a configuration."""
    with _fork_lock:
        made = _of_process.get(_directory(state_path(conf)))
        if made is not None:
            made.close()


def close_all() -> None:
    """Give up every name of this process, as at its exit.

    For processes that end without running exit handlers.
    """
    for identity in list(_held):
        identity.close()


def _take(directory: pathlib.Path, name: str) -> Identity | None:
    """Take a name if it is free."""
    descriptor = _lock(directory / f'{name}.lock')
    if descriptor is None:
        return None
    ended = _ended(name, _read(directory, name))
    try:
        made = Identity(directory, name, descriptor, ended)
    except BaseException:
        os.close(descriptor)
        raise
    _held.add(made)
    LOG.debug('Took the name %s as %s', name, made.incarnation)
    return made


def _dead(directory: pathlib.Path) -> Iterator[Predecessor]:
    for path in sorted(directory.glob('*.lock')):
        ended, free = _probe(path)
        yield from ended if free else ended[:-1]


def _directory(path: pathlib.Path) -> pathlib.Path:
    return path / 'names'


def _record_path(directory: pathlib.Path, name: str) -> pathlib.Path:
    return directory / f'{name}.json'


def _unusable(path: pathlib.Path) -> str | None:
    """Say why a directory cannot be used, None if it can."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        return exc.strerror or str(exc)
    if not os.access(path, os.W_OK | os.X_OK):
        return 'not writable'
    return None


def _lock(path: pathlib.Path) -> int | None:
    """Open and lock a file; None if somebody else holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except PermissionError:
        return None
    for _ in range(_TRIES):
        if _flock(descriptor, fcntl.LOCK_EX):
            return descriptor
        if not _flock(descriptor, fcntl.LOCK_SH):
            break
        # Only a prober was there; let go of what was taken to see that, and
        # let it come to its end.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.sched_yield()
    os.close(descriptor)
    return None


def _probe(path: pathlib.Path) -> tuple[tuple[Predecessor, ...], bool]:
    """Read a record's incarnations, and whether nobody holds the lock.

    The record is read while the lock is tried: one who took the lock in
    between would have written a living incarnation into it.
    """
    with _fork_lock:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            return (), False
        try:
            free = _flock(descriptor, fcntl.LOCK_SH)
            record = _read(path.parent, path.stem)
        finally:
            os.close(descriptor)
    return _ended(path.stem, record), free


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(directory: pathlib.Path, name: str) -> dict[str, typing.Any] | None:
    path = _record_path(directory, name)
    try:
        record = json.loads(path.read_text(encoding='ascii'))
        # What a later version writes otherwise is not understood here.
        return record if record['version'] == 1 else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as exc:
        LOG.warning('Cannot read the record of names %s: %s', path, exc)
        return None


def _ended(
    name: str, record: dict[str, typing.Any] | None
) -> tuple[Predecessor, ...]:
    """List the incarnations of a record, all taken for ended."""
    if record is None:
        return ()
    ended = [
        Predecessor(name, incarnation, End(end), started_at)
        for incarnation, end, started_at in record['predecessors']
    ]
    end = End(record['end'] or End.UNCLEAN)
    ended.append(
        Predecessor(name, record['incarnation'], end, record['started_at'])
    )
    return tuple(ended)


def _replace(path: pathlib.Path, record: dict[str, typing.Any]) -> None:
    """Write a file as a whole and have it on disk before returning."""
    descriptor, temporary = tempfile.mkstemp(
        dir=path.parent, prefix=f'.{path.name}.'
    )
    try:
        with open(descriptor, 'w', encoding='ascii') as stream:
            json.dump(record, stream)
            stream.flush()
            os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _after_fork_in_child() -> None:
    # The lock is the parent's: the child must neither keep it nor use the
    # name. A task process gets its duplicate explicitly.
    for identity in _held:
        identity._forget()
    _held.clear()
    _of_process.clear()
    _fork_lock.release()


atexit.register(close_all)
os.register_at_fork(
    before=_fork_lock.acquire,
    after_in_parent=_fork_lock.release,
    after_in_child=_after_fork_in_child,
)
