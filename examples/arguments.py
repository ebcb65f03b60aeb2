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

"""Results become arguments, by name."""

from taskflow_service import engines
from taskflow_service import task
from taskflow_service.patterns import linear_flow


class Resolve(task.Task):
    # A tuple names the elements of the result.
    default_provides = ('address', 'port')

    def execute(self, url):
        host, _, port = url.partition(':')
        return f'10.0.0.{len(host)}', int(port)


class Describe(task.Task):
    # A set names the keys of the result.
    default_provides = {'kind', 'colour'}

    def execute(self):
        return {'kind': 'pump', 'colour': 'red', 'weight': 7}


class Connect(task.Task):
    def execute(self, address, port, timeout=30):
        return f'{address}:{port} within {timeout} s'


class Log(task.Task):
    def execute(self, text, **kwargs):
        print(f'{self.name}: {text} {kwargs}')


def main():
    flow = linear_flow.Flow('arguments').add(
        # From what was put in the store.
        Resolve('resolve'),
        Describe('describe'),
        # From results, by the names of the arguments. Nobody provides a
        # timeout: the default holds.
        Connect('first', provides='first'),
        # Another symbol for an argument, and a value for this task alone.
        Connect(
            'second',
            rebind={'address': 'backup'},
            inject={'timeout': 5},
            provides='second',
        ),
        # Further symbols, which **kwargs takes.
        Log('log 1', rebind={'text': 'first'}, requires=['kind', 'colour']),
        Log('log 2', rebind=['second', 'kind']),
    )
    print(f'required from outside: {sorted(flow.requires)}')
    engine = engines.load(
        flow, store={'url': 'example:80', 'backup': '10.9.9.9'}
    )
    engine.run()
    print(f'the result is kept: {engine.storage.fetch("second")}')


if __name__ == '__main__':
    main()
