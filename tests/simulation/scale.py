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
"""How the number of messages grows with engines and workers.

    python -m tests.simulation.scale [ENGINES WORKERS ...]

prints, for each size, messages a second: at rest (flows have run a minute
ago), and while a chain runs for every engine, with what that is a task; and
while every engine has more ready work than all workers have slots.  What a
fanout delivers counts once for each receiver.
"""

from __future__ import annotations

import sys

from tests.simulation import flows
from tests.simulation import scenarios

SIZES = ((1, 1), (10, 10), (10, 100), (100, 100), (100, 1000))


def chain(name: str, length: int, seconds: float) -> list[flows.Spec]:
    return [
        flows.Spec(
            f'{name}{i}',
            't.once',
            (i - 1,) if i else (),
            False,
            False,
            seconds,
            False,
        )
        for i in range(length)
    ]


def build(engines: int, workers: int) -> scenarios.Simulation:
    sim = scenarios.Simulation(1, engines=engines, hosts=workers, slots=4)
    sim.writes = False
    sim.run(5.0, lambda: False)
    return sim


def measure(engines: int, workers: int) -> tuple[float, float, float]:
    """Return messages a second at rest and under load, and per task."""
    sim = build(engines, workers)
    for _ in range(engines):
        sim.add_flow(chain('a', 20, 1.0))
    sim.run(15.0, lambda: False)
    sent, runs = sim.bus.sent, sim.ledger.counts['runs execute']
    sim.run(25.0, lambda: False)
    load = (sim.bus.sent - sent) / 10.0
    tasks = sim.ledger.counts['runs execute'] - runs
    per_task = (sim.bus.sent - sent) / max(1, tasks)
    sim.run(90.0, lambda: False)
    sent = sim.bus.sent
    sim.run(120.0, lambda: False)
    return (sim.bus.sent - sent) / 30.0, load, per_task


def saturate(engines: int, workers: int) -> float:
    """Return messages a second while work waits everywhere."""
    sim = build(engines, workers)
    for driver in sim.drivers:
        # Each engine claims its own: they start one after the other.
        for _ in range(1 + 8 * workers // engines // 5):
            row = sim.base.flows[
                sim.add_flow([one for i in range(5) for one in lone(i)]).uuid
            ]
            row.owner = driver.peer.incarnation
    sim.run(20.0, lambda: False)
    sent = sim.bus.sent
    sim.run(30.0, lambda: False)
    return (sim.bus.sent - sent) / 10.0


def lone(index: int) -> list[flows.Spec]:
    return [flows.Spec(f'b{index}', 't.once', (), False, False, 1000.0, False)]


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:]]
    sizes = list(zip(numbers[::2], numbers[1::2], strict=True)) or SIZES
    print('engines workers  at rest  chains  a task  saturated')
    for engines, workers in sizes:
        rest, load, per_task = measure(engines, workers)
        full = saturate(engines, workers)
        print(
            f'{engines:7} {workers:7} {rest:8.1f} {load:7.1f} '
            f'{per_task:7.1f} {full:10.1f}',
            flush=True,
        )


if __name__ == '__main__':
    main()
