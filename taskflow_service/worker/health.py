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
"""The pulse of a worker process, for a supervisor on the same host.

A worker sends itself a message each heartbeat. When one comes back, the way
from the broker through the listener to the control is open, and a turn of
the control, nothing else, writes that down. So a process that only looks
alive has no pulse: one whose listener has died, whose turns hang, or that is
stopped.
"""

from __future__ import annotations

import json
import os
import pathlib
import socket
import typing

from oslo_config import cfg
from oslo_log import log as logging

from taskflow_service import clock as clock_mod
from taskflow_service import identity as identity_mod

LOG = logging.getLogger(__name__)

_VERSION = 1


def _folder(conf: cfg.ConfigOpts) -> pathlib.Path:
    return identity_mod.state_path(conf) / 'health'


class Pulse:
    """Writes down when a worker process last heard itself.

    ``beat`` is for the control's turns.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        identity: identity_mod.Identity,
        clock: clock_mod.Clock,
    ) -> None:
        self._path = _folder(conf) / f'{identity.name}.json'
        self._identity = identity
        self._clock = clock
        self._failing = False

    def beat(self) -> None:
        """Write the time; what keeps it from that is said once."""
        try:
            self._path.parent.mkdir(exist_ok=True)
            self._write()
        except OSError as error:
            if not self._failing:
                LOG.warning('Cannot write %s: %s', self._path, error)
            self._failing = True
        else:
            self._failing = False

    def close(self) -> None:
        """Remove it: the worker ends."""
        try:
            self._path.with_suffix('.new').unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)
        except OSError as error:
            LOG.warning('Cannot remove %s: %s', self._path, error)

    def _write(self) -> None:
        record = {
            'version': _VERSION,
            'incarnation': self._identity.incarnation,
            'pid': os.getpid(),
            # Counts through a suspended machine, and from its boot.
            'boottime': self._clock.boottime(),
        }
        # Always the same name, so that a full disk leaves one file at most.
        temporary = self._path.with_suffix('.new')
        temporary.write_text(json.dumps(record), encoding='ascii')
        # Who watches workers is not who runs them.
        temporary.chmod(0o644)
        os.replace(temporary, self._path)


class Finding(typing.NamedTuple):
    """What is known of one worker process; its ``str`` is a line."""

    name: str
    healthy: bool
    text: str

    def __str__(self) -> str:
        return f'{self.name}: {self.text}'


def look(
    conf: cfg.ConfigOpts,
    max_age: float,
    clock: clock_mod.Clock = clock_mod.SYSTEM,
) -> list[Finding]:
    """Look at the pulses of the worker processes of a configuration.

    :param max_age: seconds after which a pulse is too old
    """
    host = conf.worker.name or socket.gethostname()
    dead = {each.incarnation for each in identity_mod.dead(conf)}
    return [
        _finding(path, dead, max_age, clock.boottime())
        for path in sorted(_folder(conf).glob(f'{host}.*.json'))
        if path.stem.removeprefix(f'{host}.').isdecimal()
    ]


def _finding(
    path: pathlib.Path, dead: set[str], max_age: float, now: float
) -> Finding:
    try:
        record = json.loads(path.read_text(encoding='ascii'))
        if record['version'] != _VERSION:
            raise ValueError(f'its version is {record["version"]!r}')
        age = now - float(record['boottime'])
        gone = record['incarnation'] in dead
        pid = record['pid']
    except (OSError, ValueError, LookupError, TypeError) as error:
        return Finding(path.stem, False, f'{path} cannot be read: {error}')
    if gone or age < 0:
        return Finding(path.stem, False, f'process {pid} is dead')
    text = f'process {pid} last heard itself {age:.0f} s ago'
    if age > max_age:
        return Finding(path.stem, False, f'{text}, at most {max_age:g} s')
    return Finding(path.stem, True, text)
