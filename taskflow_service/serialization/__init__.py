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

"""Values as text and back, equal and of the same type.

The same text rests in the logbook and travels to workers: ASCII JSON, never
pickle, in which what JSON has no word for is an object with one key that
begins with ``$``.

============  ==============================================================
``envelope``  ``dumps(value)`` and ``loads(text)``: the format's version,
              bounds, and the short cut for what is plain JSON already
``encoder``   a value as a tree of what JSON has words for
``decoder``   the value that a tree was made of
``types``     the registry of types, open to users, and what is in it; the
              rule for subclasses
``failures``  failures, and their exceptions as far as they can be rebuilt
``classes``   which classes may be looked up by a name that was stored
============  ==============================================================
"""
