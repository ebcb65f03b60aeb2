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


"""A configuration for programs that have none, as TaskFlow's users."""

from __future__ import annotations

import functools

from oslo_config import cfg

import taskflow_service.conf
from taskflow_service.messaging import transport


def make_conf(exchange: str | None = None) -> cfg.ConfigOpts:
    """Make one of defaults.

    :param exchange: TaskFlow's word for ``[remote] namespace``
    """
    conf = cfg.ConfigOpts()
    taskflow_service.conf.register_opts(conf)
    transport.register_opts(conf)
    conf([], project='taskflow_service', default_config_files=[])
    if exchange is not None:
        conf.set_override('namespace', exchange, 'remote')
    return conf


#: The same one for all engines of a process.
shared_conf = functools.cache(make_conf)
