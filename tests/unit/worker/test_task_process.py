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

"""A task process whose worker is gone before it is ready."""

from __future__ import annotations

import multiprocessing
import os

import fixtures
from oslo_config import cfg
from oslotest import base

from taskflow_service import conf as service_conf
from taskflow_service import demo
from taskflow_service import registry
from taskflow_service.executors import settings
from taskflow_service.worker import task_process
from tests import remote


class TaskProcessTest(base.BaseTestCase):
    def test_it_ends_without_a_word_if_nobody_hears_it(self) -> None:
        conf = cfg.ConfigOpts()
        service_conf.register_opts(conf)
        conf([], default_config_files=[], default_config_dirs=[])
        spawn = multiprocessing.get_context('spawn')
        ours, theirs = spawn.Pipe()
        ours.close()
        lock = self.useFixture(fixtures.TempDir()).join('lock')
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, descriptor)
        process = spawn.Process(
            target=task_process.main,
            args=(
                theirs,
                settings.of(conf),
                registry.tasks_from([demo.Hello]),
                task_process.Lock(descriptor),
            ),
        )
        process.start()
        theirs.close()
        process.join(remote.LONG)
        self.assertEqual(0, process.exitcode)
