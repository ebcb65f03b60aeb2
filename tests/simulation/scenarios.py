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
"""Scenarios: random flows, random faults, and the end of all faults."""

from __future__ import annotations

from collections.abc import Callable

from taskflow_service.protocol import link
from taskflow_service.protocol import messages
from tests.simulation import bus
from tests.simulation import checks
from tests.simulation import database
from tests.simulation import engine
from tests.simulation import flows
from tests.simulation import worker

TASKS = ('t.once', 't.again', 't.probed')
#: Mostly the defaults; the smallest lease, and little patience.
TIMINGS = (
    link.Timing(),
    link.Timing(),
    link.Timing(lost_after=40.0),
    link.Timing(),
    link.Timing(lease=5.0, lost_after=30.0),
)
#: How long everything may take to settle after the last fault.
SETTLES = 1500.0


class Simulation(bus.World):
    """All of one seed."""

    engines = engine.Engine
    workers = worker.Worker

    def __init__(
        self,
        seed: int,
        *,
        timing: link.Timing | None = None,
        engines: int = 2,
        hosts: int = 3,
        slots: int = 2,
        trace: bool = False,
    ) -> None:
        super().__init__(seed)
        if trace:
            self.log = []
        self.timing = timing or link.Timing()
        #: When the faults end.
        self.horizon = 0.0
        self.base = database.Database(self)
        self.ledger = checks.Ledger(self, self.base)
        self.drivers: list[engine.Engine | None] = []
        public = messages.Public(
            {task: '1.0' for task in TASKS}, ('default',), slots
        )
        self.hosts = [
            worker.Host(self, f'w{i}.1', self.ledger, self.timing, public)
            for i in range(hosts)
        ]
        for host in self.hosts:
            self.at(self.random.uniform(0, 1), host.boot)
        for index in range(engines):
            self.drivers.append(None)
            self.at(self.random.uniform(0, 1), self.drive, index)

    # Processes

    def drive(self, index: int) -> None:
        """Start an engine process, unless it runs."""
        old = self.drivers[index]
        if old is None or not old.alive:
            self.drivers[index] = engine.Engine(
                self, f'e{index}.1', self.base, self.timing
            )

    def kill_engine(self, index: int) -> None:
        found = self.drivers[index]
        if found is not None:
            self.say(found.peer.incarnation, 'is killed')
            found.kill()

    # Flows

    def add_flow(self, specs: list[flows.Spec]) -> flows.Flow:
        flow = flows.Flow(self.new_id('F'), specs)
        for spec in specs:
            self.ledger.specs[flow.uuid, spec.name] = spec
        self.base.flows[flow.uuid] = database.FlowRow(flow)
        return flow

    def random_flow(self, slow: float = 20.0) -> flows.Flow:
        """A graph of two to five tasks of all kinds."""
        random = self.random
        specs = []
        for index in range(random.randint(2, 5)):
            task = random.choice(TASKS)
            specs.append(
                flows.Spec(
                    f'a{index}',
                    task,
                    tuple(i for i in range(index) if random.random() < 0.5),
                    task == 't.again',
                    task == 't.probed',
                    random.choice((0.05, 1.0, random.uniform(0, slow))),
                    random.random() < 0.08,
                )
            )
        return self.add_flow(specs)

    # Faults

    def processes(self) -> list[bus.Process]:
        found: list[bus.Process] = [
            host.worker
            for host in self.hosts
            if host.worker is not None and host.worker.alive
        ]
        found += [d for d in self.drivers if d is not None and d.alive]
        return found

    def pause(self, process: bus.Process, seconds: float) -> None:
        """Stop a process as SIGSTOP does."""
        self.say(process.peer.incarnation, 'is paused for', seconds)
        process.pause(seconds)
        if isinstance(process, worker.Worker):
            # A worker that is paused for longer than lost_after cannot
            # fence itself: an accepted limit, also if it adds up.
            paused = process.paused_until - self.time + process.paused
            process.paused = paused
            if paused > 0.7 * self.timing.lost_after:
                self.ledger.excused = True

    def strike(self, kinds: tuple[str, ...]) -> None:
        """Do one thing that may happen in production."""
        random = self.random
        kind = random.choice(kinds)
        self.say('FAULT', kind)
        STRIKES[kind](self)

    def heal(self) -> None:
        """End all faults, and see that somebody is there."""
        self.say('HEALED')
        self.bus.heal()
        self.base.out_until = 0.0
        self.base.cut_off.clear()
        self.base.trouble = 0.0
        for process in self.processes():
            process.paused_until = min(process.paused_until, self.time)
        for host in self.hosts:
            self.at(self.random.uniform(0, 3), host.boot)
        for index in range(len(self.drivers)):
            self.at(self.random.uniform(0, 3), self.drive, index)

    # Running

    def settled(self) -> bool:
        """Whether every flow has ended and no worker holds anything."""
        return all(
            row.flow.terminal for row in self.base.flows.values()
        ) and not any(
            host.spool
            or host.worker is None
            or not host.worker.alive
            or host.worker.core.held()
            for host in self.hosts
        )

    def settle(
        self,
        healed: float,
        settles: float = SETTLES,
    ) -> list[str]:
        """Run to the end of the faults and on; return the violations."""
        self.at(healed, self.heal)
        self.run(healed, lambda: False)
        self.run(healed + settles, self.settled)
        self.ledger.finish()
        if not self.ledger.violations:
            held = [
                (entry.request_uuid, entry.phase)
                for host in self.hosts
                if host.worker is not None
                for entry in host.worker.core.held()
            ]
            if held:
                self.ledger.violate('held for ever:', held)
        return self.ledger.violations


