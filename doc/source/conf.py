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
"""Sphinx configuration of the documentation."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

_HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(_HERE.parent.parent))
sys.path.insert(0, str(_HERE / '_ext'))

extensions = [
    'openstackdocstheme',
    'sphinx.ext.autodoc',
    'oslo_config.sphinxext',
    'oslo_config.sphinxconfiggen',
    'cliff.sphinxext',
    'floors_table',
    'payload_tables',
    'pictures',
    'protocol_rules',
    'source_names',
    'state_machines',
    'timelines',
]

project = 'taskflow-service'
copyright = '2026, taskflow-service developers'

root_doc = 'index'
exclude_patterns = ['_ext', '**.inc']
pygments_style = 'native'
html_theme = 'openstackdocs'
# openstackdocstheme: nothing on these pages comes from, or leads to, a server.
openstackdocs_repo_name = ''
openstackdocs_auto_name = False
openstackdocs_auto_version = False
openstackdocs_pdf_link = False

autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_class_signature = 'separated'
# Of a named tuple its fields say enough.
autodoc_default_options = {'exclude-members': '__new__'}

config_generator_config_file = (
    '../../etc/taskflow_service/config-generator.conf'
)
sample_config_basename = '_static/taskflow_service'

autoprogram_cliff_application = 'taskflow-manage'


def _no_aliases(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Leave out what Python itself says of the fields of a named tuple."""
    if lines and lines[0].startswith('Alias for field number'):
        lines.clear()


def setup(app: Any) -> None:
    app.connect('autodoc-process-docstring', _no_aliases)
