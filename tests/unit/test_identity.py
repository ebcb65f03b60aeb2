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

"""Names are taken once, and only a free lock proves a death.

Real processes are used where a process matters: locks, forks and kills are
what this is about.
"""

from __future__ import annotations

import fcntl
import multiprocessing
from multiprocessing import reduction
import os
import pathlib
import signal
import subprocess
import sys
import threading
from unittest import mock

import fixtures
from oslo_config import cfg
from oslotest import base

from taskflow_service import conf as service_conf
from taskflow_service import exceptions
from taskflow_service import identity

DEADLINE = 30

# Takes a name, starts a task process that holds it too, and waits to be
# killed; the task process ends when its stdin does.
_WORKER = """
import os, pathlib, subprocess, sys
from taskflow_service import identity
mine = identity.take(pathlib.Path(sys.argv[1]), 'host')
descriptor = mine.duplicate()
task = subprocess.Popen(
    [sys.executable, '-c', 'import sys; sys.stdin.read()'],
    stdin=int(sys.argv[2]), pass_fds=[descriptor], close_fds=True,
)
print(mine.name, mine.incarnation, flush=True)
sys.stdin.read()
"""


def _hold(connection, duplicate):
    duplicate.detach()
    connection.recv()


def _fork_and_report(connection, conf):
    mine = identity.of_process(conf)
    connection.send((mine.name, mine.incarnation))
    connection.recv()


class IdentityTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.conf = cfg.ConfigOpts()
        service_conf.register_opts(self.conf)
        self.conf([], default_config_files=[], default_config_dirs=[])
        self.conf.set_override('state_path', str(self.path))
        self.conf.set_override('name', 'host', 'worker')
        self.names = self.path / 'names'

    def _take(self):
        made = identity.take(self.names, 'host')
        self.addCleanup(made.close)
        return made

    def _dead(self):
        return {
            past.incarnation: past.end for past in identity.dead(self.conf)
        }

    def test_the_first_free_name_is_taken(self):
        one, two, three = self._take(), self._take(), self._take()
        self.assertEqual(
            ['host.1', 'host.2', 'host.3'], [one.name, two.name, three.name]
        )
        two.close()
        self.assertEqual('host.2', self._take().name)

    def test_every_start_is_another_incarnation(self):
        one = self._take()
        one.close()
        two = self._take()
        self.assertEqual(one.name, two.name)
        self.assertNotEqual(one.incarnation, two.incarnation)

    def test_the_living_are_not_proven_dead(self):
        one = self._take()
        self.assertFalse(identity.proven_dead(self.conf, one.incarnation))
        self.assertEqual({}, self._dead())

    def test_of_the_unknown_nothing_is_proven(self):
        self._take().close()
        self.assertFalse(identity.proven_dead(self.conf, 'from elsewhere'))

    def test_an_orderly_end_is_clean_and_a_proof(self):
        one = self._take()
        one.close()
        self.assertTrue(identity.proven_dead(self.conf, one.incarnation))
        self.assertEqual({one.incarnation: identity.End.CLEAN}, self._dead())

    def test_a_worker_with_open_requests_ends_unclean(self):
        one = self._take()
        one.clean = False
        one.close()
        self.assertEqual({one.incarnation: identity.End.UNCLEAN}, self._dead())

    def test_predecessors_are_handed_down(self):
        made = []
        for clean in (True, False, True):
            one = self._take()
            one.clean = clean
            one.close()
            made.append(one)
        last = self._take()
        self.assertEqual(
            [one.incarnation for one in made],
            [past.incarnation for past in last.predecessors],
        )
        self.assertEqual(
            ['clean', 'unclean', 'clean'],
            [past.end for past in last.predecessors],
        )
        self.assertTrue(identity.proven_dead(self.conf, made[0].incarnation))
        self.assertFalse(identity.proven_dead(self.conf, last.incarnation))

    def test_a_record_keeps_a_bounded_past(self):
        with mock.patch.object(identity, '_MOST_PREDECESSORS', 2):
            made = []
            for _ in range(5):
                made.append(self._take())
                made[-1].close()
        self.assertEqual(
            [one.incarnation for one in made[-3:]],
            [past.incarnation for past in self._take().predecessors],
        )

    def test_a_broken_record_costs_only_the_past(self):
        one = self._take()
        one.close()
        (self.names / 'host.1.json').write_text('{"version": 1, ')
        two = self._take()
        self.assertEqual(('host.1', ()), (two.name, two.predecessors))
        self.assertEqual({}, self._dead())

    def test_where_no_name_can_be_written_the_option_is_named(self):
        self.names.mkdir()
        (self.names / 'host.1.lock').mkdir()
        error = self.assertRaises(
            exceptions.ConfigurationError, identity.take, self.names, 'host'
        )
        self.assertIn('[DEFAULT] state_path', str(error))
        self.assertIn(str(self.names), str(error))

    def test_closing_twice_is_closing_once(self):
        one = self._take()
        one.close()
        two = self._take()
        one.close()
        self.assertFalse(identity.proven_dead(self.conf, two.incarnation))

    def test_a_prober_does_not_take_a_name_away(self):
        self._take().close()
        descriptor = os.open(self.names / 'host.1.lock', os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        closer = threading.Timer(0, os.close, (descriptor,))
        with mock.patch.object(identity, '_TRIES', 10**9):
            closer.start()
            self.assertEqual('host.1', self._take().name)
        closer.join()

    def test_threads_share_the_identity_of_the_process(self):
        seen = []
        start = threading.Barrier(8)

        def ask():
            start.wait(DEADLINE)
            seen.append(identity.of_process(self.conf))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.addCleanup(seen[0].close)
        self.assertEqual(1, len(set(seen)))

    def test_a_killed_worker_is_dead_when_its_task_processes_are(self):
        mine, theirs = os.pipe()
        worker = subprocess.Popen(
            [sys.executable, '-c', _WORKER, str(self.names), str(mine)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[mine],
            text=True,
        )
        self.addCleanup(worker.communicate)
        self.addCleanup(worker.kill)
        os.close(mine)
        name, incarnation = worker.stdout.readline().split()
        self.assertEqual('host.1', name)
        self.assertEqual('host.2', self._take().name)
        worker.send_signal(signal.SIGKILL)
        worker.wait(DEADLINE)
        # Its task process still runs, so the name is still taken.
        self.assertFalse(identity.proven_dead(self.conf, incarnation))
        self.assertEqual('host.3', self._take().name)
        os.close(theirs)
        self._await_free('host.1')
        self.assertEqual(identity.End.UNCLEAN, self._dead().get(incarnation))
        self.assertEqual('host.1', self._take().name)

    def _await_free(self, name):
        with open(self.names / f'{name}.lock', 'rb') as stream:
            waiter = threading.Thread(
                target=fcntl.flock, args=(stream, fcntl.LOCK_SH), daemon=True
            )
            waiter.start()
            waiter.join(DEADLINE)
            self.assertFalse(waiter.is_alive(), f'{name} is still held')

    def _task_process(self, method):
        context = multiprocessing.get_context(method)
        one = self._take()
        mine, theirs = context.Pipe()
        descriptor = one.duplicate()
        if method == 'fork':
            handed = mock.Mock(detach=lambda: descriptor)
            process = context.Process(target=_hold, args=(theirs, handed))
            process.start()
        else:
            process = context.Process(
                target=_hold, args=(theirs, _Passed(descriptor))
            )
            process.start()
        self.addCleanup(process.join)
        self.addCleanup(mine.close)
        os.close(descriptor)
        theirs.close()
        one.close()
        self.assertFalse(identity.proven_dead(self.conf, one.incarnation))
        mine.send('end')
        process.join(DEADLINE)
        self.assertTrue(identity.proven_dead(self.conf, one.incarnation))

    def test_a_forked_task_process_holds_the_name(self):
        self._task_process('fork')

    def test_a_spawned_task_process_holds_the_name(self):
        self._task_process('spawn')

    def test_a_child_that_is_no_task_process_does_not_hold_the_name(self):
        context = multiprocessing.get_context('fork')
        one = identity.of_process(self.conf)
        mine, theirs = context.Pipe()
        child = context.Process(
            target=_fork_and_report, args=(theirs, self.conf)
        )
        child.start()
        self.addCleanup(child.join)
        theirs.close()
        name, incarnation = mine.recv()
        self.assertEqual('host.2', name)
        self.assertNotEqual(one.incarnation, incarnation)
        one.close()
        self.assertTrue(identity.proven_dead(self.conf, one.incarnation))
        self.assertFalse(identity.proven_dead(self.conf, incarnation))
        mine.send('end')


class _Passed:
    """A descriptor that a spawned process finds among its arguments."""

    def __init__(self, descriptor):
        self._descriptor = descriptor

    def __getstate__(self):
        return reduction.DupFd(self._descriptor)

    def __setstate__(self, duplicate):
        self._duplicate = duplicate

    def detach(self):
        return self._duplicate.detach()


class StatePathTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.conf = cfg.ConfigOpts()
        service_conf.register_opts(self.conf)
        self.conf([], default_config_files=[], default_config_dirs=[])
        system, user = self.path / 'system', self.path / 'user'
        self.useFixture(
            fixtures.MockPatchObject(identity, 'SYSTEM_STATE_PATH', system)
        )
        self.useFixture(
            fixtures.MockPatchObject(identity, 'USER_STATE_PATH', user)
        )

    def test_a_given_path_is_made_and_used(self):
        self.conf.set_override('state_path', str(self.path / 'a' / 'b'))
        self.assertEqual(self.path / 'a/b', identity.state_path(self.conf))
        self.assertTrue((self.path / 'a/b').is_dir())

    def test_the_default_is_the_systems(self):
        self.assertEqual(self.path / 'system', identity.state_path(self.conf))

    def test_or_the_users_own(self):
        (self.path / 'system').write_text('in the way')
        self.assertEqual(self.path / 'user', identity.state_path(self.conf))

    def test_a_given_path_that_cannot_be_used_is_an_error(self):
        (self.path / 'file').write_text('in the way')
        self.conf.set_override('state_path', str(self.path / 'file'))
        error = self.assertRaises(
            exceptions.ConfigurationError, identity.state_path, self.conf
        )
        self.assertIn('[DEFAULT] state_path', str(error))

    def test_where_nothing_can_be_used_the_option_is_named(self):
        (self.path / 'system').write_text('in the way')
        (self.path / 'user').write_text('in the way')
        error = self.assertRaises(
            exceptions.ConfigurationError, identity.state_path, self.conf
        )
        self.assertIn('[DEFAULT] state_path', str(error))
