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

"""A flow that failed is tried again, or not, as its controller decides."""

from taskflow_service import engines
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.patterns import linear_flow


class Download(task.Task):
    def execute(self, attempt):
        print(f'  download, try {attempt}')
        if attempt < 3:
            raise ConnectionError('the mirror does not answer')
        return 'image'

    def revert(self, result, **kwargs):
        print('  removing what is there of it')


class Place(task.Task):
    def execute(self, host):
        print(f'  placing on {host}')
        if host != 'host-3':
            raise RuntimeError(f'{host} is full')


class Refuse(task.Task):
    def execute(self, attempt):
        print(f'  refused, try {attempt}')
        raise PermissionError('not yours')


class Nearest(retry.Retry):
    """A controller of one's own: the nearest mirror, then a cache."""

    default_provides = 'attempt'

    def execute(self, history, mirrors):
        return mirrors[len(history)] if len(history) < len(mirrors) else 3

    def on_failure(self, history, mirrors):
        if history.caused_by(ConnectionError, index=-1):
            return retry.RETRY
        return retry.REVERT


def attempt(title, flow, **store):
    print(title)
    try:
        engines.run(flow, store=store)
    except Exception as ex:
        print(f'  gave up: {ex}')


def main():
    attempt(
        'three times, with a wait in between that grows',
        linear_flow.Flow(
            'times',
            retry.Times(
                3,
                provides='attempt',
                backoff=retry.Backoff(delay=0.01, factor=2, jitter=0.5),
            ),
        ).add(Download('download')),
    )
    attempt(
        'one host after the other',
        linear_flow.Flow(
            'each',
            retry.ForEach(['host-1', 'host-2', 'host-3'], provides='host'),
        ).add(Place('place')),
    )
    attempt(
        'only what may go away by itself',
        linear_flow.Flow(
            'only',
            retry.Times(3, provides='attempt', only=(ConnectionError,)),
        ).add(Refuse('refuse')),
    )
    attempt(
        'as I say',
        linear_flow.Flow('own', Nearest()).add(Download('download')),
        mirrors=[1, 2],
    )


if __name__ == '__main__':
    main()
