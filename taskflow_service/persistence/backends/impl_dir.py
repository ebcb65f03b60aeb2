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


"""Logbooks in a SQLite file inside a directory.

What TaskFlow's ``dir`` and ``file`` backends are asked for, a logbook in a
directory without a server, done by a database: writes are atomic and
durable, and several processes may share it.
"""

from __future__ import annotations

from collections.abc import Mapping
import pathlib
import typing

from taskflow_service import exceptions
from taskflow_service.persistence.backends import impl_sqlalchemy


class DirBackend(impl_sqlalchemy.SQLAlchemyBackend):
    """Keeps logbooks in a SQLite file inside ``conf['path']``."""

    def __init__(self, conf: Mapping[str, typing.Any] | None = None) -> None:
        given = dict(conf or {})
        if not given.get('path'):
            raise exceptions.ConfigurationError(
                "The backend 'dir' needs a 'path': the directory in which its "
                'SQLite file is kept'
            )
        self.path = str(pathlib.Path(given['path']).expanduser().absolute())
        file = pathlib.Path(self.path) / impl_sqlalchemy.FILE_NAME
        given['connection'] = f'sqlite:///{file}'
        given['make_schema'] = True
        super().__init__(given)
