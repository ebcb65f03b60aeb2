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

"""Flows say what comes before what; a decider says whether at all."""

from taskflow_service import engines
from taskflow_service import task
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow


class Say(task.Task):
    def execute(self, **kwargs):
        print(f'  {self.name}')
        return self.name


def tell(title, flow):
    print(title)
    engines.run(flow)


def one_after_the_other():
    flow = linear_flow.Flow('linear')
    flow.add(Say('wake up'), Say('get up'), Say('go'))
    tell('one after the other', flow)


def side_by_side():
    flow = linear_flow.Flow('meal').add(
        Say('set the table'),
        unordered_flow.Flow('dishes').add(Say('soup'), Say('rice')),
        Say('eat'),
    )
    tell('side by side, in the middle', flow)


def by_symbols():
    # Added in any order: the links come from what they need of each other.
    flow = graph_flow.Flow('house')
    flow.add(
        Say('roof', requires=['walls'], provides='roof'),
        Say('walls', requires=['ground'], provides='walls'),
        Say('move in', requires=['roof', 'garden']),
        Say('garden', requires=['ground'], provides='garden'),
        Say('ground', provides='ground'),
    )
    for before, after, meta in flow.iter_links():
        print(f'  ({before.name} -> {after.name}: {meta["reasons"]})')
    tell('by what they need', flow)


def only_if():
    check, repair, drive = Say('check'), Say('repair'), Say('drive')
    flow = graph_flow.Flow('car').add(check, repair, drive)
    flow.link(
        check,
        repair,
        decider=lambda history: history['check'] == 'broken',
        decider_depth='atom',
    )
    flow.link(repair, drive)
    tell('repair only if it is broken', flow)


def only_what_is_needed():
    flow = graph_flow.TargetedFlow('house')
    walls = Say('walls', requires=['ground'], provides='walls')
    flow.add(
        Say('ground', provides='ground'),
        walls,
        Say('garden', requires=['ground'], provides='garden'),
    )
    flow.set_target(walls)
    tell('only what leads to the walls', flow)


if __name__ == '__main__':
    one_after_the_other()
    side_by_side()
    by_symbols()
    only_if()
    only_what_is_needed()
