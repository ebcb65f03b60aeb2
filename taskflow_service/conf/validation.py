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

"""What has to hold of option values before anything starts.

oslo.config reads a value when it is first used, which for some would be days
after the start, and knows nothing of two options that must fit each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
import re
import typing

from oslo_config import cfg
from oslo_config import types

from taskflow_service import exceptions

#: What the frame of a message may take besides one value.
_FRAME = 64 * 1024
#: As long as a hexadecimal number of 128 bits.
_SHORTEST_KEY = 32


def validate(
    conf: cfg.ConfigOpts, options: Iterable[tuple[str, cfg.Opt]]
) -> None:
    """Read every option and check what they say together.

    Raises ConfigurationError for the first that cannot be used, with its
    group and name, and without the value where that is a secret.
    """
    for group, option in options:
        _read(conf, group, option)
    for name, reason in _contradictions(conf):
        raise exceptions.ConfigurationError(f'{name} {reason}', option=name)


def _read(conf: cfg.ConfigOpts, group: str, option: cfg.Opt) -> None:
    scope = conf if group == 'DEFAULT' else conf[group]
    try:
        scope[option.dest]
    except (cfg.Error, ValueError) as exc:
        name = f'[{group}] {option.dest}'
        # oslo.config says where it found the value, and then why it is bad.
        reason = _reason(option, str(exc).rpartition(' is not valid: ')[2])
        if option.secret:
            reason = 'its value cannot be read'
        raise exceptions.ConfigurationError(
            f'{name}: {reason}', option=name
        ) from exc


def _reason(option: cfg.Opt, reason: str) -> str:
    """Say what an option wants, where oslo.config speaks of Python."""
    wanted = _wanted(option.type)
    if wanted is None:
        return reason
    found = re.search(r"'(.*)'$", reason)
    return f'it has to be {wanted}' + (f', not {found[0]}' if found else '')


def _wanted(kind: typing.Any) -> str | None:
    if isinstance(kind, types.Boolean):
        return 'true or false'
    if not isinstance(kind, types.Number):
        return None
    noun = 'an integer' if isinstance(kind, types.Integer) else 'a number'
    if kind.min is None:
        return noun
    if kind.max is None:
        return f'{noun} of at least {kind.min:g}'
    return f'{noun} from {kind.min:g} to {kind.max:g}'


def _contradictions(conf: cfg.ConfigOpts) -> Iterator[tuple[str, str]]:
    lease, lost_after = conf.remote.lease, conf.remote.lost_after
    if lost_after < 2 * lease:
        yield (
            '[remote] lost_after',
            f'is {lost_after:g} s: it must be at least twice [remote] lease, '
            f'which is {lease:g} s',
        )
    value, message = (
        conf.persistence.max_value_size,
        conf.remote.max_message_size,
    )
    if message < value + _FRAME:
        yield (
            '[remote] max_message_size',
            f'is {message} bytes: it must be at least [persistence] '
            f'max_value_size, which is {value}, plus {_FRAME}',
        )
    if not conf.worker.tasks:
        yield (
            '[worker] tasks',
            'is empty: name the tasks to serve, or leave it out for all',
        )
    if any(len(key) < _SHORTEST_KEY for key in conf.security.signing_keys):
        yield (
            '[security] signing_keys',
            f'holds a key of less than {_SHORTEST_KEY} characters: make each '
            'with "openssl rand -hex 32"',
        )
