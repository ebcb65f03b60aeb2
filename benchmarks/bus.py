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
"""What both ends of the remote suite share: the configuration, a task."""

from __future__ import annotations

from oslo_config import cfg

from taskflow_service import task
import taskflow_service.conf
from taskflow_service.messaging import transport


class Nothing(task.Task):
    """Do nothing; it may be done twice."""

    idempotent = True

    def execute(self) -> None:
        pass


def make_conf(url: str, namespace: str, state_path: str) -> cfg.ConfigOpts:
    """Make a configuration with a memory backend and a bus."""
    conf = cfg.ConfigOpts()
    taskflow_service.conf.register_opts(conf)
    transport.register_opts(conf)
    conf([], project='taskflow_service', default_config_files=[])
    conf.set_override('transport_url', url)
    conf.set_override('state_path', state_path)
    conf.set_override('namespace', namespace, 'remote')
    return conf
