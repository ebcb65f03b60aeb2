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


"""What a task process is told of the configuration of its program.

A process that is spawned has no memory of it: it reads the files again, and
takes over what the program may have set otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
import functools
import typing

from oslo_config import cfg
from oslo_log import log

from taskflow_service import masking
from taskflow_service import registry
import taskflow_service.conf
from taskflow_service.messaging import transport


class Settings(typing.NamedTuple):
    """What of a configuration a task process needs."""

    files: tuple[str, ...]
    directories: tuple[str, ...]
    #: ``(group, option, value)``, as its parent has them now.
    values: tuple[tuple[str, str, typing.Any], ...]
    #: Whether the program logs by oslo.log.
    logs: bool


_NEEDED = (
    ('persistence', 'max_value_size'),
    ('serialization', 'allowed_modules'),
    ('worker', 'setup'),
    ('DEFAULT', 'state_path'),
    ('DEFAULT', 'transport_url'),
)


def of(conf: cfg.ConfigOpts) -> Settings:
    """Take down what a task process needs of a configuration."""
    values = []
    needed = list(_NEEDED)
    logs = 'log_file' in conf
    if logs:
        needed += [('DEFAULT', option) for option in _log_options()]
    for group, option in needed:
        holder = conf if group == 'DEFAULT' else conf[group]
        # Who has no workers need not know of a transport.
        if option in holder:
            values.append((group, option, getattr(holder, option)))
    return Settings(
        tuple(getattr(conf, 'config_file', None) or ()),
        tuple(getattr(conf, 'config_dir', None) or ()),
        tuple(values),
        logs,
    )


def _log_options() -> list[str]:
    conf = cfg.ConfigOpts()
    others = set(conf)
    log.register_options(conf)
    return [name for name in conf if name not in others]


def conf_of(settings: Settings) -> cfg.ConfigOpts:
    """Make the configuration of a task process, and have it log."""
    conf = cfg.ConfigOpts()
    if settings.logs:
        log.register_options(conf)
    taskflow_service.conf.register_opts(conf)
    transport.register_opts(conf)
    conf(
        [],
        project='taskflow_service',
        default_config_files=list(settings.files),
        default_config_dirs=list(settings.directories),
    )
    for group, option, value in settings.values:
        conf.set_override(
            option, value, group=None if group == 'DEFAULT' else group
        )
    if settings.logs:
        log.setup(conf, 'taskflow_service')
        masking.mask_log()
    return conf


def preparation(conf: cfg.ConfigOpts) -> Callable[[], None] | None:
    """Give what a process of the program calls before it runs a task.

    That is ``[worker] setup``, after oslo.log if the program logs by it; None
    if there is neither. It travels by pickle.
    """
    settings = of(conf)
    if not conf.worker.setup and not settings.logs:
        return None
    return functools.partial(_prepare, settings)


def _prepare(settings: Settings) -> None:
    registry.run_setup(conf_of(settings))
