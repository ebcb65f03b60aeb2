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

"""What an atom requires and provides, by its class and by its constructor."""

from __future__ import annotations

import copy
import pickle
from unittest import mock

from oslotest import base

from taskflow_service import atom
from taskflow_service import task
from taskflow_service.types import sets


class Copy(task.Task):
    default_provides = 'copied'

    def execute(self, path, target, mode=0o644):
        return path

    def revert(self, result, flow_failures, target, **kwargs):
        pass


class Open(task.Task):
    def execute(self, path, **kwargs):
        pass


class DocStyle(task.Task):
    """Its revert has no ``**kwargs``."""

    def execute(self, spam, eggs, ham):
        pass

    def revert(self, result, spam, eggs):
        pass


class Configured(task.Task):
    def __init__(self, size, *, colour='red', **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.colour = colour

    def execute(self):
        return self.size


class Bare(task.Task):
    def execute(self):
        pass


class RequiresTest(base.BaseTestCase):
    def test_the_signature_says_what_is_required(self):
        made = Copy()
        self.assertEqual(['path', 'target'], list(made.requires))
        self.assertEqual(['mode'], list(made.optional))
        self.assertEqual(
            {'path': 'path', 'target': 'target', 'mode': 'mode'}, made.rebind
        )
        self.assertEqual({'target': 'target'}, made.revert_rebind)
        self.assertEqual([], list(made.revert_optional))

    def test_what_only_revert_names_is_required_too(self):
        class Undo(task.Task):
            def execute(self, a):
                pass

            def revert(self, b, c=1, **kwargs):
                pass

        made = Undo()
        self.assertEqual(['a', 'b'], list(made.requires))
        self.assertEqual(['c'], list(made.revert_optional))

    def test_further_symbols_need_an_open_signature(self):
        made = Open(requires=['mode', 'owner'])
        self.assertEqual(['path', 'mode', 'owner'], list(made.requires))
        self.assertRaisesRegex(
            ValueError, "atom here.*'owner'", Copy, 'here', requires='owner'
        )

    def test_one_symbol_may_be_a_plain_string(self):
        self.assertEqual(
            ['path', 'mode'], list(Open(requires='mode').requires)
        )

    def test_an_argument_with_a_default_can_be_made_required(self):
        made = Copy(requires=['mode'])
        self.assertEqual(['path', 'target', 'mode'], list(made.requires))
        self.assertEqual([], list(made.optional))

    def test_without_extraction_every_argument_must_be_named(self):
        self.assertRaisesRegex(
            ValueError,
            "Missing.*'path', 'target'",
            Copy,
            auto_extract=False,
        )
        made = Copy(auto_extract=False, requires=['path', 'target'])
        self.assertEqual({'path': 'path', 'target': 'target'}, made.rebind)

    def test_ignored_arguments_are_not_symbols(self):
        made = Copy(ignore_list=['target'])
        self.assertEqual(['path'], list(made.requires))
        self.assertEqual({'path': 'path', 'mode': 'mode'}, made.rebind)
        self.assertEqual({}, made.revert_rebind)

    def test_injected_symbols_are_not_required(self):
        made = Copy(inject={'path': '/etc/motd', 'mode': 0o600})
        self.assertEqual(['target'], list(made.requires))
        self.assertEqual([], list(made.optional))
        self.assertEqual({'path': '/etc/motd', 'mode': 0o600}, made.inject)
        self.assertRaises(TypeError, Copy, inject=[('path', 'x')])

    def test_a_class_can_be_patched_for_a_while(self):
        before = Bare()
        with mock.patch.object(Bare, 'execute', lambda self, extra: extra):
            self.assertEqual(['extra'], list(Bare().requires))
        self.assertEqual([], list(Bare().requires))
        self.assertEqual([], list(before.requires))

    def test_static_and_class_methods_are_understood(self):
        class Static(task.Task):
            @staticmethod
            def execute(a):
                pass

            @classmethod
            def revert(cls, b, **kwargs):
                pass

        self.assertEqual(['a', 'b'], list(Static().requires))

    def test_a_method_without_self_is_refused(self):
        class Wrong(task.Task):
            def execute():
                pass

        self.assertRaises(ValueError, Wrong)


class RebindTest(base.BaseTestCase):
    def test_by_argument(self):
        made = Copy(rebind={'path': 'source'})
        self.assertEqual(
            {'path': 'source', 'target': 'target', 'mode': 'mode'},
            made.rebind,
        )
        self.assertEqual(['source', 'target'], list(made.requires))

    def test_in_the_order_of_the_arguments(self):
        made = Copy(rebind=('source', 'target'))
        self.assertEqual({'path', 'target', 'mode'}, set(made.rebind))
        self.assertEqual('source', made.rebind['path'])
        made = Open(rebind=['source', 'mode'])
        self.assertEqual({'path': 'source', 'mode': 'mode'}, made.rebind)

    def test_an_argument_with_a_default_becomes_required(self):
        made = Copy(rebind={'mode': 'umask'})
        self.assertEqual(['path', 'target', 'umask'], list(made.requires))
        self.assertEqual([], list(made.optional))

    def test_an_argument_that_is_not_there_is_refused(self):
        self.assertRaisesRegex(
            ValueError, "Extra.*'owner'", Bare, rebind={'owner': 'user'}
        )
        self.assertRaises(ValueError, Bare, rebind=['user'])

    def test_anything_else_is_refused(self):
        self.assertRaises(TypeError, Copy, rebind='source')
        self.assertRaises(TypeError, Copy, rebind={'source'})

    def test_revert_follows_unless_it_is_told_otherwise(self):
        class Both(task.Task):
            def execute(self, a):
                pass

            def revert(self, a, **kwargs):
                pass

        made = Both(rebind={'a': 'x'})
        self.assertEqual({'a': 'x'}, made.revert_rebind)
        made = Both(rebind={'a': 'x'}, revert_rebind={'a': 'y'})
        self.assertEqual({'a': 'x'}, made.rebind)
        self.assertEqual({'a': 'y'}, made.revert_rebind)
        self.assertEqual(['x', 'y'], list(made.requires))
        made = Both(revert_requires=['b'])
        self.assertEqual({'a': 'a', 'b': 'b'}, made.revert_rebind)

    def test_revert_without_kwargs_gets_what_it_names(self):
        made = DocStyle()
        self.assertEqual({'spam', 'eggs'}, set(made.revert_rebind))
        self.assertEqual({'result'}, made.revert_accepts)
        made = DocStyle(rebind={'ham': 'bacon', 'eggs': 'omelette'})
        self.assertEqual(
            {'spam': 'spam', 'eggs': 'omelette'}, made.revert_rebind
        )
        made = DocStyle(rebind=['s', 'e', 'h'])
        self.assertEqual({'spam': 's', 'eggs': 'e'}, made.revert_rebind)

    def test_revert_with_kwargs_gets_all_that_the_engine_has(self):
        self.assertEqual(
            {'result', 'flow_failures', 'history'}, Copy().revert_accepts
        )

    def test_what_revert_is_asked_for_by_name_it_must_accept(self):
        self.assertRaises(ValueError, DocStyle, revert_requires=['bacon'])
        self.assertRaises(ValueError, DocStyle, revert_rebind={'ham': 'x'})


class ProvidesTest(base.BaseTestCase):
    def test_a_string_names_the_whole_result(self):
        made = Bare(provides='all')
        self.assertEqual({'all': None}, made.save_as)
        self.assertEqual(['all'], list(made.provides))

    def test_a_list_names_its_elements(self):
        for provides in (['a', 'b'], ('a', 'b')):
            made = Bare(provides=provides)
            self.assertEqual({'a': 0, 'b': 1}, made.save_as)
            self.assertEqual(['a', 'b'], list(made.provides))

    def test_a_set_names_its_keys(self):
        self.assertEqual({'a': 'a'}, Bare(provides={'a'}).save_as)
        self.assertEqual({'a': 'a'}, Bare(provides=frozenset('a')).save_as)

    def test_anything_else_is_refused(self):
        for provides in (7, {'a': 1}, iter('ab')):
            self.assertRaises(TypeError, Bare, provides=provides)

    def test_the_class_says_what_is_provided_by_default(self):
        self.assertEqual(['copied'], list(Copy().provides))
        self.assertEqual(['other'], list(Copy(provides='other').provides))
        self.assertEqual([], list(Copy(provides=()).provides))

    def test_the_default_may_be_worked_out(self):
        class Dynamic(task.Task):
            @property
            def default_provides(self):
                return 'dynamic'

            def execute(self):
                pass

        self.assertEqual({'dynamic': None}, Dynamic().save_as)

    def test_a_wrong_default_matters_only_where_it_is_used(self):
        class Wrong(task.Task):
            default_provides = 7

            def execute(self):
                pass

        self.assertRaises(TypeError, Wrong)
        self.assertEqual(['x'], list(Wrong(provides='x').provides))


class SharingTest(base.BaseTestCase):
    def test_atoms_share_what_their_class_says(self):
        first, second = Copy('first'), Copy('second')
        self.assertIs(first.requires, second.requires)
        self.assertIs(first.rebind, second.rebind)
        self.assertIs(first.save_as, second.save_as)

    def test_nobody_can_change_what_others_see(self):
        made = Copy()
        self.assertRaises(TypeError, made.rebind.update, path='x')
        self.assertRaises(TypeError, made.save_as.clear)
        with self.assertRaises(TypeError):
            made.rebind['path'] = 'x'
        made.rebind = {'path': 'x'}
        self.assertEqual('path', Copy().rebind['path'])

    def test_a_subclass_does_not_inherit_what_was_inspected(self):
        class Other(Copy):
            default_provides = 'other'

            def execute(self, different):
                pass

        Copy()
        self.assertEqual({'different', 'target'}, set(Other().requires))
        self.assertEqual(['other'], list(Other().provides))

    def test_a_subclass_may_differ_in_its_attributes_alone(self):
        class Renamed(Copy):
            default_provides = 'renamed'

        Copy()
        self.assertIn('Renamed', Renamed().name)
        self.assertEqual(['renamed'], list(Renamed().provides))
        self.assertEqual(['copied'], list(Copy().provides))

    def test_attributes_can_be_assigned(self):
        made = Copy()
        made.name = 'other'
        made.version = (2, 3, 4)
        made.priority = 7
        made.requires = sets.OrderedSet(['x'])
        self.assertEqual('"other==2.3.4"', str(made))
        self.assertEqual(['x'], list(made.requires))
        self.assertEqual((1, 0), Copy().version)
        self.assertEqual(0, Copy().priority)

    def test_copies_and_pickles_are_the_same_atom(self):
        for made in (
            Copy('it', rebind={'path': 'source'}, provides=['a']),
            Copy('it', inject={'path': 1}),
        ):
            for twin in (
                copy.copy(made),
                copy.deepcopy(made),
                pickle.loads(pickle.dumps(made)),
            ):
                self.assertEqual('it', twin.name)
                self.assertEqual(made.rebind, twin.rebind)
                self.assertEqual(made.requires, twin.requires)
                self.assertEqual(made.provides, twin.provides)
                self.assertEqual(
                    made.constructor_arguments, twin.constructor_arguments
                )


class ConstructorArgumentsTest(base.BaseTestCase):
    def test_they_are_those_of_the_outermost_constructor(self):
        made = Configured(3, colour='blue', name='it', provides='size')
        self.assertEqual(
            ((3,), {'colour': 'blue', 'name': 'it', 'provides': 'size'}),
            made.constructor_arguments,
        )

    def test_they_make_the_same_task_again(self):
        made = Configured(3, colour='blue', name='it')
        args, kwargs = made.constructor_arguments
        again = type(made)(*args, **kwargs)
        self.assertEqual('it', again.name)
        self.assertEqual((3, 'blue'), (again.size, again.colour))

    def test_a_class_without_a_constructor_has_them_too(self):
        self.assertEqual(((), {}), Bare().constructor_arguments)
        self.assertEqual((('it',), {}), Bare('it').constructor_arguments)

    def test_a_constructor_that_tells_its_base_nothing_has_them(self):
        class Silent(task.Task):
            def __init__(self, secret):
                super().__init__('silent')

            def execute(self):
                pass

        self.assertEqual((('s',), {}), Silent('s').constructor_arguments)


class AtomTest(base.BaseTestCase):
    def test_it_must_have_an_execute(self):
        self.assertRaises(TypeError, atom.Atom)
        self.assertRaises(TypeError, task.Task)

    def test_it_says_what_it_is(self):
        made = Bare('it')
        self.assertEqual('"it==1.0"', str(made))
        self.assertIn('Bare "it==1.0"', repr(made))
        made.version = 'draft'
        self.assertEqual('"it==draft"', str(made))

    def test_hooks_do_nothing_by_default(self):
        made = Bare()
        made.pre_execute()
        made.post_execute()
        made.pre_revert()
        made.post_revert()
        self.assertIsNone(made.revert(result=1, flow_failures={}))
