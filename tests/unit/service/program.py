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

"""A daemon with a worker that only says what happens to it.

Run as a program by the tests: each line on stdout is an event, the process's
id, and a detail.
"""

from __future__ import annotations

import logging
from multiprocessing import synchronize
import os
import subprocess
import sys
import threading
import time
import types

from oslo_config import cfg
from oslo_reports import opts
from pbr import version

from taskflow_service import conf as service_conf
from taskflow_service import exceptions
from taskflow_service.service import daemon

MODE = sys.argv[1]
PROCESSES = int(sys.argv[2])


def say(event, *details):
    os.write(
        1,
        (' '.join(map(str, (event, os.getpid(), *details)))).encode() + b'\n',
    )


class Worker:
    def __init__(self, conf):
        self._stopped = threading.Event()

    def start(self):
        if MODE == 'fails':
            raise exceptions.ConfigurationError(
                '[worker] setup: no such\nthing'
            )
        task = subprocess.Popen(
            [sys.executable, '-c', 'import sys; sys.stdin.read()'],
            stdin=subprocess.PIPE,
        )
        self._task = task
        say('started', os.getpgrp(), task.pid, os.getpgid(task.pid))
        if MODE == 'ends':
            self._stopped.set()

    def stop(self, graceful=True):
        say('stopping')
        if MODE.startswith('hangs'):
            threading.Event().wait()
        self._task.kill()
        self._stopped.set()
        say('stopped')

    def wait(self, timeout):
        return self._stopped.wait(timeout)

    def counts(self):
        if MODE == 'busy':
            self._done = getattr(self, '_done', 0) + 3
            return {'ok': self._done, 'running': 1}
        return {}

    def running(self):
        request = types.SimpleNamespace(
            action='execute',
            atom='stage-1',
            task='image.stage',
            attempt=2,
            flow_uuid='f-1',
            request_uuid='r-1',
        )
        return [(request, time.time() - 90)]


def reload(conf):
    say('reloaded')
    if MODE == 'bad file':
        raise exceptions.ConfigurationError('[worker] slots: bad')


def _no_semaphore(*_args, **_kwargs):
    raise PermissionError(13, 'Permission denied')


def main():
    if MODE == 'no semaphores':
        # As where /dev/shm is closed to us.
        synchronize.SemLock.__init__ = _no_semaphore
    conf = cfg.ConfigOpts()
    service_conf.register_opts(conf)
    conf([], default_config_files=[], default_config_dirs=[])
    conf.set_override('processes', PROCESSES, 'worker')
    if MODE == 'busy':
        daemon.SUMMARY_INTERVAL = 0.1
        log = logging.getLogger('taskflow_service')
        log.setLevel(logging.INFO)
        handler = logging.Handler()
        handler.emit = lambda record: say('logged', record.getMessage())
        log.addHandler(handler)
    if MODE == 'hangs without patience':
        daemon.CLOSING_TIME = 0
        conf.set_override('graceful_shutdown_timeout', 0, 'worker')
        conf.set_override('cancel_grace', 0, 'worker')
    conf.register_opts(opts.list_opts()[0][1], 'oslo_reports')
    conf.set_override('log_dir', os.environ.get('REPORTS'), 'oslo_reports')
    code, reason = daemon.serve(
        conf, Worker, reload, version.VersionInfo('taskflow-service')
    )
    if reason:
        say('failed', reason)
    say('exit', code)
    return code


if __name__ == '__main__':
    sys.exit(main())