def _kill_worker(sim: Simulation) -> None:
    host = sim.random.choice(sim.hosts)
    host.crash()
    sim.at(sim.random.choice((0.1, 3, 20, 60)), host.boot)


def _drain(sim: Simulation) -> None:
    host = sim.random.choice(sim.hosts)
    if host.worker is not None and host.worker.alive:
        process = host.worker
        process.at(0.0, process.drain, sim.random.choice((1.0, 5.0, 30.0)))


def _kill_engine(sim: Simulation) -> None:
    index = sim.random.randrange(len(sim.drivers))
    sim.kill_engine(index)
    sim.at(sim.random.choice((0.1, 5, 40)), sim.drive, index)


def _pause(sim: Simulation) -> None:
    found = sim.processes()
    if found:
        process = sim.random.choice(found)
        sim.pause(
            process, sim.random.choice((1, 7, sim.random.uniform(0, 200)))
        )


def _cut(sim: Simulation) -> None:
    random = sim.random
    found = sim.processes()
    if found:
        name = random.choice(found).peer.name
        ways = random.choice((('in',), ('out',), ('in', 'out')))
        seconds = random.choice((3, 20, random.uniform(0, 300)))
        keeps = random.random() < 0.5
        for way in ways:
            sim.bus.cut(name, way, seconds, keeps)


def _split(sim: Simulation) -> None:
    random = sim.random
    a = random.choice(sim.hosts).name
    b = f'e{random.randrange(len(sim.drivers))}.1'
    seconds = random.choice((3, 20, random.uniform(0, 200)))
    keeps = random.random() < 0.5
    if seconds > 0.5 * sim.timing.lost_after:
        sim.ledger.excused = True
    for pair in random.choice((((a, b),), ((b, a),), ((a, b), (b, a)))):
        sim.bus.cut(*pair, seconds, keeps)


def _broker(sim: Simulation) -> None:
    random = sim.random
    seconds = random.choice((5, 30, 60))
    keeps = random.random() < 0.5
    names = [host.name for host in sim.hosts]
    names += [f'e{i}.1' for i in range(len(sim.drivers))]
    for name in names:
        sim.bus.cut(name, 'in', seconds, keeps)
        sim.bus.cut(name, 'out', seconds, keeps)


def _database(sim: Simulation) -> None:
    sim.base.out_until = sim.time + sim.random.choice((2, 20, 90))


def _database_of_one(sim: Simulation) -> None:
    found = sim.random.choice(sim.drivers)
    if found is not None:
        seconds = sim.random.choice((8, 20, 60))
        sim.base.cut_off[found.peer.incarnation] = sim.time + seconds


def _cancel(sim: Simulation) -> None:
    if not sim.base.flows:
        return
    row = sim.random.choice(list(sim.base.flows.values()))
    row.asked = True
    for found in sim.drivers:
        if found is not None and found.alive:
            found.at(0.0, found.ask_cancel, row.flow.uuid)


