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

"""What every command does: read its configuration, end with a code.

What an operator got wrong is one line on stderr and exit code 1; the
traceback is shown with ``--debug``.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import logging
import sys
import traceback

from oslo_config import cfg
from oslo_log import log
from oslo_reports import opts as reports_opts
import pbr.version

from taskflow_service import conf as service_conf
from taskflow_service import exceptions
from taskflow_service import masking
from taskflow_service.conf import base

PROJECT = 'taskflow_service'
DISTRIBUTION = 'taskflow-service'

#: Ended by SIGINT, as shells count it.
EXIT_INTERRUPTED = 130

#: Of the installed distribution, as oslo.reports wants it.
VERSION = pbr.version.VersionInfo(DISTRIBUTION)

_DEBUG_FLAGS = frozenset(('-d', '--debug'))


def version() -> str:
    """Return the version of the installed distribution."""
    return str(pbr.version.VersionInfo(DISTRIBUTION).version_string_with_vcs())


def run_main(
    prog: str,
    function: Callable[[list[str]], int | None],
    argv: Sequence[str] | None = None,
) -> int:
    """Run the body of a command and return its exit code.

    ``function`` gets the arguments (default: the process's) and returns an
    exit code, or None for 0. An error is one line on stderr and code 1.
    ``SystemExit`` passes through: that is how argument parsers end.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return function(arguments) or 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as exc:
        if _DEBUG_FLAGS.intersection(arguments):
            traceback.print_exc()
        print_error(prog, describe(exc))
        return 1


def print_error(prog: str, text: str) -> None:
    """Say in one line on stderr why a command fails."""
    print(f'{prog}: error: {text}', file=sys.stderr)


def describe(exc: Exception) -> str:
    """Put an error into one line that says what to do."""
    text = ' '.join(str(exc).split())
    if isinstance(exc, exceptions.TaskFlowException):
        return text
    if isinstance(exc, cfg.ConfigFilesNotFoundError):
        files = ', '.join(exc.config_files)
        return f'--config-file: {files} does not exist; give a readable file'
    if isinstance(exc, cfg.ConfigFilesPermissionDeniedError):
        files = ', '.join(exc.config_files)
        return f'--config-file: {files} may not be read by this user'
    if isinstance(exc, cfg.ConfigDirNotFoundError):
        return f'--config-dir: {exc.config_dir} does not exist'
    if isinstance(exc, (cfg.Error, OSError)):
        return text
    kind = type(exc).__name__
    return f'{kind}: {text} (--debug shows where it comes from)'


def load_conf(
    prog: str,
    argv: Sequence[str],
    register: Sequence[Callable[[cfg.ConfigOpts], None]] = (),
    default_config_files: list[str] | None = None,
) -> cfg.ConfigOpts:
    """Read a command's configuration and set up its logging.

    ``register`` adds what belongs to this command alone, options of the
    command line included. Raises ``cfg.Error`` and our own
    ``TaskFlowException`` for what cannot be used, with the option's name.
    """
    base.set_lib_defaults()
    conf = _read_conf(prog, argv, register, default_config_files)
    log.setup(conf, PROJECT, VERSION.release_string())
    logging.captureWarnings(True)
    masking.mask_log()
    return conf


def reload_conf(
    conf: cfg.ConfigOpts,
    prog: str,
    argv: Sequence[str],
    register: Sequence[Callable[[cfg.ConfigOpts], None]] = (),
) -> None:
    """Read the files again and take over the options that are mutable.

    They are read aside first: a file that cannot be used raises what
    ``load_conf`` raises, and changes nothing.
    """
    _read_conf(prog, argv, register)
    conf.mutate_config_files()
    # A log_config_append that has changed brings handlers of its own.
    masking.mask_log()


def _read_conf(
    prog: str,
    argv: Sequence[str],
    register: Sequence[Callable[[cfg.ConfigOpts], None]] = (),
    default_config_files: list[str] | None = None,
) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    reports_opts.set_defaults(conf)
    service_conf.register_opts(conf)
    for function in register:
        function(conf)
    conf(
        list(argv),
        project=PROJECT,
        prog=prog,
        version=VERSION.release_string(),
        default_config_files=default_config_files,
    )
    service_conf.validate(conf)
    return conf
