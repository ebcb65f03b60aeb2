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

"""Notifiers."""

from taskflow.types import notifier

heard = []


def hear(event, *args, **kwargs):
    details = kwargs.pop('details')
    heard.append(
        (event, args, sorted(kwargs.items()), sorted(details.items()))
    )


def other(event, details):
    heard.append(('other', event, sorted(details)))


def broken(event, details):
    raise OSError('listener')


def attempt(what, *args, **kwargs):
    try:
        print(what(*args, **kwargs))
    except Exception as error:
        print(type(error).__name__)


tell = notifier.Notifier()
print(len(tell), tell.is_registered('a', hear))
tell.register('a', hear, args=(1, 2), kwargs={'k': 3})
tell.register('*', other)
tell.register('a', broken)
print(len(tell), tell.is_registered('a', hear), tell.is_registered('b', hear))
tell.notify('a', {'x': 1})
tell.notify('b', {'y': 1})
tell.notify('c', {})
print(heard)
heard.clear()
attempt(tell.register, 'a', hear)
attempt(tell.register, 'b', hear, kwargs={'details': 5})
attempt(tell.register, 'b', 'not callable')
attempt(tell.register, 'b', hear, details_filter='no')
attempt(tell.deregister, 'a', hear)
attempt(tell.deregister, 'a', hear)
attempt(tell.deregister_event, 'a')
attempt(tell.deregister_event, 'a')
tell.register('f', hear, details_filter=lambda details: details.get('yes'))
tell.notify('f', {'yes': 1})
tell.notify('f', {'yes': 0})
tell.notify('f', {})
print(heard)
twin = tell.copy()
twin.reset()
print(len(twin), len(tell))
print([(event, len(listeners)) for event, listeners in tell.listeners_iter()])
heard.clear()
with notifier.register_deregister(tell, 'w', hear):
    tell.notify('w', {})
tell.notify('w', {})
with notifier.register_deregister(tell, 'w'):
    tell.notify('w', {})
print(len([entry for entry in heard if entry[0] == 'w']))
tell.notify('*', {'z': 1})

limited = notifier.RestrictedNotifier(['x', 'y'], allow_any=False)
print(
    sorted(limited.events_iter()),
    limited.can_be_registered('x'),
    limited.can_be_registered('q'),
    limited.can_be_registered('*'),
)
attempt(limited.register, 'q', hear)
attempt(limited.register, '*', hear)
attempt(limited.register, 'x', hear)
print(
    notifier.RestrictedNotifier(['x']).can_be_registered('*'),
    tell.can_trigger_notification('*'),
    tell.can_trigger_notification('a'),
)