STRIKES: dict[str, Callable[[Simulation], None]] = {
    'kill worker': _kill_worker,
    'drain': _drain,
    'kill engine': _kill_engine,
    'pause': _pause,
    'cut': _cut,
    'split': _split,
    'broker': _broker,
    'database': _database,
    'database of one': _database_of_one,
    'cancel': _cancel,
}


def chaos(seed: int, trace: bool = False) -> Simulation:
    """Everything at once, in doses that differ by seed."""
    sim = Simulation(
        seed,
        timing=TIMINGS[seed % len(TIMINGS)],
        engines=1 + seed % 3,
        hosts=2 + seed % 2,
        slots=1 + seed % 3,
        trace=trace,
    )
    random = sim.random
    sim.bus.faults = bus.Faults(
        loss=random.choice((0, 0, 0.02, 0.1, 0.4)),
        duplication=random.choice((0, 0.05, 0.3)),
        slow=random.choice((0, 0, 0.05, 0.2)),
        slow_by=random.choice((2, 20, 3000)),
        reorders=random.random() < 0.7,
        keeps=random.random() < 0.5,
    )
    sim.base.trouble = random.choice((0, 0, 0.02, 0.2))
    kinds = tuple(
        random.sample(sorted(STRIKES), random.randint(1, len(STRIKES)))
    )
    sim.horizon = random.choice((20.0, 60.0, 200.0))
    slow = random.choice((3.0, 20.0, 100.0))
    for _ in range(random.randint(1, 4)):
        sim.at(random.uniform(0, 0.5 * sim.horizon), sim.random_flow, slow)
    for _ in range(random.randint(1, 10)):
        sim.at(random.uniform(0, sim.horizon), sim.strike, kinds)
    return sim


def loss_alone(seed: int, trace: bool = False) -> Simulation:
    """A bus that loses two messages in a hundred, and nothing else."""
    sim = Simulation(seed, engines=1, hosts=2, trace=trace)
    sim.bus.faults = bus.Faults(loss=0.02)
    for _ in range(3):
        sim.at(sim.random.uniform(0, 5), sim.random_flow, 3.0)
    sim.horizon = 60.0
    return sim


def crowd(seed: int, trace: bool = False) -> Simulation:
    """Three engines and many wide flows for one or two slots.

    Much is handed back or comes twice, and late, so that only promises and
    numbers keep it apart.
    """
    sim = Simulation(seed, engines=3, hosts=1 + seed % 2, slots=1, trace=trace)
    random = sim.random
    sim.bus.faults = bus.Faults(
        loss=random.choice((0.05, 0.2, 0.4)),
        duplication=0.5,
        slow=0.3,
        slow_by=random.choice((2, 8, 20)),
        reorders=True,
        keeps=True,
    )
    for _ in range(5):
        sim.at(random.uniform(0, 3), sim.random_flow, 3.0)
    sim.horizon = 100.0
    for _ in range(random.randint(0, 3)):
        sim.at(random.uniform(0, 60), sim.strike, ('drain', 'pause', 'cut'))
    return sim


def pauses(seed: int, trace: bool = False) -> Simulation:
    """Every process is stopped now and then, engines often."""
    sim = Simulation(seed, engines=3, hosts=2, slots=1, trace=trace)
    random = sim.random
    sim.bus.faults = bus.Faults(
        loss=random.choice((0.0, 0.1, 0.3)),
        duplication=0.2,
        slow=random.choice((0.0, 0.1)),
        slow_by=random.choice((5, 60)),
        reorders=True,
        keeps=True,
    )
    for _ in range(4):
        sim.at(random.uniform(0, 40), sim.random_flow, 8.0)
    sim.horizon = 200.0
    for _ in range(12):
        sim.at(random.uniform(0, 120), _pause_engine, sim)
    for _ in range(3):
        sim.at(random.uniform(0, 120), sim.strike, ('pause', 'kill engine'))
    return sim


def _pause_engine(sim: Simulation) -> None:
    found = sim.random.choice(sim.drivers)
    if found is not None:
        found.pause(sim.random.choice((14, 20, 35, 60)))


def cut_off(seed: int, trace: bool = False) -> Simulation:
    """A worker with long tasks loses its link for longer than anyone waits."""
    sim = Simulation(seed, engines=1, hosts=2, trace=trace)
    random = sim.random
    for _ in range(2):
        task = random.choice(('t.once', 't.probed'))
        sim.add_flow(
            [
                flows.Spec(
                    'a0', task, (), False, task == 't.probed', 400.0, False
                )
            ]
        )
    host = random.choice(sim.hosts)
    for way in ('in', 'out'):
        sim.at(
            random.uniform(5, 20),
            sim.bus.cut,
            host.name,
            way,
            300.0,
            random.random() < 0.5,
        )
    sim.horizon = 330.0
    return sim


