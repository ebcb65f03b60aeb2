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

"""Random flows, run by TaskFlow itself and by us.

TaskFlow is not a dependency: where it is not installed these are skipped.
"""

from __future__ import annotations

import collections
import copy
import importlib
import itertools
import logging
import os
import types
import typing
import unittest

from oslotest import base

from tests.property import naive
from tests.property import random_flows

try:
    import taskflow
except ImportError:
    taskflow = None

FLOWS = int(os.environ.get('TFS_ORACLE_FLOWS', '500'))

_MODULES = (
    'engines',
    'retry',
    'task',
    'patterns.graph_flow',
    'patterns.linear_flow',
    'patterns.unordered_flow',
    'types.notifier',
)


class Boom(Exception):
    """What a task fails with."""


def library(package):
    """Find the modules of one package or the other."""
    return types.SimpleNamespace(
        **{
            name.rpartition('.')[2]: importlib.import_module(
                f'{package}.{name}'
            )
            for name in _MODULES
        }
    )


class Outcome(typing.NamedTuple):
    state: str
    raised: bool
    atoms: dict
    values: dict

    @property
    def retries(self):
        """The states of the controllers."""
        return {state for name, state in self.atoms.items() if 'retry' in name}


class Program:
    """A program that uses one library to run a flow of a seed.

    Where several tasks are ready, TaskFlow's serial engine runs all of them
    before it looks at what became of the first. So what is to be compared
    event by event has one order only, and what has several does not fail.

    :ivar determined: whether the flow has one order only
    """

    def __init__(self, lib, seed, size=14):
        self.lib = lib
        self.determined = seed % 4 != 3
        settings = random_flows.Settings(
            ignore_failure=0,
            retry_raises=0.1 if seed % 4 == 0 else 0,
            no=0.3 if seed % 2 else 0,
        )
        generator = random_flows.Generator(seed, size, settings)
        self.spec = generator.flow()
        if self.determined:
            _one_order(self.spec)
        #: Deciders may have atoms ignored.
        self.ignores = bool(settings.no)
        self._want_what_is_there()
        rng = generator.rng
        self.fails = rng.choice((0, 0.1, 0.3)) if self.determined else 0
        self.revert_fails = rng.choice((0, 0, 0.1))
        self.options = {'defer_reverts': rng.random() < 0.2}
        self.fate = random_flows.Fate(seed, settings)
        self.counts = {}
        self.transcript = []
        self.flow = self._flow(self.spec)

    def _want_what_is_there(self):
        """Have tasks ask only for what they will find.

        TaskFlow ends a flow without reverting where an argument is not
        there, also where it has a default.
        """
        executed = copy.deepcopy(self.spec)
        random_flows.prune(executed)
        names = {}
        _orders(executed, names)
        order = naive.Order(executed, names)
        for spec in self.spec.atoms():
            if isinstance(spec, random_flows.Task):
                there = {
                    order.spec[other].provides
                    for other in order.visible.get(spec.name, ())
                    if not self.ignores
                }
                spec.wants = tuple(s for s in spec.wants if s in there)

    def run(self):
        """Run it to its end."""
        engine = self.lib.engines.load(self.flow, **self.options)
        anything = self.lib.notifier.Notifier.ANY
        engine.notifier.register(anything, self._flow_event)
        engine.atom_notifier.register(anything, self._atom_event)
        raised = False
        try:
            engine.run()
        except Exception:
            # TaskFlow still raises the failures of earlier tries, too.
            raised = True
        storage = engine.storage
        names = [atom.name for atom in self.spec.atoms()]
        atoms = {}
        for name in names:
            try:
                atoms[name] = storage.get_atom_state(name)
            except Exception:
                # Not executed: it does not lead to the target.
                atoms[name] = None
        values = storage.fetch_all()
        return Outcome(storage.get_flow_state(), raised, atoms, values)

    def _flow_event(self, state, details):
        self.transcript.append(('flow', state, details['old_state']))

    def _atom_event(self, state, details):
        name = details.get('task_name') or details['retry_name']
        result = details.get('result')
        if isinstance(result, (tuple, int)):
            state = f'{state} {result}'
        self.transcript.append((name, str(state), str(details['old_state'])))

    def _flow(self, spec):
        controller = None
        if spec.retry is not None:
            controller = self._controller(spec.retry)
        made = {
            'linear': self.lib.linear_flow.Flow,
            'unordered': self.lib.unordered_flow.Flow,
            'graph': self.lib.graph_flow.Flow,
            'targeted': self.lib.graph_flow.TargetedFlow,
        }[spec.kind](spec.name, controller)
        children = [
            self._flow(child)
            if isinstance(child, random_flows.Flow)
            else self._task(child)
            for child in spec.children
        ]
        made.add(*children)
        for link in spec.links:
            decider = None
            if link.decider:
                decider = self._decider(link.decider)
            made.link(
                children[link.source],
                children[link.target],
                decider=decider,
                decider_depth=link.depth if decider else None,
            )
        if spec.target is not None:
            made.set_target(children[spec.target])
        return made

    def _decider(self, name):
        return lambda history: not self.fate.says_no(name, history)

    def _fails(self, name, what, chance):
        count = self.counts[name, what] = self.counts.get((name, what), 0) + 1
        return count, self.fate.chance(name, what, count) < chance

    def _task(self, spec):
        program = self

        def execute(**kwargs):
            count, fails = program._fails(spec.name, 'do', program.fails)
            given = sorted(kwargs.items())
            program.transcript.append((spec.name, 'execute', str(given)))
            if fails:
                raise Boom(spec.name)
            return spec.name, count

        def revert(result, flow_failures, **kwargs):
            _, fails = program._fails(spec.name, 'undo', program.revert_fails)
            if fails:
                raise Boom(spec.name)

        arguments = ', '.join(f'{name}=None' for name in spec.wants)
        names = ', '.join(f'{name}={name}' for name in spec.wants)
        made = {'execute': execute}
        exec(f'def body(self, {arguments}): return execute({names})', made)
        cls = type(
            'Work',
            (self.lib.task.Task,),
            {
                'execute': made['body'],
                'revert': lambda self, **kwargs: revert(**kwargs),
                'priority': spec.priority,
            },
        )
        return cls(spec.name, provides=spec.provides)

    def _controller(self, spec):
        program = self
        retry = self.lib.retry
        options = {'name': spec.name, 'provides': spec.provides}
        parent = retry.AlwaysRevert
        if spec.kind in ('Times', 'ForEach'):
            parent = getattr(retry, spec.kind)
            options['revert_all'] = spec.revert_all
        if spec.kind == 'Times':
            options['attempts'] = spec.tries
        elif spec.kind == 'ForEach':
            options['values'] = list(range(1, spec.tries + 1))

        class Controller(parent):
            def execute(self, history, **kwargs):
                number = len(history) + 1
                if program.fate.retry_raises(spec.name, number):
                    raise Boom(spec.name)
                super().execute(history=history, **kwargs)
                return number

            def revert(self, history, **kwargs):
                pass

            def on_failure(self, history, **kwargs):
                failed = []
                for _provided, failures in history:
                    failed = list(failures)
                return retry.Decision(
                    program.fate.decision(spec, len(history), failed)
                )

        return Controller(**options)


