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

"""Who is told of what."""

from __future__ import annotations

from typing import Any

from oslotest import base

from taskflow_service.types import notifier


class NotifierTest(base.BaseTestCase):
    """Registering, being told, and not any more."""

    def setUp(self) -> None:
        super().setUp()
        self.notifier = notifier.Notifier()
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def _callback(self, *args: Any, **kwargs: Any) -> None:
        self.calls.append((args, kwargs))

    def test_callback_gets_event_details_and_its_own_arguments(self) -> None:
        self.notifier.register('A', self._callback, args=(1,), kwargs={'x': 2})
        self.notifier.notify('A', {'d': 3})
        self.notifier.notify('B', {'d': 3})
        self.assertEqual(
            [(('A', 1), {'x': 2, 'details': {'d': 3}})], self.calls
        )

    def test_details_are_a_copy_for_each(self) -> None:
        def spoil(event: str, details: dict[str, Any]) -> None:
            details.clear()

        self.notifier.register('A', spoil)
        self.notifier.register('A', self._callback)
        given = {'d': 1}
        self.notifier.notify('A', given)
        self.assertEqual({'d': 1}, given)
        self.assertEqual({'d': 1}, self.calls[0][1]['details'])

    def test_who_listens_to_any_comes_first(self) -> None:
        order: list[str] = []
        self.notifier.register('A', lambda *a, **k: order.append('one'))
        self.notifier.register('*', lambda *a, **k: order.append('any'))
        self.notifier.notify('A', None)
        self.assertEqual(['any', 'one'], order)

    def test_any_cannot_happen(self) -> None:
        self.notifier.register('*', self._callback)
        self.notifier.notify('*', {})
        self.assertEqual([], self.calls)

    def test_failing_listener_keeps_nothing_from_the_others(self) -> None:
        self.notifier.register('A', lambda *a, **k: 1 / 0)
        self.notifier.register('A', self._callback)
        self.notifier.notify('A', {})
        self.assertEqual(1, len(self.calls))

    def test_filter_decides(self) -> None:
        self.notifier.register(
            'A', self._callback, details_filter=lambda d: d['wanted']
        )
        self.notifier.notify('A', {'wanted': False})
        self.notifier.notify('A', {'wanted': True})
        self.notifier.notify('A', {})
        self.assertEqual(1, len(self.calls))

    def test_equivalent_callback_is_refused_another_filter_is_not(
        self,
    ) -> None:
        self.notifier.register('A', self._callback)
        self.assertRaises(
            ValueError, self.notifier.register, 'A', self._callback
        )
        self.notifier.register('A', self._callback, details_filter=len)
        self.notifier.register('B', self._callback)
        self.assertEqual(3, len(self.notifier))

    def test_nonsense_is_refused(self) -> None:
        register = self.notifier.register
        self.assertRaises(ValueError, register, 'A', 'not callable')
        self.assertRaises(
            ValueError, register, 'A', self._callback, details_filter=3
        )
        self.assertRaises(
            KeyError, register, 'A', self._callback, kwargs={'details': 1}
        )
        self.assertEqual(0, len(self.notifier))

    def test_deregister_tells_whether_it_was_there(self) -> None:
        self.notifier.register('A', self._callback)
        self.assertTrue(self.notifier.is_registered('A', self._callback))
        self.assertFalse(self.notifier.deregister('A', len))
        self.assertTrue(self.notifier.deregister('A', self._callback))
        self.assertFalse(self.notifier.deregister('A', self._callback))
        self.assertEqual([], list(self.notifier.listeners_iter()))

    def test_deregister_event_counts(self) -> None:
        self.assertEqual(0, self.notifier.deregister_event('A'))
        self.notifier.register('A', self._callback)
        self.notifier.register('A', len)
        self.assertEqual(2, self.notifier.deregister_event('A'))
        self.assertEqual(0, len(self.notifier))

    def test_who_registers_or_leaves_while_told_disturbs_nobody(self) -> None:
        def leave(event: str, details: dict[str, Any]) -> None:
            self.notifier.deregister('A', leave)
            self.notifier.register('A', len)

        self.notifier.register('A', leave)
        self.notifier.register('A', self._callback)
        self.notifier.notify('A', {})
        self.assertEqual(1, len(self.calls))
        self.assertFalse(self.notifier.is_registered('A', leave))

    def test_copy_has_a_life_of_its_own(self) -> None:
        self.notifier.register('A', self._callback)
        twin = self.notifier.copy()
        twin.register('A', len)
        self.notifier.register('B', len)
        self.assertEqual((2, 2), (len(twin), len(self.notifier)))
        self.assertFalse(twin.is_registered('B', len))
        twin.reset()
        self.assertEqual(2, len(self.notifier))

    def test_block_registers_and_deregisters(self) -> None:
        with notifier.register_deregister(self.notifier, 'A', self._callback):
            self.assertEqual(1, len(self.notifier))
        with notifier.register_deregister(self.notifier, 'A'):
            self.assertEqual(0, len(self.notifier))

    def test_bound_methods_are_told_apart_by_their_objects(self) -> None:
        other = NotifierTest('setUp')
        self.notifier.register('A', self._callback)
        self.assertTrue(self.notifier.is_registered('A', self._callback))
        self.assertFalse(self.notifier.is_registered('A', other._callback))


class RestrictedNotifierTest(base.BaseTestCase):
    """Only some events exist."""

    def test_other_events_are_refused(self) -> None:
        restricted = notifier.RestrictedNotifier(['B', 'A'])
        restricted.register('A', len)
        restricted.register('*', len)
        self.assertRaises(ValueError, restricted.register, 'C', len)
        self.assertEqual(['B', 'A'], list(restricted.events_iter()))

    def test_any_may_be_refused_too(self) -> None:
        restricted = notifier.RestrictedNotifier(['A'], allow_any=False)
        self.assertRaises(ValueError, restricted.register, '*', len)
        self.assertFalse(restricted.copy().can_be_registered('*'))


class ListenerTest(base.BaseTestCase):
    """What was registered."""

    def test_equality_follows_callback_and_filter(self) -> None:
        listener = notifier.Listener(len, args=[1], kwargs={'a': 2})
        self.assertEqual(notifier.Listener(len), listener)
        self.assertNotEqual(
            notifier.Listener(len, details_filter=bool), listener
        )
        self.assertEqual(((1,), {'a': 2}), (listener.args, listener.kwargs))
        self.assertTrue(listener.is_equivalent(len))
