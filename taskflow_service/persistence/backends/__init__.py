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


"""Backends by name, by URI or by configuration.

A backend is a stevedore driver of the namespace
``taskflow_service.persistence``; nothing else imports one by its path.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import threading
import typing
import urllib.parse
import weakref

from oslo_config import cfg
from oslo_log import log as logging
from stevedore import driver
from stevedore import exception as stevedore_exceptions

from taskflow_service import exceptions
from taskflow_service import registry
from taskflow_service.persistence import base

LOG = logging.getLogger(__name__)

BACKEND_NAMESPACE = 'taskflow_service.persistence'

_drivers: dict[tuple[str, str], typing.Any] = {}


def _driver(name: str, namespace: str, option: str | None) -> typing.Any:
    """Find a driver's class; a look-up takes milliseconds, so only once."""
    if namespace == BACKEND_NAMESPACE:
        return registry.load(registry.Kind.PERSISTENCE, name, option)
    key = (namespace, name)
    if key not in _drivers:
        try:
            manager: driver.DriverManager[typing.Any] = driver.DriverManager(
                namespace, name
            )
        except stevedore_exceptions.NoMatches as error:
            raise exceptions.NotFound(
                f"Could not find backend '{name}': no plugin of the namespace "
                f"'{namespace}' provides it"
            ) from error
        _drivers[key] = manager.driver
    return _drivers[key]


def _normal(
    conf: str | Mapping[str, typing.Any],
) -> tuple[str, dict[str, typing.Any]]:
    """Split a TaskFlow configuration into a driver's name and its options."""
    given = {'connection': conf} if isinstance(conf, str) else dict(conf)
    connection = str(given.get('connection') or '')
    if not connection:
        raise exceptions.ConfigurationError(
            "A persistence configuration needs a 'connection': a backend's "
            "name ('memory') or a database URL ('sqlite:////path/to/file')"
        )
    if ':' not in connection:
        return connection.lower(), given
    parts = urllib.parse.urlsplit(connection)
    name = parts.scheme.split('+')[0].lower()
    if name in ('dir', 'file') and 'path' not in given:
        given['path'] = urllib.parse.unquote(parts.netloc + parts.path)
    return name, given


def fetch(
    conf: str | Mapping[str, typing.Any],
    namespace: str = BACKEND_NAMESPACE,
    **kwargs: typing.Any,
) -> base.Backend:
    """Make the backend that a dictionary, or a URI, describes.

    :param conf: a URI, or a dictionary with ``connection`` (a URI or a
        backend's name) and the backend's own options
    :param namespace: where to look the backend up
    :param kwargs: passed to the backend (``engine=`` of SQLAlchemy)

    Raises NotFound for an unknown backend, ConfigurationError for one that
    cannot be used as described. Does not connect yet.
    """
    name, options = _normal(conf)
    made: base.Backend = _driver(name, namespace, 'connection')(
        options, **kwargs
    )
    return made


@contextlib.contextmanager
def backend(
    conf: str | Mapping[str, typing.Any],
    namespace: str = BACKEND_NAMESPACE,
    **kwargs: typing.Any,
) -> Iterator[base.Backend]:
    """Make a backend, bring its schema up to date, close it at the end."""
    with contextlib.closing(fetch(conf, namespace, **kwargs)) as made:
        with contextlib.closing(made.get_connection()) as connection:
            connection.upgrade()
        yield made


def from_conf(
    conf: cfg.ConfigOpts, upgrade: bool = False
) -> base.Backend | None:
    """Give the backend that ``[persistence]`` and ``[database]`` describe.

    :param upgrade: bring the schema up to date first, as ``taskflow-manage
        db sync`` does; for programs that own their database

    None if ``[persistence] backend`` is unset: no logbook is kept then. The
    same ``conf`` gives the same backend as long as it says the same, so that
    all its flows share connections, commits and one owner lease. It has been
    reached, and its schema checked, when this returns; the schema of the
    SQLite file that is used where no connection is configured is made by it.
    Blocks; raises ConfigurationError, SchemaMismatch or StorageOutage with
    one line that says what to do. Thread-safe.
    """
    name = conf.persistence.backend
    if not name:
        _warn_of_no_backend(conf)
        return None
    try:
        cls = registry.load(registry.Kind.PERSISTENCE, name)
    except exceptions.NotFound as error:
        raise exceptions.ConfigurationError(
            str(error), option='[persistence] backend'
        ) from error
    with _lock:
        key = (id(conf), _settings(conf))
        made: base.Backend | None = _made.get(key)
        if made is None:
            made = cls.from_conf(conf, upgrade)
            _made[key] = made
            # An id may be given again to another object.
            weakref.finalize(conf, _made.pop, key, None)
        elif upgrade:
            with contextlib.closing(made.get_connection()) as connection:
                connection.upgrade()
    return made


def _warn_of_no_backend(conf: cfg.ConfigOpts) -> None:
    """Say, once, that a database is named and no logbook is kept there."""
    key = id(conf)
    if not conf.database.connection or key in _warned:
        return
    _warned.add(key)
    weakref.finalize(conf, _warned.discard, key)
    LOG.warning(
        '[database] connection is set and [persistence] backend is not: no '
        'logbook is kept there, and flows do not outlive this process; set '
        '[persistence] backend = sqlalchemy to have them kept'
    )


_warned: set[int] = set()
_lock = threading.Lock()
_made: dict[tuple[int, str], base.Backend] = {}


def _settings(conf: cfg.ConfigOpts) -> str:
    """Put what a backend takes from the configuration into a key."""
    groups = [
        sorted(conf[group].items())
        for group in ('persistence', 'database', 'serialization')
    ]
    others = (
        conf.state_path,
        conf.engine.lease,
        conf.engine.claim_timeout,
        conf.worker.name,
    )
    return repr((groups, others))
