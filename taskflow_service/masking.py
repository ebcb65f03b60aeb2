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
"""Secrets stay out of the log.

What stands under a name that sounds like a secret's (``password``, ``token``,
``api_key``, ...) in a line is replaced, and so is the password in a URL.
Arguments, results and the texts of exceptions get into lines by many ways,
tracebacks among them, so our programs mask whole lines where they are written.

(oslo.utils' ``strutils.mask_password`` may take what stands after a secret
for a part of it, up to the end of the text, which is no way to treat a log.)
"""

from __future__ import annotations

import logging
import re
import typing

MASK = '***'

_NAME = (
    r'(?:password|passwd|passphrase|admin_?pass|_pass\b|secret|token'
    r'|credential|authorization|cookie'
    r'|(?:api|auth|access|private|ssl|signing|hmac)[_-]?keys?)'
)
_SECRET = re.compile(
    # The name, its closing quote (escaped where JSON stands in a text), and
    # what separates it from the value;
    rf'({_NAME}[\w-]{{0,40}}\\*["\']?\s*[:=]\s*)'
    r'(?:'
    # a quoted value, to the next quote of its kind that is not escaped, or,
    # where a text was cut short, to the end of the line;
    r'[ub]?(?P<quote>\\*["\'])'
    r'(?:(?!(?P=quote))\\.|(?!(?P=quote))[^\\\n])*(?:(?P=quote)|$)'
    # a list; or a word.
    r'|[\[({][^\])}]{0,1000}[\])}]'
    r'|(?:bearer |basic )?[^\s,;&"\'\])}]+'
    r')',
    re.IGNORECASE | re.MULTILINE,
)
# So does oslo.config tell of an option that was changed, secret or not.
_CHANGED = re.compile(
    rf'({_NAME}[\w-]{{0,40}} changed from )\[.*\] to \[.*\]', re.IGNORECASE
)
_IN_URL = re.compile(r'(://[^/\s:@]*:)[^/\s@]+@')


def _replaced(found: re.Match[str]) -> str:
    quote = found['quote'] or ''
    return f'{found[1]}{quote}{MASK}{quote}'


def mask(text: str) -> str:
    """Replace what looks like a secret."""
    text = _IN_URL.sub(rf'\1{MASK}@', _SECRET.sub(_replaced, text))
    return _CHANGED.sub(rf'\1[{MASK}] to [{MASK}]', text)


class Masked:
    """A value in a log call: masked if, and when, the line is made."""

    __slots__ = ('_value',)

    def __init__(self, value: typing.Any) -> None:
        self._value = value

    def __str__(self) -> str:
        return mask(str(self._value))

    __repr__ = __str__


class _Formatter(logging.Formatter):
    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return mask(self._inner.format(record))


def mask_log(logger: logging.Logger | None = None) -> None:
    """Mask every line that handlers write, tracebacks included.

    :param logger: whose handlers, instead of those of all loggers; call it
        once they are set up
    """
    root = logging.getLogger()
    loggers = [logger] if logger else [root, *root.manager.loggerDict.values()]
    for handler in {
        handler
        for each in loggers
        # Some are places for loggers that are still to come.
        if isinstance(each, logging.Logger)
        for handler in each.handlers
    }:
        inner = handler.formatter or logging.Formatter()
        if not isinstance(inner, _Formatter):
            handler.setFormatter(_Formatter(inner))
