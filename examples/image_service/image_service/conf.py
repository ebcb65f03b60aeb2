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

"""The options of the service, beside those of taskflow_service."""

from __future__ import annotations

from oslo_config import cfg

GROUP = 'image_service'

OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        'store_path',
        default='/var/lib/image_service',
        help="""
Directory in which images are kept. The program and all workers must see the
same one under the same path, so that with workers on several hosts it is on a
file system that they share.
""",
    ),
    cfg.IntOpt(
        'compression_level',
        default=6,
        min=0,
        max=9,
        help='How hard images are compressed: 0 is not at all, 9 is slowest.',
    ),
    cfg.IntOpt(
        'conversion_rate',
        default=0,
        min=0,
        help="""
Largest number of bytes that one conversion takes in a second, so that imports
leave the host to others. 0 is no limit.
""",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the group [image_service]; idempotent."""
    conf.register_opts(OPTS, GROUP)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """List the options by group, for oslo-config-generator."""
    return [(GROUP, OPTS)]
