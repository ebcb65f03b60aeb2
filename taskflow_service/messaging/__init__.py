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


"""The I/O around the remote protocol: strings sent to peers and received.

Beside ``notifications`` nothing else imports oslo_messaging. That import
makes oslo.service choose its backend, and its default still is eventlet, so
threading becomes the default here, before it, unless the host program has
chosen a backend or registered a hook of its own. It also makes futurist try an
import of eventlet, which then complains about itself to people who cannot help
it; so the first import is made here, and that one warning is dropped.
"""

from __future__ import annotations

import importlib
import warnings

from oslo_service import backend


def _prefer_threading() -> None:
    # There is no public way to ask for the hook.
    hook = getattr(backend, '_backend_hook', None)
    if backend.get_backend_type() is None and hook is None:
        backend.register_backend_default_hook(
            lambda: backend.BackendType.THREADING
        )


def _import_quietly() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', module=r'futurist\._utils')
        importlib.import_module('oslo_messaging')


_prefer_threading()
_import_quietly()
