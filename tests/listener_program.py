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
"""Another program: prints each notification that it hears as a JSON line.

It knows nothing of taskflow_service: only oslo.messaging and an address.
"""

from __future__ import annotations

import json
import sys
import threading

from oslo_service import backend

backend.init_backend(backend.BackendType.THREADING)

# ruff: noqa: E402
from oslo_config import cfg
import oslo_messaging

_printing = threading.Lock()


class Printer:
    def _say(self, ctxt, publisher_id, event_type, payload, metadata):
        line = {
            'publisher': publisher_id,
            'type': event_type,
            'payload': payload,
        }
        with _printing:
            sys.stdout.write(json.dumps(line) + '\n')
            sys.stdout.flush()

    info = error = _say


def main(url, topic):
    transport = oslo_messaging.get_notification_transport(
        cfg.ConfigOpts(), url=url
    )
    listener = oslo_messaging.get_notification_listener(
        transport,
        [oslo_messaging.Target(topic=topic)],
        [Printer()],
        executor='threading',
    )
    listener.start()
    sys.stdout.write('"ready"\n')
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == '__main__':
    main(*sys.argv[1:])
