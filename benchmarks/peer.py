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
"""The far end of the remote suite.

``python -m benchmarks.peer MODE URL NAME STATE_PATH``

``worker`` serves ``bus.Nothing`` under the name space NAME.  ``echo`` casts
back what is cast to it, bare oslo.messaging, on the topic NAME.  Both print a
line when they are ready and end when their standard input does.
"""

from __future__ import annotations

import sys
from typing import Any

from oslo_config import cfg
import oslo_messaging

from benchmarks import bus
from taskflow_service import worker


class Echo:
    """An endpoint that casts back."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def there(self, context: Any, number: int) -> None:
        self._client.cast({}, 'back', number=number)


def _echo(conf: cfg.ConfigOpts, name: str) -> Any:
    link = oslo_messaging.get_rpc_transport(conf)
    client = oslo_messaging.get_rpc_client(
        link, oslo_messaging.Target(topic=f'{name}-back', server='bench')
    )
    server = oslo_messaging.get_rpc_server(
        link,
        oslo_messaging.Target(topic=name, server='bench'),
        [Echo(client)],
        access_policy=oslo_messaging.DefaultRPCAccessPolicy,
    )
    server.start(override_pool_size=1)
    return server


def main(argv: list[str]) -> int:
    mode, url, name, state_path = argv
    conf = bus.make_conf(url, name, state_path)
    serving: Any
    if mode == 'worker':
        serving = worker.Worker(conf, tasks=[bus.Nothing])
        serving.start()
    else:
        serving = _echo(conf, name)
    print('ready', flush=True)
    sys.stdin.read()
    serving.stop()
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
