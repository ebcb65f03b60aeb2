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

"""Make engines: from a flow, a factory, a logbook or a configuration."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
import contextlib
import typing
import urllib.parse

from oslo_config import cfg
from oslo_utils import importutils
from oslo_utils import reflection

from taskflow_service import context
from taskflow_service import exceptions
from taskflow_service import registry
from taskflow_service.engines import engine as engine_mod
from taskflow_service.persistence import backends
from taskflow_service.persistence import base as persistence_base
from taskflow_service.persistence import models
from taskflow_service.utils import persistence_utils

ENGINES_NAMESPACE = 'taskflow_service.engines'
ENGINE_DEFAULT = 'default'
#: The listener that publishes events.
_NOTIFICATIONS = 'notifications'

_Store = Mapping[str, typing.Any] | Iterable[tuple[str, typing.Any]]
_Backend = persistence_base.Backend | Mapping[str, typing.Any] | str


def load(
    flow: typing.Any,
    store: _Store | None = None,
    flow_detail: models.FlowDetail | None = None,
    book: models.LogBook | None = None,
    backend: _Backend | None = None,
    namespace: str = ENGINES_NAMESPACE,
    engine: str | None = None,
    conf: cfg.ConfigOpts | None = None,
    **kwargs: typing.Any,
) -> engine_mod.Engine:
    """Make an engine for a flow (or a single task).

    :param store: values for the flow, stored with it
    :param flow_detail: where the flow is kept; made if it is not given
    :param book: the logbook that a flow detail is made in
    :param backend: a backend or what describes one; none keeps Python
        objects as they are, for the life of the engine
    :param engine: a name, or a URI whose query holds options
    :param conf: says which engine, logbook and transport, where the
        arguments do not
    :param kwargs: options of the engine; they override those of the URI

    Raises ``NotFound`` for an unknown engine or backend and
    ``ConfigurationError`` for one that cannot be used as configured. Blocks
    to store the flow.
    """
    kind, options = _engine_of(engine, conf)
    options.update(kwargs)
    cls = _engine_class(kind, namespace, engine)
    if conf is not None:
        options['conf'] = conf
    made_backend = _backend_of(backend, conf)
    if flow_detail is None:
        flow_detail = persistence_utils.create_flow_detail(
            flow, book=book, backend=made_backend, meta=_context_meta()
        )
    made: engine_mod.Engine = cls(flow, flow_detail, made_backend, options)
    if store:
        made.storage.inject(store)
    if conf is not None:
        for name in _listeners(conf):
            registry.load(registry.Kind.LISTENER, name)(made).register()
    return made


def _listeners(conf: cfg.ConfigOpts) -> list[str]:
    names = list(conf.engine.listeners)
    if conf.notifications.enabled and _NOTIFICATIONS not in names:
        names.append(_NOTIFICATIONS)
    return names


def _context_meta() -> dict[str, typing.Any] | None:
    captured = context.capture()
    return {'context': captured} if captured else None


def _engine_of(
    engine: str | None, conf: cfg.ConfigOpts | None
) -> tuple[str, dict[str, typing.Any]]:
    if engine is None:
        engine = ENGINE_DEFAULT if conf is None else conf.engine.type
    if '://' not in engine and '?' not in engine:
        return engine, {}
    parts = urllib.parse.urlsplit(engine)
    options: dict[str, typing.Any] = dict(urllib.parse.parse_qsl(parts.query))
    return parts.scheme or parts.path, options


def _engine_class(kind: str, namespace: str, engine: str | None) -> typing.Any:
    if namespace != ENGINES_NAMESPACE:
        raise exceptions.NotFound(
            f'Could not find engine {kind!r}: engines are plugins of the '
            f'namespace {ENGINES_NAMESPACE!r}, not of {namespace!r}'
        )
    option = '[engine] type' if engine is None else f'engine={engine!r}'
    return registry.load(registry.Kind.ENGINE, kind, option)


def _backend_of(
    backend: _Backend | None, conf: cfg.ConfigOpts | None
) -> persistence_base.Backend | None:
    if isinstance(backend, persistence_base.Backend):
        return backend
    if backend is not None:
        return backends.fetch(backend)
    return None if conf is None else backends.from_conf(conf)


def run(
    flow: typing.Any, *args: typing.Any, **kwargs: typing.Any
) -> dict[str, typing.Any]:
    """Make an engine with the arguments of ``load``, run it; blocks.

    Returns all values by name. Raises what ``load()`` and the engine's
    ``run()`` raise.
    """
    engine = load(flow, *args, **kwargs)
    engine.run()
    return engine.storage.fetch_all()


# Factories


def save_factory_details(
    flow_detail: models.FlowDetail,
    flow_factory: Callable[..., typing.Any] | str,
    factory_args: Iterable[typing.Any] | None,
    factory_kwargs: Mapping[str, typing.Any] | None,
    backend: _Backend | None = None,
) -> None:
    """Keep with a flow how it is made again.

    :param flow_factory: a function that can be imported by its name, or
        that name

    Raises ``ValueError`` for one that cannot.
    """
    name = _factory_name(flow_factory)
    flow_detail.meta['factory'] = {
        'name': name,
        'args': list(factory_args or ()),
        'kwargs': dict(factory_kwargs or {}),
    }
    made = _backend_of(backend, None)
    if made is not None:
        with contextlib.closing(made.get_connection()) as connection:
            connection.update_flow_details(flow_detail)


def _factory_name(factory: Callable[..., typing.Any] | str) -> str:
    if isinstance(factory, str):
        return factory
    name = reflection.get_callable_name(factory)
    try:
        found = _import_factory(name)
    except ImportError as error:
        raise ValueError(
            f'Flow factory {factory!r} is not reimportable by name {name}'
        ) from error
    if found is not factory:
        raise ValueError(
            f'Flow factory {factory!r} is not reimportable by name {name}: '
            f'another object is found there'
        )
    return name


def _import_factory(name: str) -> Callable[..., typing.Any]:
    if name in registry.names(registry.Kind.FLOW):
        return typing.cast(
            Callable[..., typing.Any], registry.load(registry.Kind.FLOW, name)
        )
    module, _, attribute = name.rpartition('.')
    try:
        found = importutils.import_class(name)
    except (ImportError, ValueError) as error:
        # A static method is an attribute of a class, not of a module.
        try:
            owner = importutils.import_class(module)
            found = getattr(owner, attribute)
        except (ImportError, ValueError, AttributeError):
            raise ImportError(
                f'Could not import factory for fully qualified name {name!r}'
            ) from error
    return typing.cast(Callable[..., typing.Any], found)


def load_from_factory(
    flow_factory: Callable[..., typing.Any] | str,
    factory_args: Iterable[typing.Any] | None = None,
    factory_kwargs: Mapping[str, typing.Any] | None = None,
    store: _Store | None = None,
    book: models.LogBook | None = None,
    backend: _Backend | None = None,
    namespace: str = ENGINES_NAMESPACE,
    engine: str | None = None,
    conf: cfg.ConfigOpts | None = None,
    **kwargs: typing.Any,
) -> engine_mod.Engine:
    """Make an engine for the flow that a factory makes, and keep how.

    Such a flow can be made again by ``load_from_detail``, in any process.
    """
    name = _factory_name(flow_factory)
    factory = (
        _import_factory(name)
        if isinstance(flow_factory, str)
        else flow_factory
    )
    args = tuple(factory_args or ())
    keywords = dict(factory_kwargs or {})
    flow = factory(*args, **keywords)
    made_backend = _backend_of(backend, conf)
    flow_detail = persistence_utils.create_flow_detail(
        flow, book=book, backend=made_backend, meta=_context_meta()
    )
    save_factory_details(
        flow_detail, name, args, keywords, backend=made_backend
    )
    return load(
        flow,
        store=store,
        flow_detail=flow_detail,
        book=book,
        backend=made_backend,
        namespace=namespace,
        engine=engine,
        conf=conf,
        **kwargs,
    )


def flow_from_detail(flow_detail: models.FlowDetail) -> typing.Any:
    """Make the flow that a flow detail was made for again.

    Raises ``ValueError`` if it does not say how, ``ImportError`` if its
    factory cannot be found.
    """
    try:
        factory = flow_detail.meta['factory']
    except (KeyError, AttributeError, TypeError):
        raise ValueError(
            f'Cannot reconstruct flow {flow_detail.name!r} '
            f'({flow_detail.uuid}): no factory information saved.'
        ) from None
    made = _import_factory(factory['name'])
    return made(*factory.get('args', ()), **factory.get('kwargs', {}))


def load_from_detail(
    flow_detail: models.FlowDetail,
    store: _Store | None = None,
    backend: _Backend | None = None,
    namespace: str = ENGINES_NAMESPACE,
    engine: str | None = None,
    conf: cfg.ConfigOpts | None = None,
    **kwargs: typing.Any,
) -> engine_mod.Engine:
    """Make an engine for a flow detail that was kept with its factory."""
    flow = flow_from_detail(flow_detail)
    return load(
        flow,
        flow_detail=flow_detail,
        store=store,
        backend=backend,
        namespace=namespace,
        engine=engine,
        conf=conf,
        **kwargs,
    )
