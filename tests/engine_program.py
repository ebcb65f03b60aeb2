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


"""A program that runs one durable flow, or goes on with it.

    python -m tests.engine_program CONFIG-FILE FLOW-UUID FOLDER

The flow is made where no flow of that uuid is there yet. Prints what it
raised, if anything, and the flow's last state.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys

from oslo_config import cfg

from taskflow_service import conf as service_conf
from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service.messaging import transport
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import backends
from taskflow_service.persistence import models


def main(file: str, uuid: str, folder: str, wait: str = 'Wait') -> None:
    """Run the flow to its end."""
    logging.basicConfig(level=logging.INFO)
    conf = cfg.ConfigOpts()
    service_conf.register_opts(conf)
    transport.register_opts(conf)
    conf(['--config-file', file], default_config_dirs=[])
    tested = importlib.import_module('tested')
    flow = linear_flow.Flow('durable').add(
        tested.Before('before'),
        getattr(tested, wait)('waiting'),
        tested.Step('step'),
    )
    backend = backends.from_conf(conf, upgrade=True)
    assert backend is not None
    with contextlib.closing(backend.get_connection()) as connection:
        try:
            detail = connection.get_flow_details(uuid)
        except exceptions.NotFound:
            book = models.LogBook('tested')
            detail = models.FlowDetail('durable', uuid)
            book.add(detail)
            connection.save_logbook(book)
    engine = engines.load(
        flow,
        conf=conf,
        backend=backend,
        flow_detail=detail,
        store={'path': folder},
    )
    try:
        engine.run()
    except Exception as error:
        print(repr(error))
    print(engine.storage.get_flow_state(), flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
