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

"""What FailureFormatter writes of linear and graph flows."""

from taskflow import engines
from taskflow import formatters
from taskflow import retry
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow
from taskflow.types import failure


class T(task.Task):
    def execute(self, **kwargs):
        return {'name': self.name, 'secret': 's', 'deep': [{'secret': 1}]}


class Fail(task.Task):
    def execute(self, **kwargs):
        raise OSError('fail')


def show(flow, name='x', **kwargs):
    print('--', sorted(kwargs))
    engine = engines.load(flow, store={'p': 'P', 'secret': 'S'})
    formatter = formatters.FailureFormatter(engine, **kwargs)

    def matches(node):
        return node.item.name == name

    def hear(state, details):
        if state == 'FAILURE':
            found = details['result']
            exc_info, text = formatter.format(found, matches)
            print(exc_info == found.exc_info)
            print(text)
            print(formatter.format(found, lambda node: False)[1] == '')
            text = formatter.format(
                failure.Failure.from_dict(found.to_dict()), matches
            )
            print(text[0], text[1].splitlines()[0])

    engine.atom_notifier.register('*', hear)
    try:
        engine.run()
    except OSError as error:
        print('raised', error)


def chain():
    return linear_flow.Flow('f').add(
        T('a', provides='ra'), T('b', requires=['ra', 'p']), Fail('x')
    )


show(chain())
show(chain(), hide_inputs_outputs_of=['b'])
show(chain(), mask_inputs_keys=['p'], mask_outputs_keys=['secret'])
show(linear_flow.Flow('f').add(Fail('x')))
show(
    linear_flow.Flow('f', retry=retry.Times(1, 'times')).add(
        T('a'),
        linear_flow.Flow('g', retry=retry.AlwaysRevert('ar')).add(
            T('b', requires=['secret']), Fail('x')
        ),
    ),
    mask_inputs_keys=['secret'],
)
show(
    graph_flow.Flow('g').add(
        T('one', provides='r1'),
        T('two', provides='r2', requires=['r1']),
        Fail('x', requires=['r2']),
    )
)
