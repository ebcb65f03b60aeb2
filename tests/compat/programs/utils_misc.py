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

"""TaskFlow's helpers that programs import."""

import itertools

from taskflow.utils import banner
from taskflow.utils import iter_utils
from taskflow.utils import misc
from taskflow.utils import threading_utils


def attempt(what, *args, **kwargs):
    try:
        found = what(*args, **kwargs)
        if hasattr(found, '__next__'):
            found = list(found)
        print(what.__name__, args, '->', found)
    except Exception as error:
        print(what.__name__, args, type(error).__name__)


attempt(misc.match_type, 5, [(str, 's'), (int, 'i')])
attempt(misc.countdown_iter, 5, decr=2)
attempt(misc.countdown_iter, 5, decr=0)
attempt(misc.extract_driver_and_conf, 'mem', 'c')
attempt(misc.extract_driver_and_conf, {'c': 'mysql+x://a', 'z': 1}, 'c')
attempt(misc.reverse_enumerate, ['a', 'b'])
attempt(misc.parse_uri, 'mem')
attempt(misc.parse_uri, 5)
uri = misc.parse_uri('test://me:pw@h:80/p?a=1&b=x')
print(sorted(misc.merge_uri(uri, {'a': 5}).items()))
attempt(misc.pick_first_not_none, None, 0, 1)
attempt(misc.clamp, 5, 0, 3)
attempt(misc.clamp, 1, 5, 3)
attempt(misc.fix_newlines, 'a\r\nb\rc\n', '|')
attempt(misc.binary_encode, 'text')
attempt(misc.binary_encode, 5)
attempt(misc.binary_decode, b'text')
attempt(misc.decode_json, b'{"a": 1}')
attempt(misc.decode_json, b'[1]')
attempt(misc.decode_json, b'nonsense')
attempt(misc.millis_to_datetime, 1000)
attempt(misc.sequence_minus, [1, 2, 1, 3], [1, 3])
attempt(misc.as_int, '5')
attempt(misc.as_int, 'x')
attempt(misc.as_int, 'x', quiet=True)
attempt(misc.is_iterable, 'x')
attempt(misc.is_iterable, [])
attempt(misc.safe_copy_dict, None)


class Counts:
    count = 0
    version = (1, 2)

    @misc.cachedproperty
    def value(self):
        Counts.count += 1
        return Counts.count


one = Counts()
print(one.value, one.value, Counts().value)
print(misc.get_version_string(one), misc.get_version_string(5))
try:
    one.value = 5
except AttributeError:
    print('AttributeError')
try:
    raise OSError('x')
except OSError:
    with misc.capture_failure() as failure:
        print(str(failure))
text = misc.StringIO()
text.write_nl('line', '|')
print(text.getvalue())
print(
    sorted(
        cls.__name__
        for cls in misc.find_subclasses(['taskflow.retry:Times'], object)
    )
)
attempt(misc.find_subclasses, [5], object)

attempt(iter_utils.fill, [1], 3)
attempt(iter_utils.count, [1, 2])
attempt(iter_utils.count, 5)
print(list(itertools.islice(iter_utils.generate_delays(1, 10), 6)))
attempt(iter_utils.unique_seen, [[1, 2], [2, 3]])
attempt(iter_utils.find_first_match, [1, 2, 3], bool)
attempt(iter_utils.while_is_not, iter([1, None, 3]), None)
attempt(iter_utils.iter_forever, 3)
print(
    banner.make_banner(
        'What', {'List': ['a', 'b'], 'Map': {'key': 'value'}}
    ).splitlines()[-5:]
)

bundle = threading_utils.ThreadBundle()
log = []
bundle.bind(
    lambda: threading_utils.daemon_thread(log.append, 'ran'),
    before_start=lambda t: log.append('before'),
    after_join=lambda t: log.append('joined'),
)
print(len(bundle), bundle.start(), bundle.start(), bundle.stop(), log)
attempt(bundle.bind, 5)
print(threading_utils.is_alive(None), threading_utils.no_op(1))
