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


"""The transport of this process: made once per configuration, and shared.

Every target names our exchange and a topic that starts with ``[remote]
namespace``, so that two deployments on one virtual host stay apart and a
program with a ``control_exchange`` of its own is reached all the same.
"""

from __future__ import annotations

import atexit
import enum
from importlib import metadata
import os
import threading
import time
import typing

from oslo_config import cfg
from oslo_log import log as logging
import oslo_messaging
from oslo_messaging._metrics import client as metrics_client
from oslo_messaging._tracing import client as tracing_client
from oslo_messaging.rpc import server as rpc_server

from taskflow_service import exceptions

LOG = logging.getLogger(__name__)

EXCHANGE = 'taskflow_service'
METHOD = 'deliver'
_DRIVERS = 'oslo.messaging.drivers'
_UNREADABLE = (oslo_messaging.InvalidTransportURL, cfg.Error, ValueError)
#: Schemes that reach no further than this process.
IN_MEMORY = frozenset({'fake', 'kombu+memory'})
#: Seconds after which the fan-out queue of a process that is gone goes too.
_FANOUT_TTL = 60
#: Seconds that closing waits for the listeners.
_CLOSING_TIME = 5.0
#: What TaskFlow's users name as ``transport`` (kombu's names).
_ALIASES = {'memory': 'fake://', 'fake': 'fake://'}
#: What kombu calls RabbitMQ.
_KOMBU_AMQP = frozenset({'amqp', 'pyamqp', 'librabbitmq'})


class Role(enum.StrEnum):
    """Who reads an address: fan-outs reach only those that can use them."""

    ENGINE = 'engine'
    WORKER = 'worker'


class Address(typing.NamedTuple):
    """Where a string goes: one process, or all of a role (no name)."""

    role: Role
    name: str | None = None


class Transport:
    """What a process holds of the bus under one configuration.

    Thread-safe. Making one connects to nothing.
    """

    def __init__(self, conf: cfg.ConfigOpts, url: str | None = None) -> None:
        self.conf = conf
        self._rpc = _load(conf, url)
        parsed = oslo_messaging.TransportURL.parse(conf, url)
        self.in_memory = parsed.transport in IN_MEMORY
        #: For logs: without user and password.
        self.url = _public(parsed)
        self._namespace = conf.remote.namespace
        self._finishing: list[threading.Thread] = []

    def client(self, address: Address, retry: int) -> typing.Any:
        """Return what casts to an address, giving up after ``retry``."""
        return oslo_messaging.get_rpc_client(
            self._rpc,
            self._target(address.role, address.name, address.name is None),
            retry=retry,
        )

    def server(
        self, role: Role, name: str, receive: typing.Callable[[str], None]
    ) -> typing.Any:
        """Return an RPC server, not started, that hands strings over."""
        return oslo_messaging.get_rpc_server(
            self._rpc,
            self._target(role, name, False),
            [_Endpoint(receive)],
            access_policy=oslo_messaging.ExplicitRPCAccessPolicy,
            server_cls=_Server,
        )

    def finish(self, call: typing.Callable[[], None]) -> None:
        """Have something done behind the caller, but before the end."""
        thread = threading.Thread(target=call, name='tfs-close', daemon=True)
        self._finishing = [t for t in self._finishing if t.is_alive()]
        self._finishing.append(thread)
        thread.start()

    def close(self) -> None:
        """Close the connections; takes a second, with no broker some more."""
        if not self.in_memory:
            deadline = time.monotonic() + _CLOSING_TIME
            for thread in self._finishing:
                thread.join(max(0.0, deadline - time.monotonic()))
        closing = threading.Thread(target=self._rpc.cleanup, daemon=True)
        closing.start()
        closing.join(_CLOSING_TIME)

    def _target(
        self, role: Role, name: str | None, fanout: bool
    ) -> oslo_messaging.Target:
        return oslo_messaging.Target(
            exchange=EXCHANGE,
            topic=f'{self._namespace}.{role}',
            server=name,
            fanout=fanout or None,
        )


class _Server(rpc_server.RPCServer):
    """Hands over in the thread that reads.

    oslo.messaging would have another thread dispatch what was read, and make
    a third one, unused, for each message. What is not as this module sends
    it, or is to be traced, takes that way.
    """

    def _on_incoming(self, incoming: list[typing.Any]) -> None:
        for each in incoming:
            arguments = each.message.get('args')
            if (
                each.message.get('method') != METHOD
                or not isinstance(arguments, dict)
                or arguments.keys() != {'message'}
                or self.conf.oslo_messaging_tracing.tracing_enabled
            ):
                super()._on_incoming([each])
                continue
            try:
                each.acknowledge()
                self.dispatcher.endpoints[0].deliver(each.ctxt, **arguments)
            except Exception:
                LOG.exception('A message could not be handed over')


