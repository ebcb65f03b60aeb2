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

"""Flows with AlwaysRevert in flows, and errors of one's own, as Glance's."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow


class UploadException(Exception):
    pass


class Import(task.Task):
    default_provides = 'image'

    def execute(self):
        return 'image'

    def revert(self, result, **kwargs):
        if result is not None:
            print('delete', result)


class Upload(task.Task):
    def __init__(self, name, error=None):
        super().__init__(name)
        self.error = error

    def execute(self, image):
        print('upload', self.name, image)
        if self.error:
            raise self.error

    def revert(self, result, *args, **kwargs):
        print('undo', self.name)


def run(error, **options):
    flow = linear_flow.Flow('api_image_import', retry=retry.AlwaysRevert())
    flow.add(Import('import'))
    for n in range(2):
        flow.add(
            linear_flow.Flow(f'store{n}').add(
                Upload(f'upload{n}', error if n else None)
            )
        )
    engine = engines.load(flow, **options)
    try:
        engine.run()
    except UploadException as raised:
        print('raised', raised is error)
    print(engine.storage.get_flow_state())


run(None)
run(UploadException('no space'))
run(UploadException('no space'), engine='parallel', max_workers=2)
run(None, engine='serial', executor=None, max_workers=4)
