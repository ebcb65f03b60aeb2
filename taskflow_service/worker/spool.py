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


"""Outcomes that nobody has recorded, kept on disk across a restart.

A file for each request below ``<state path>/spool/<name>``: whoever has the
name next reports them, and removes each once it is recorded. What cannot be
read is left where it is, and said.
"""

from __future__ import annotations

from collections.abc import Iterable
import json
import os
import pathlib
import re
import tempfile

from oslo_config import cfg
from oslo_log import log as logging

from taskflow_service import identity
from taskflow_service.protocol import messages
from taskflow_service.protocol import wire
from taskflow_service.protocol.worker import records

LOG = logging.getLogger(__name__)

_VERSION = 1
_UNSAFE = re.compile(r'[^\w-]', re.ASCII)

_write_request = wire.writer(messages.Request)
_write_peer = wire.writer(messages.Peer)
_write_outcome = wire.writer(messages.Outcome)
_read_request = wire.reader(messages.Request)
_read_peer = wire.reader(messages.Peer)
_read_outcome = wire.reader(messages.Outcome)


class Spool:
    """The spool of one name; for the control's turns."""

    def __init__(self, conf: cfg.ConfigOpts, name: str) -> None:
        self._folder = identity.state_path(conf) / 'spool' / name
        self._there: set[str] = set()

    def read(self) -> list[records.Spooled]:
        """Return what predecessors left."""
        found = []
        for path in sorted(self._folder.glob('*.json')):
            try:
                found.append(_read(path))
            except (OSError, ValueError, LookupError, TypeError) as ex:
                LOG.error('Cannot read a spooled outcome, %s: %s', path, ex)
            else:
                self._there.add(path.stem)
        return found

    def write(self, entries: Iterable[records.Entry]) -> None:
        """Keep the outcomes of requests; they are on disk on return.

        Raises OSError if they cannot be kept.
        """
        written = False
        for entry in entries:
            if entry.outcome is not None:
                written = self._write(entry, entry.outcome) or written
        if written:
            _sync_folder(self._folder)

    def forget(self, request_uuids: Iterable[str]) -> None:
        """Remove what is recorded."""
        for request_uuid in request_uuids:
            if request_uuid in self._there:
                self._there.discard(request_uuid)
                try:
                    self._path(request_uuid).unlink(missing_ok=True)
                except OSError as error:
                    # Told again after a restart, and told off again.
                    LOG.warning('An outcome could not be forgotten: %s', error)

    def _path(self, request_uuid: str) -> pathlib.Path:
        # What came over the bus must not lead to another folder.
        safe = ''.join(
            c if c.isalnum() or c in '-_' else '_' for c in request_uuid
        )
        return self._folder / f'{safe}.json'

    def _write(self, entry: records.Entry, outcome: messages.Outcome) -> bool:
        if entry.request_uuid in self._there:
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(
            {
                'version': _VERSION,
                'request': _write_request(entry.request),
                'engine': _write_peer(entry.party.peer),
                'outcome': _write_outcome(outcome),
            }
        )
        descriptor, temporary = tempfile.mkstemp(dir=self._folder)
        with open(descriptor, 'w', encoding='ascii') as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, self._path(entry.request_uuid))
        self._there.add(entry.request_uuid)
        return True


def _read(path: pathlib.Path) -> records.Spooled:
    form = json.loads(path.read_text(encoding='ascii'))
    if form['version'] != _VERSION:
        raise ValueError(f'its version is {form["version"]!r}')
    return records.Spooled(
        _read_request(form['request']),
        _read_peer(form['engine']),
        _read_outcome(form['outcome']),
    )


def _sync_folder(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
