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

"""How the steps of an import hang together."""

from __future__ import annotations

from taskflow_service.patterns import graph_flow

from image_service import tasks

#: By this name the logbook knows imports.
IMPORT = 'import-image'


def import_image() -> graph_flow.Flow:
    """Make the flow that imports one image.

    It needs ``name``, ``source`` (the path of a file) and ``checksum`` (a
    SHA-256 in hexadecimal, or None), and provides ``image_id``.

    What one step provides and another requires puts them in order; what is
    verified and what is converted is the same copy, so that both may be done
    at the same time.
    """
    return graph_flow.Flow(IMPORT).add(
        tasks.Reserve('reserve'),
        tasks.Stage('stage'),
        tasks.Verify('verify'),
        tasks.Convert('convert'),
        tasks.Activate('activate'),
    )
