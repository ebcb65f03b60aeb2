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
"""Tell other programs of the start and the end of a worker."""

from __future__ import annotations

import socket
import typing

from oslo_config import cfg

from taskflow_service import clock as clock_mod
from taskflow_service import identity as identity_mod
from taskflow_service.notifications import events
from taskflow_service.notifications import publisher
from taskflow_service.worker import catalogue as catalogue_mod

_DIED = (
    'It did not end in order: it crashed, was killed, or its host went down'
)
_FENCED = 'It was cut off from the message broker, or from its name'


class Lifecycle:
    """Publishes the events of one worker, where events are published.

    :raises ConfigurationError: what is configured can carry no events
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        topics: tuple[str, ...],
        catalogue: catalogue_mod.Catalogue,
        clock: clock_mod.Clock,
    ) -> None:
        self._conf = conf
        self._topics = topics
        self._catalogue = catalogue
        self._clock = clock
        self._publisher = publisher.shared(conf)
        self._identity: identity_mod.Identity | None = None

    @property
    def dropped(self) -> int:
        """How many events of this process could not be sent."""
        return 0 if self._publisher is None else self._publisher.dropped

    def started(self, identity: identity_mod.Identity) -> None:
        """Tell that it serves, and first that its predecessor has died."""
        self._identity = identity
        past = identity.predecessors[-1:]
        if past and past[0].end is identity_mod.End.UNCLEAN:
            self._tell(
                events.Phase.ERROR,
                past[0].name,
                past[0].incarnation,
                clean=False,
                reason=_DIED,
                # What it served died with it.
                **dict.fromkeys(('topics', 'slots', 'tasks')),
            )
        self._tell(
            events.Phase.START,
            identity.name,
            identity.incarnation,
            clean=None,
            reason=None,
            **self._offer(),
        )

    def ended(self, fenced: bool) -> None:
        """Tell that it has ended, if it was told that it serves; blocks.

        :param fenced: it gave up by itself
        """
        identity = self._identity
        if identity is None or self._publisher is None:
            return
        self._tell(
            events.Phase.ERROR if fenced else events.Phase.END,
            identity.name,
            identity.incarnation,
            clean=identity.clean,
            reason=_FENCED if fenced else None,
            **self._offer(),
        )
        # A daemon ends without what programs do at their exit.
        self._publisher.flush()

    def _offer(self) -> events.Payload:
        return {
            'topics': list(self._topics),
            'slots': self._conf.worker.slots,
            'tasks': self._catalogue.versions,
        }

    def _tell(
        self,
        phase: events.Phase,
        name: str,
        incarnation: str,
        **fields: typing.Any,
    ) -> None:
        if self._publisher is None:
            return
        self._publisher.publish(
            events.make(
                events.Subject.WORKER,
                phase,
                f'taskflow-worker.{name}',
                self._clock.now(),
                worker=name,
                incarnation=incarnation,
                host=socket.gethostname(),
                namespace=self._conf.remote.namespace,
                **fields,
            )
        )
