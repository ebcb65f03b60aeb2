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

"""Ordered sets."""

from taskflow.types import sets

one = sets.OrderedSet([3, 1, 2, 3])
two = sets.OrderedSet([2, 5])
print(list(one), len(one), 1 in one, 9 in one)
print(one, repr(one))
for name in ('union', 'intersection', 'difference'):
    print(name, list(getattr(one, name)(two)))
print(list(one | two), list(one & two), list(one - two))
print(
    one.issubset([1, 2, 3, 4]),
    one.issuperset([1]),
    one == {1, 2, 3},
    one == sets.OrderedSet([1, 2, 3]),
)
print(list(one.copy()), hash(one) == hash(one.copy()))
print(list(one.union([7], [8])), list(one.intersection([3, 1], [1])))
print(bool(sets.OrderedSet()), list(sets.OrderedSet('hello')))
