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


"""taskflow-status: whether this deployment is ready for an upgrade.

Checks run before services are restarted with new code, so against a schema
that may be older: they read nothing but the version and the server.
"""

from __future__ import annotations

from collections.abc import Sequence
import sys

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from taskflow_service import conf as service_conf
from taskflow_service import exceptions
from taskflow_service.cmd import program
from taskflow_service.persistence.backends import impl_sqlalchemy
from taskflow_service.persistence.backends.sqlalchemy import migration

PROG = 'taskflow-status'


class Checks(upgradecheck.UpgradeCommands):
    """What is looked at."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__()
        self._conf = conf

    def _check_configuration(self) -> upgradecheck.Result:
        try:
            service_conf.validate(self._conf)
        except exceptions.TaskFlowException as error:
            return _result(upgradecheck.Code.FAILURE, error)
        return _result(upgradecheck.Code.SUCCESS)

    def _check_schema(self) -> upgradecheck.Result:
        """Older than the code is a step to do, newer cannot work."""
        try:
            backend = impl_sqlalchemy.SQLAlchemyBackend.described(self._conf)
            try:
                if not backend.exists():
                    # It is made, with its schema, by whoever runs a flow.
                    return _result(upgradecheck.Code.SUCCESS)
                with backend.connect() as conn:
                    backend.check_server(conn)
                    found = migration.version(conn)
                    migration.check(conn)
            finally:
                backend.close()
        except exceptions.SchemaMismatch as error:
            newer = not migration.is_known(found)
            return _result(
                upgradecheck.Code.FAILURE
                if newer
                else upgradecheck.Code.WARNING,
                error,
            )
        except exceptions.TaskFlowException as error:
            return _result(upgradecheck.Code.FAILURE, error)
        return _result(upgradecheck.Code.SUCCESS)

    _upgrade_checks = (
        ('Configuration', _check_configuration),
        ('Logbook schema', _check_schema),
    )


def _result(
    code: upgradecheck.Code, error: Exception | None = None
) -> upgradecheck.Result:
    return upgradecheck.Result(
        code, None if error is None else program.describe(error)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run taskflow-status; return its exit code."""
    return program.run_main(PROG, _main, argv)


def _main(argv: list[str]) -> int:
    conf = cfg.ConfigOpts()
    service_conf.register_opts(conf)
    return int(
        upgradecheck.main(conf, program.PROJECT, Checks(conf), argv=argv)
    )


if __name__ == '__main__':
    sys.exit(main())