class _Endpoint:
    """The one method of the bus; what it hands over to must not block."""

    def __init__(self, receive: typing.Callable[[str], None]) -> None:
        self._receive = receive

    @oslo_messaging.expose
    def deliver(self, context: typing.Any, message: typing.Any) -> None:
        self._receive(message)


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register ``transport_url`` and what else oslo.messaging reads.

    The drivers' own groups come with the first transport.
    """
    # The only public way to have transport_url registered.
    oslo_messaging.TransportURL(conf)
    # Read from any conf, but registered by oslo.messaging on the global one
    # only; its public list of options leaves one of the two out.
    conf.register_opts(
        metrics_client.oslo_messaging_metrics, group='oslo_messaging_metrics'
    )
    conf.register_opts(
        tracing_client.oslo_messaging_tracing, group='oslo_messaging_tracing'
    )


def shared(conf: cfg.ConfigOpts, url: str | None = None) -> Transport:
    """Return the process's transport for a configuration, made if need be.

    :param url: instead of ``[DEFAULT] transport_url``
    :raises ConfigurationError: what is configured can carry no requests
    """
    key = (id(conf), url)
    with _lock:
        transport = _shared.get(key)
        if transport is None:
            transport = _shared[key] = Transport(conf, url)
    return transport


def forget(conf: cfg.ConfigOpts) -> None:
    """Close what :func:`shared` made for a configuration."""
    with _lock:
        mine = [key for key in _shared if key[0] == id(conf)]
        transports = [_shared.pop(key) for key in mine]
    for transport in transports:
        transport.close()


def url_from(transport: str | None, url: str | None) -> str | None:
    """Translate TaskFlow's ``transport=`` and ``url=`` into one URL.

    :raises ConfigurationError: a kombu transport that cannot be served
    """
    if url is not None:
        scheme, separator, rest = url.partition('://')
        if separator and scheme in _ALIASES:
            return _ALIASES[scheme]
        if separator and scheme in _KOMBU_AMQP:
            return f'rabbit://{rest}'
        if separator:
            return url
    if transport is None:
        return url
    if transport in _ALIASES:
        return _ALIASES[transport]
    raise exceptions.ConfigurationError(
        f"transport={transport!r} is not supported: use 'memory', or an "
        'oslo.messaging URL (rabbit://...) in transport_url'
    )


def is_in_memory(conf: cfg.ConfigOpts, url: str | None = None) -> bool:
    """Say whether a URL reaches no further than this process."""
    return shared(conf, url).in_memory


def _public(url: oslo_messaging.TransportURL) -> str:
    hosts = [
        host.hostname if host.port is None else f'{host.hostname}:{host.port}'
        for host in url.hosts
    ]
    return f'{url.transport}://{",".join(hosts)}/{url.virtual_host or ""}'


def check(
    conf: cfg.ConfigOpts, url: str | None = None
) -> oslo_messaging.TransportURL:
    """Read the URL of a transport, as far as that goes without making it.

    Raises ConfigurationError with the option's name.
    """
    register_opts(conf)
    try:
        parsed = oslo_messaging.TransportURL.parse(conf, url)
    except _UNREADABLE as ex:
        raise _unreadable(ex) from None
    driver = parsed.transport.partition('+')[0]
    if driver == 'kafka':
        raise exceptions.ConfigurationError(
            'transport_url: kafka:// carries notifications only; requests '
            'need rabbit:// (or fake:// inside one process)'
        )
    # oslo.messaging says it too, but logs a warning about stevedore first.
    if driver not in metadata.entry_points(group=_DRIVERS).names:
        raise _no_driver(driver)
    return parsed


def _load(
    conf: cfg.ConfigOpts, url: str | None
) -> oslo_messaging.RPCTransport:
    parsed = check(conf, url)
    try:
        made = oslo_messaging.get_rpc_transport(conf, parsed)
        if _leaves_queues(conf, parsed):
            parsed.query['rabbit_transient_queues_ttl'] = str(_FANOUT_TTL)
            made = oslo_messaging.get_rpc_transport(conf, parsed)
        return made
    except oslo_messaging.DriverLoadFailure as ex:
        raise _no_driver(ex.driver) from None
    except _UNREADABLE as ex:
        raise _unreadable(ex) from None


def _no_driver(name: str) -> exceptions.ConfigurationError:
    return exceptions.ConfigurationError(
        f'transport_url: no driver serves {name}://; use rabbit:// (or '
        'fake:// inside one process)'
    )


def _unreadable(error: Exception) -> exceptions.ConfigurationError:
    return exceptions.ConfigurationError(
        f'transport_url cannot be read: {error}; it looks like '
        'rabbit://user:password@host:5672/vhost'
    )


def _leaves_queues(
    conf: cfg.ConfigOpts, url: oslo_messaging.TransportURL
) -> bool:
    """Whether a fan-out queue would outlive its process by half an hour.

    That is the driver's default, and each start makes a new one. Nothing
    here is correct because a queue kept it.
    """
    option = 'rabbit_transient_queues_ttl'
    if url.transport != 'rabbit' or option in url.query:
        return False
    place = conf.get_location(option, 'oslo_messaging_rabbit')
    return place is None or place.location is cfg.Locations.opt_default


_lock = threading.Lock()
_shared: dict[tuple[int, str | None], Transport] = {}


def _close_all() -> None:
    with _lock:
        transports = list(_shared.values())
        _shared.clear()
    for transport in transports:
        transport.close()


atexit.register(_close_all)
# A child must not write on its parent's sockets.
os.register_at_fork(after_in_child=_shared.clear)
