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
"""A few shapes of SVG: boxes, arrows, labels.

Enough for the pictures of this documentation, and nothing to install: what
is drawn is text inside of the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
import html
import math
from typing import Any
from typing import NamedTuple

from docutils import nodes

#: Pixels: the height of a line of text, and the usual size of it.
LINE = 17
SIZE = 13

INK = '#222222'
QUIET = '#6b6b6b'
_FONT = 'font-family="Helvetica, Arial, DejaVu Sans, sans-serif"'


class Box(NamedTuple):
    """A rectangle with lines of text in its middle."""

    x: float
    y: float
    width: float
    height: float
    lines: Sequence[str]
    fill: str = '#f2f5f9'
    bold: bool = False
    #: In the head of the box, and bold; None for none.
    title: str | None = None

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    def holds(self, x: float, y: float, margin: float = 4) -> bool:
        """Whether a point lies in it, or nearly."""
        return (
            self.x - margin <= x <= self.x + self.width + margin
            and self.y - margin <= y <= self.y + self.height + margin
        )

    def draw(self) -> str:
        drawn = [
            f'<rect x="{self.x:g}" y="{self.y:g}" width="{self.width:g}" '
            f'height="{self.height:g}" rx="6" fill="{self.fill}" '
            f'stroke="{INK}" stroke-width="1.2"/>'
        ]
        lines = list(self.lines)
        if self.title is not None:
            lines.insert(0, self.title)
        x, y = self.middle
        top = y - LINE * (len(lines) - 1) / 2
        for index, line in enumerate(lines):
            head = self.bold or (self.title is not None and not index)
            drawn.append(text(x, top + LINE * index, line, bold=head))
        return ''.join(drawn)


def text(
    x: float,
    y: float,
    line: str,
    *,
    bold: bool = False,
    anchor: str = 'middle',
    colour: str = INK,
    size: float = SIZE,
) -> str:
    """Write a line, its middle at y."""
    weight = ' font-weight="bold"' if bold else ''
    return (
        f'<text x="{x:g}" y="{y:g}" dy="0.35em" text-anchor="{anchor}" '
        f'font-size="{size:g}" fill="{colour}" {_FONT}{weight}>'
        f'{html.escape(line)}</text>'
    )


def line(
    points: Iterable[tuple[float, float]],
    *,
    arrow: bool = True,
    dashed: bool = False,
    colour: str = INK,
) -> str:
    """Draw straight lines through points, with an arrow at the last."""
    path = ' '.join(f'{x:g},{y:g}' for x, y in points)
    end = ' marker-end="url(#arrow)"' if arrow else ''
    dashes = ' stroke-dasharray="5 4"' if dashed else ''
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" '
        f'stroke-width="1.3"{dashes}{end}/>'
    )


def link(
    source: Box, target: Box, others: Iterable[Box], both: bool = False
) -> str:
    """Draw an arrow between boxes, bent round what stands in its way."""
    blocks = [b for b in others if b is not source and b is not target]
    bends = [0.0]
    for size in (18, 34, 50, 70, 84, 100, 120, 145, 170):
        bends += [size, -size]
    if both:
        # Both directions: one on each side.
        bends = [bend for bend in bends if bend > 0]
    for bend in bends:
        curve = _curve(source, target, bend)
        if not any(b.holds(*point) for b in blocks for point in curve):
            break
    else:
        curve = _curve(source, target, bends[0])
    start = curve[0]
    path = f'M{start[0]:.1f},{start[1]:.1f} L' + ' '.join(
        f'{x:.1f},{y:.1f}' for x, y in curve[1:]
    )
    return (
        f'<path d="{path}" fill="none" stroke="{INK}" stroke-width="1.3" '
        f'marker-end="url(#arrow)"/>'
    )


def _curve(source: Box, target: Box, bend: float) -> list[tuple[float, float]]:
    """Points from edge to edge of two boxes, ``bend`` off the straight."""
    (x1, y1), (x2, y2) = source.middle, target.middle
    length = math.hypot(x2 - x1, y2 - y1) or 1
    nx, ny = -(y2 - y1) / length, (x2 - x1) / length
    cx, cy = (x1 + x2) / 2 + 2 * bend * nx, (y1 + y2) / 2 + 2 * bend * ny
    points = []
    for step in range(81):
        t = step / 80
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
        points.append((a * x1 + b * cx + c * x2, a * y1 + b * cy + c * y2))
    outside = [
        point
        for point in points
        if not source.holds(*point, margin=0)
        and not target.holds(*point, margin=3)
    ]
    return outside or points


def picture(
    width: float, height: float, parts: Iterable[str], title: str
) -> nodes.Node:
    """Make a node of what was drawn; other formats than HTML leave it out."""
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'aria-label="{html.escape(title)}" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}" '
        f'style="max-width:100%;height:auto">'
        f'<title>{html.escape(title)}</title><defs><marker id="arrow" '
        f'viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
        f'markerHeight="8" orient="auto"><path d="M0,0 L10,5 L0,10 z" '
        f'fill="{INK}"/></marker></defs>' + ''.join(parts) + '</svg>'
    )
    raw: Any = nodes.raw('', f'<p>{drawing}</p>', format='html')
    return raw
