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

"""image-service: imports disk images, and shows those that there are."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent import futures
import contextlib
import dataclasses
import pathlib
import sys
import typing

from oslo_config import cfg
from oslo_context import context
from oslo_log import log
from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import states
import taskflow_service.conf
from taskflow_service.persistence import backends

from image_service import conf as conf_mod
from image_service import errors
from image_service import flows
from image_service import store

#: States of a flow that was begun and has not come to its end, which is
#: SUCCESS or REVERTED. In FAILURE is one whose undo has failed.
UNFINISHED = (
    states.RESUMING,
    states.RUNNING,
    states.SUSPENDING,
    states.SUSPENDED,
    states.FAILURE,
)

#: What is wrong with something else than this program.
ERRORS = (
    cfg.Error,
    errors.ImageError,
    exceptions.TaskFlowException,
    exceptions.WrappedFailure,
    OSError,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    conf = cfg.ConfigOpts()
    try:
        load(conf, sys.argv[1:] if argv is None else argv)
        command = typing.cast(argparse.Namespace, conf.command)
        return COMMANDS[command.name](conf) or 0
    except KeyboardInterrupt:
        return 130
    except ERRORS as error:
        if conf.debug:
            raise
        return complain(error)


def complain(error: BaseException) -> int:
    """Say in one line what is wrong."""
    print(f'image-service: {in_a_line(error)}', file=sys.stderr)
    return 1


def in_a_line(error: BaseException) -> str:
    """Put an error, or those of several tasks, into a line."""
    if isinstance(error, exceptions.WrappedFailure):
        text = '; '.join(each.exception_str or '' for each in error)
    else:
        text = str(error)
    return ' '.join(text.split())


def load(conf: cfg.ConfigOpts, argv: Sequence[str]) -> None:
    """Read the configuration: this service's options and the library's."""
    log.register_options(conf)
    taskflow_service.conf.set_lib_defaults()
    taskflow_service.conf.register_opts(conf)
    conf_mod.register_opts(conf)
    conf.register_cli_opt(cfg.SubCommandOpt('command', handler=add_commands))
    conf(list(argv), project='image_service', prog='image-service')
    taskflow_service.conf.validate(conf)
    # What was asked for is printed on stdout.
    conf.set_default('use_stderr', True)
    log.setup(conf, 'image_service')
    store.set_up(conf)


def add_commands(parsers: typing.Any) -> None:
    """Define the command line."""
    parser = parsers.add_parser('import', help='import the image in a file')
    parser.add_argument('file', type=pathlib.Path)
    # Not "name": that is the name of the command.
    parser.add_argument('--name', dest='called', help="default: the file's")
    parser.add_argument(
        '--checksum', metavar='SHA256', type=str.lower, help='what it must be'
    )
    parsers.add_parser('list', help='list the images')
    parser = parsers.add_parser('show', help='show what is known of an image')
    parser.add_argument('image', metavar='ID')
    parsers.add_parser('resume', help='finish what killed programs have left')


def import_image(conf: cfg.ConfigOpts) -> None:
    """Import an image; Ctrl-C undoes what was done of it."""
    source = conf.command.file.absolute()
    # Its request id is on the log lines of whoever runs a task of this.
    context.RequestContext()
    engine = engines.load_from_factory(
        'image.import',
        store={
            'name': conf.command.called or source.name,
            'source': str(source),
            'checksum': conf.command.checksum,
        },
        conf=conf,
    )
    with engines.Loop(conf) as loop:
        future = loop.submit(engine)
        while not future.done():
            try:
                futures.wait([future])
            except KeyboardInterrupt:
                engine.cancel(reason='interrupted')
    show_result(future, engine)


def resume(conf: cfg.ConfigOpts) -> int:
    """Finish all imports whose program is gone; fail if one of them does."""
    backend = backends.from_conf(conf)
    if backend is None:
        raise errors.ImageError(
            'Without [persistence] backend there is nothing to resume'
        )
    running: dict[futures.Future[None], engines.Engine] = {}
    with (
        contextlib.closing(backend.get_connection()) as connection,
        engines.Loop(conf) as loop,
    ):
        for flow in connection.find_flows(UNFINISHED, name=flows.IMPORT):
            engine = engines.load_from_detail(
                connection.get_flow_details(flow.uuid),
                conf=conf,
                claim_timeout=0,
            )
            running[loop.submit(engine)] = engine
        try:
            return sum(
                ended(future, running[future])
                for future in futures.as_completed(running)
            )
        except KeyboardInterrupt:
            # For the next one to finish; what runs is waited for.
            for engine in running.values():
                engine.suspend()
            raise


def ended(future: futures.Future[None], engine: engines.Engine) -> int:
    """Say how an import that was resumed has ended; return 1 if it failed."""
    try:
        show_result(future, engine)
    except (exceptions.FlowOwned, exceptions.FlowEnded):
        # Its program lives, or another one was faster.
        return 0
    except Exception as error:
        return complain(error)
    return 0


def show_result(future: futures.Future[None], engine: engines.Engine) -> None:
    """Print the image that was imported, or raise why there is none."""
    try:
        future.result()
    except exceptions.FlowOwned:
        raise
    except Exception as error:
        if engine.storage.get_revert_failures():
            raise errors.NotUndone(
                f'{in_a_line(error)}; what was done could not be undone: '
                'mend the cause, then call image-service resume'
            ) from error
        raise
    show(engine.storage.fetch('image_id'))


def show(image_id: str) -> None:
    """Print what is known of an image."""
    image = store.current().get(image_id)
    for field, value in dataclasses.asdict(image).items():
        if value is not None:
            print(f'{field + ":":10}{value}')


def list_images() -> None:
    """Print all images, one a line."""
    for image in store.current().list():
        print(f'{image.id}  {image.status:9}  {image.name}')


COMMANDS: dict[str, typing.Callable[[cfg.ConfigOpts], int | None]] = {
    'import': import_image,
    'list': lambda conf: list_images(),
    'show': lambda conf: show(conf.command.image),
    'resume': resume,
}


if __name__ == '__main__':
    sys.exit(main())
