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

"""The compiled flow in three forms, with states."""

from __future__ import annotations

import json
import typing

from oslotest import base as test_base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.plan import export


class Pass(task.Task):
    def execute(self, **kwargs: typing.Any) -> str:
        return self.name or ''


def decide(history: dict[str, typing.Any]) -> bool:
    return True


def load() -> typing.Any:
    first = Pass('first "quoted"', provides='x')
    second = Pass('second', requires=['x'])
    graph = graph_flow.Flow('graph').add(first, second)
    graph.link(first, second, decider=decide)
    engine = engines.load(
        linear_flow.Flow('flow', retry=retry.Times(1, 'r')).add(graph)
    )
    engine.compile()
    engine.prepare()
    return engine


class TestExport(test_base.BaseTestCase):
    def test_json_tells_nodes_edges_and_states(self):
        engine = load()
        engine.run()
        told = json.loads(engine.compilation.export('json', engine.storage))
        self.assertEqual('flow', told['name'])
        nodes = {node['name']: node for node in told['nodes']}
        self.assertEqual(
            {
                'flow': 'flow',
                'r': 'retry',
                'graph': 'flow',
                'first "quoted"': 'task',
                'second': 'task',
                'graph[$]': 'flow_end',
                'flow[$]': 'flow_end',
            },
            {name: node['kind'] for name, node in nodes.items()},
        )
        self.assertEqual('SUCCESS', nodes['second']['state'])
        self.assertEqual('r', nodes['second']['retry'])
        self.assertEqual('graph', nodes['second']['flow'])
        self.assertNotIn('state', nodes['graph'])
        (edge,) = [
            edge
            for edge in told['edges']
            if edge['to'] == nodes['second']['id']
        ]
        self.assertEqual(nodes['first "quoted"']['id'], edge['from'])
        self.assertEqual(['x'], edge['symbols'])
        self.assertTrue(edge['decider'].endswith('decide'))

    def test_dot_shows_states_as_colours(self):
        engine = load()
        pending = engine.compilation.export('dot', engine.storage)
        self.assertIn(export.COLOURS['PENDING'], pending)
        self.assertNotIn(export.COLOURS['SUCCESS'], pending)
        engine.run()
        done = engine.compilation.export('dot', engine.storage)
        self.assertIn(export.COLOURS['SUCCESS'], done)
        self.assertIn('label="first \\"quoted\\""', done)
        self.assertNotIn('fillcolor="', engine.compilation.export('dot'))

    def test_mermaid_shows_states_as_classes(self):
        engine = load()
        engine.run()
        text = engine.compilation.export('mermaid', engine.storage)
        self.assertTrue(text.startswith('flowchart TD\n'))
        self.assertIn(':::SUCCESS', text)
        self.assertIn('classDef SUCCESS', text)
        self.assertIn('first #34;quoted#34;', text)

    def test_an_unknown_format_is_refused(self):
        self.assertRaises(
            exceptions.InvalidFormat, load().compilation.export, 'png'
        )

    def test_every_state_of_an_atom_has_a_colour(self):
        engine = load()
        for state in export.COLOURS:
            engine.storage.set_atom_state('second', state)
            for form in ('dot', 'mermaid', 'json'):
                engine.compilation.export(form, engine.storage)

    def test_a_deep_nesting_can_be_looked_at(self):
        flow = linear_flow.Flow('0').add(Pass('task'))
        for depth in range(1, 2000):
            flow = linear_flow.Flow(str(depth)).add(flow)
        engine: typing.Any = engines.load(flow)
        engine.compile()
        self.assertEqual(4001, len(engine.compilation.execution_graph))
        self.assertEqual(
            2000, engine.compilation.hierarchy.child_count(only_direct=False)
        )