def _orders(spec, order):
    """Write down an order of each flow's children."""
    order[spec.name] = [spec.children[n].name for n in _placed(spec)]
    for child in spec.children:
        if isinstance(child, random_flows.Flow):
            _orders(child, order)


def _one_order(spec):
    """Have one child after the other."""
    if spec.kind == 'unordered':
        spec.kind = 'linear'
    if spec.kind != 'linear':
        placed = _placed(spec)
        linked = {(link.source, link.target) for link in spec.links}
        spec.links += [
            random_flows.Link(before, after)
            for before, after in itertools.pairwise(placed)
            if (before, after) not in linked
        ]
    for child in spec.children:
        if isinstance(child, random_flows.Flow):
            _one_order(child)


def _placed(spec):
    """Find an order of a flow's children that its links allow."""
    placed = []
    while len(placed) < len(spec.children):
        for index in range(len(spec.children)):
            sources = {k.source for k in spec.links if k.target == index}
            if index not in placed and sources <= set(placed):
                placed.append(index)
    return placed


def _in_batches(transcript):
    """Put what was ignored, or reset, together in one order."""
    found, batch = [], []
    for event in [*transcript, None]:
        if event is not None and event[1] in ('IGNORE', 'PENDING'):
            batch.append(event)
            continue
        found += sorted(batch)
        batch = []
        if event is not None:
            found.append(event)
    return found


@unittest.skipIf(taskflow is None, 'TaskFlow is not installed')
class OracleTest(base.BaseTestCase):
    """What a flow does is what TaskFlow does with it."""

    def setUp(self):
        super().setUp()
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)

    def check(self, seed):
        theirs = Program(library('taskflow'), seed)
        ours = Program(library('taskflow_service'), seed)
        expected, got = theirs.run(), ours.run()
        if expected.state == 'RUNNING' or (
            expected.raised and 'IGNORE' in expected.retries
        ):
            # TaskFlow came to a state that it cannot leave, or asked a
            # controller that a decider had ignored; both raise.
            return
        self.assertEqual(expected.state, got.state, f'seed {seed}')
        self.assertEqual(expected.atoms, got.atoms, f'seed {seed}')
        self.assertEqual(expected.raised, got.raised, f'seed {seed}')
        if expected.state == 'SUCCESS':
            # Else TaskFlow has failures, or nothing, among several values.
            self.assertEqual(expected.values, got.values, f'seed {seed}')
        if theirs.determined:
            self.assertEqual(
                _in_batches(theirs.transcript),
                _in_batches(ours.transcript),
                f'seed {seed}',
            )
        else:
            self.assertEqual(
                collections.Counter(theirs.transcript),
                collections.Counter(ours.transcript),
                f'seed {seed}',
            )

    def test_random_flows(self):
        for seed in range(FLOWS):
            self.check(seed)
