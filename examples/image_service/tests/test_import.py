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

"""An import, in one process and without a server."""

import gzip
import hashlib
import pathlib

import fixtures
from oslo_config import cfg
from oslotest import base
from taskflow_service import fixture

from image_service import conf as conf_mod
from image_service import errors
from image_service import flows
from image_service import store


class ImportTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.image = self.path / 'disk.raw'
        self.image.write_bytes(b'an image' * 1000)
        conf = cfg.ConfigOpts()
        conf_mod.register_opts(conf)
        conf([], default_config_files=[])
        conf.set_override('store_path', str(self.path), 'image_service')
        store.set_up(conf)
        self.tools = self.useFixture(fixture.TaskflowFixture(conf=conf))

    def _import(self, checksum=None):
        given = {'name': 'a', 'source': str(self.image), 'checksum': checksum}
        return self.tools.run(flows.import_image(), store=given)

    def test_an_image_is_imported(self):
        content = self.image.read_bytes()
        results = self._import(hashlib.sha256(content).hexdigest())
        image = store.current().get(results['image_id'])
        self.assertEqual('active', image.status)
        kept = store.current().content(image.id).read_bytes()
        self.assertEqual(content, gzip.decompress(kept))

    def test_a_wrong_checksum_leaves_nothing(self):
        self.assertRaises(errors.ChecksumMismatch, self._import, 'abc')
        (image,) = store.current().list()
        self.assertEqual('error', image.status)
        self.assertFalse(store.current().content(image.id).exists())
