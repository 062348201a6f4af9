"""How a run of the benchmarks was asked for, and what its sections share."""

import contextlib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from benchmarks import machine, scrape, wrk
from benchmarks.bodies import Form
from benchmarks.peers.peer import PEERS, Peer
from benchmarks.record import Plot, Result
from benchmarks.rounds import Side, spread
from benchmarks.service import CACHE, Service, service
from benchmarks.workloads.models import Workload
from benchmarks.wrk import Measured
from stack.process import StartFailed

UNCACHED = "?dtype=f32_le&cache_enabled=false"


UNSHED = {"FIXGATE_OBJECTIVE_MS": "20000"}
"""A closed loop's clients wait however long it takes, and no peer refuses anybody: then neither do we."""


class Failed(Exception):
    """Requests failed where none may: the figure is worth nothing."""


@dataclass(slots=True)
class Setting:
    """`rounds` of `seconds` each; `peers` are names in `PEERS`. `say` tells the user what goes on;
    `left_out` are peers that failed requests or did not start, and why: they have no row."""

    rounds: int
    seconds: float
    warm_s: float
    peers: tuple[str, ...]
    connections: int = 100
    say: Callable[[str], None] = print
    workloads: dict[str, Workload] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    _service: Service | None = None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def service(self) -> Service:
        """The running service, started when it is first asked for, with every workload that is needed."""
        if self._service is None:
            self.say("starting Redis, MLflow, Triton; registering " + ", ".join(self.workloads))
            self._service = self._stack.enter_context(service(list(self.workloads.values())))
        return self._service

    def close(self) -> None:
        """Stop the service."""
        self._stack.close()

    def closed(self, url: str, form: Form, *, connections: int = 0, count: int = 256) -> Measured:
        """Warm up, then measure a closed loop.

        Raises:
            Failed: a request failed.
        """
        script = wrk.script(CACHE / "wrk", form, count)
        many = connections or self.connections
        if self.warm_s:
            wrk.run(url, script, connections=many, seconds=self.warm_s)
        measured = wrk.run(url, script, connections=many, seconds=self.seconds)
        if not measured.requests:
            raise Failed(f"{url}: no request was answered within {self.seconds:g} s")
        if measured.failed:
            why = probe(url, form)
            raise Failed(f"{url}: {measured.failed} of {measured.requests} requests failed; one says: {why}")
        return measured

    def gateway_side(
        self, workload: Workload, form: Form, query: str, *, workers: int = 0, **closed: int
    ) -> Side[Measured]:
        """The gateway as `fixgate up` starts it, but that it refuses nobody for being late.

        Args:
            workers: another number of them.
        """
        options = {**UNSHED, **({"FIXGATE_WORKERS": str(workers)} if workers else {})}

        def measure() -> Measured:
            with self.service().gateway(options) as gateway:
                url = f"{gateway.url}/models/{workload.name}/predict{query}"
                try:
                    return self.closed(url, form.patient(), **closed)
                except Failed as error:
                    raise Failed(f"{error}; the gateway counted {scrape.failures(gateway.url)}") from None

        return Side(f"fixgate, {workers} worker" if workers else "fixgate", measure)

    def triton_side(self, workload: Workload, form: Form, **closed: int) -> Side[Measured]:
        """Triton itself, over HTTP with binary tensors."""
        path = f"/v2/models/{workload.name}/versions/1/infer"
        return Side(
            "Triton direct, HTTP binary",
            lambda: self.closed(self.service().triton_http + path, form, **closed),
        )

    def triton_grpc_side(self, workload: Workload) -> Side[Measured]:
        """Triton itself, over gRPC, by a client in Python."""

        def measure() -> Measured:
            address = self.service().parts.triton.grpc
            for seconds in filter(None, (self.warm_s, self.seconds)):
                arguments = (address, workload.name, str(self.connections), str(seconds))
                command = (sys.executable, "-m", "benchmarks.grpc_loop", *arguments)
                told = subprocess.run(command, check=True, capture_output=True).stdout
            measured = msgspec.json.decode(told, type=Measured)
            if measured.failed:
                raise Failed(f"gRPC: {measured.failed} of {measured.requests} requests failed")
            return measured

        return Side("Triton direct, gRPC (client in Python)", measure)

    def peer_side(self, peer: Peer, workload: Workload, **closed: int) -> Side[Measured]:
        """A peer, started for its turn only."""

        def measure() -> Measured:
            try:
                with peer.running(workload.file(CACHE / "models"), CACHE) as url:
                    return self.closed(url, peer.form, **closed)
            except (Failed, StartFailed) as error:
                self.left_out[peer.name] = str(error).partition("\n")[0]
                return Measured(0, 1.0, 0, 0.0, 0.0, 0.0)

        return Side(peer.name, measure)

    def chosen_peers(self) -> Iterator[Peer]:
        """Those asked for."""
        for name in self.peers:
            yield from PEERS[name]

    def told(self, name: str, measured: Measured) -> None:
        """Say a side's figures."""
        self.say(
            f"  {name}: {measured.rate:,.0f}/s, p50 {measured.p50_ms:.1f} p95 {measured.p95_ms:.1f} "
            f"p99 {measured.p99_ms:.1f} ms"
        )

    def result(
        self,
        section: str,
        title: str,
        about: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        load_before: float,
        figures: Mapping[str, Sequence[float]],
        plots: Sequence[Plot] = (),
        notes: Sequence[str] = (),
        raw: Mapping[str, object] | None = None,
    ) -> Result:
        """A result taken now, on this machine."""
        return Result(
            section=section,
            title=title,
            about=about,
            taken=time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
            machine=machine.describe(),
            load_before=round(load_before, 2),
            rounds=self.rounds,
            columns=list(columns),
            rows=[list(row) for row in rows],
            figures={key: [round(value, 4) for value in values] for key, values in figures.items()},
            plots=list(plots),
            notes=list(notes),
            raw=dict(raw or {}),
        )


def probe(url: str, form: Form) -> str:
    """What one request is answered with."""
    request = urllib.request.Request(url, form.bodies(1)[0], dict(form.headers))  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return f"{answer.status} {answer.read(300).decode(errors='replace')}"
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code} {error.read(300).decode(errors='replace')}"
    except OSError as error:
        return str(error)


COLUMNS = ("served by", "requests/s", "p50 ms", "p95 ms", "p99 ms", "requests", "failed")


def closed_rows(taken: Mapping[str, Sequence[Measured]]) -> list[list[str]]:
    """A table of closed loops, fastest first."""
    table = []
    for name, runs in sorted(taken.items(), key=lambda one: -sum(run.rate for run in one[1])):
        columns = ("rate", "p50_ms", "p95_ms", "p99_ms")
        figures = [spread([getattr(run, column) for run in runs]) for column in columns]
        totals = (sum(run.requests for run in runs), sum(run.failed for run in runs))
        table.append([name, *figures, *(f"{total:,}" for total in totals)])
    return table


def rates(runs: Sequence[Measured]) -> list[float]:
    """Requests a second, round by round."""
    return [run.rate for run in runs]


def rate_plot(title: str, taken: Mapping[str, Sequence[Measured]]) -> Plot:
    """Requests a second of every side."""
    return Plot("bars", title, "requests/s", {name: rates(runs) for name, runs in taken.items()})
