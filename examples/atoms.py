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

"""Tasks do, and undo: a server is booted and its volume cannot be attached."""

from taskflow_service import engines
from taskflow_service import task
from taskflow_service.patterns import linear_flow
from taskflow_service.types import failure


class CreateVolume(task.Task):
    default_provides = 'volume'

    def execute(self, size):
        print(f'creating a volume of {size} GiB')
        return {'id': 'v-1', 'size': size}

    def revert(self, result):
        # The task itself may have failed: then there is nothing to delete.
        if not isinstance(result, failure.Failure):
            print(f'deleting volume {result["id"]}')


class BootServer(task.Task):
    default_provides = 'server'

    def execute(self, image):
        self.update_progress(0.5)
        return f'server of {image}'

    def revert(self, result, flow_failures, **kwargs):
        for name, why in flow_failures.items():
            print(f'stopping {result}: {name} failed ({why.exception_str})')


class Attach(task.Task):
    # May run twice: attaching what is attached changes nothing.
    idempotent = True

    def pre_execute(self):
        print('about to attach')

    def execute(self, volume, server):
        raise OSError(f'{server} does not answer')


def report(event_type, details):
    # An engine reports the begin and the end by itself.
    if 0 < details['progress'] < 1:
        print(f'booting: {details["progress"]:.0%}')


def count(server):
    """A function will do where there is nothing to undo."""
    return len(server)


def main():
    boot = BootServer('boot')
    boot.notifier.register(task.EVENT_UPDATE_PROGRESS, report)
    flow = linear_flow.Flow('bring up a server')
    flow.add(
        CreateVolume('create volume'),
        boot,
        task.FunctorTask(count, provides='letters'),
        Attach('attach'),
    )
    try:
        engines.run(flow, store={'size': 8, 'image': 'debian'})
    except OSError as ex:
        print(f'the flow failed: {ex}')


if __name__ == '__main__':
    main()