def blips(seed: int, trace: bool = False) -> Simulation:
    """The broker goes away for less than anyone should mind."""
    sim = Simulation(seed, engines=1 + seed % 2, hosts=2, trace=trace)
    sim.ledger.forbidden = ('fences', 'end suspect', 'end lost', 'end dead')
    random = sim.random
    for _ in range(2):
        sim.at(random.uniform(0, 5), sim.random_flow, 60.0)
    for _ in range(random.randint(1, 2)):
        sim.at(random.uniform(5, 60), _broker, sim)
    sim.horizon = 150.0
    return sim


def handover(seed: int, trace: bool = False) -> Simulation:
    """Engines lose the database, and with it their flows, mid-sentence.

    What they sent last is lost and sent again, and comes late.
    """
    sim = Simulation(seed, engines=3, hosts=1, slots=2, trace=trace)
    random = sim.random
    sim.bus.faults = bus.Faults(
        loss=0.5, slow=0.6, slow_by=15, reorders=True, keeps=True
    )
    for _ in range(8):
        sim.at(random.uniform(0, 60), sim.random_flow, 1.0)
    for _ in range(4):
        sim.at(random.uniform(5, 80), _database_of_one, sim)
    sim.horizon = 120.0
    return sim


def echoes(seed: int, trace: bool = False) -> Simulation:
    """Reports that come long after later ones; much is handed back."""
    sim = Simulation(seed, engines=3, hosts=1, slots=1, trace=trace)
    sim.bus.faults = bus.Faults(
        loss=0.5,
        duplication=0.2,
        slow=0.4,
        slow_by=40,
        reorders=True,
        keeps=True,
    )
    for _ in range(6):
        sim.at(sim.random.uniform(0, 20), sim.random_flow, 1.0)
    sim.horizon = 200.0
    return sim


def absence(seed: int, trace: bool = False) -> Simulation:
    """The only engine is gone for longer than anyone is waited for."""
    sim = Simulation(seed, engines=1, hosts=2, trace=trace)
    sim.ledger.forbidden = ('fences', 'end dead', 'end lost')
    for _ in range(2):
        sim.random_flow(300.0)
    sim.at(sim.random.uniform(6, 20), sim.kill_engine, 0)
    sim.at(sim.random.uniform(150, 250), sim.drive, 0)
    sim.horizon = 260.0
    return sim


def poison(seed: int, trace: bool = False) -> Simulation:
    """A task that takes its worker along, whenever it is tried."""
    sim = Simulation(seed, engines=1, hosts=3, trace=trace)
    task = sim.random.choice(('t.again', 't.probed'))
    sim.add_flow(
        [flows.Spec('a0', task, (), task == 't.again', True, 30.0, False)]
    )
    seen: set[int] = set()

    def watch() -> None:
        for (_flow, _name), runs in sim.ledger.runs.items():
            for run in runs:
                if id(run) in seen or run.request.action != 'execute':
                    continue
                seen.add(id(run))
                host = run.worker.host
                host.crash()
                sim.at(2.5, host.boot)
        if len(seen) > 3:
            sim.ledger.violate('it goes round')
        elif sim.time < 600:
            sim.at(0.2, watch)

    watch()
    return sim


def stalls(seed: int, trace: bool = False) -> Simulation:
    """A database whose transactions end late, or nobody knows how."""
    sim = Simulation(seed, engines=2, hosts=2, trace=trace)
    sim.base.trouble = 0.3
    for _ in range(3):
        sim.at(sim.random.uniform(0, 5), sim.random_flow, 3.0)
    sim.horizon = 100.0
    return sim


SCENARIOS: dict[str, Callable[[int, bool], Simulation]] = {
    scenario.__name__: scenario
    for scenario in (
        chaos,
        loss_alone,
        crowd,
        pauses,
        cut_off,
        blips,
        handover,
        echoes,
        absence,
        poison,
        stalls,
    )
}


def run(name: str, seed: int, trace: bool = False) -> Simulation:
    """Run one seed of a scenario to its end."""
    sim = SCENARIOS[name](seed, trace)
    sim.settle(sim.horizon)
    return sim
