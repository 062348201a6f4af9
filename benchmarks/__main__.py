"""Measure: `make bench ARGS="--sections small,tiny --rounds 3"`. Writes benchmarks/RESULTS.md."""

import argparse
import sys

from benchmarks import page, record
from benchmarks.peers.peer import PEERS
from benchmarks.programs import PROGRAMS
from benchmarks.sections.arrivals import arrivals
from benchmarks.sections.batch import batch
from benchmarks.sections.health import health
from benchmarks.sections.iq import iq
from benchmarks.sections.memory import memory
from benchmarks.sections.one_connection import one_connection
from benchmarks.sections.overload import overload
from benchmarks.sections.throughput import large, small, tiny
from benchmarks.sections.zipf import zipf
from benchmarks.service import leave_nothing_behind
from benchmarks.setting import Setting
from benchmarks.workloads.models import IQ, LARGE, SMALL, TINY

SECTIONS = {
    "small": (small, SMALL),
    "tiny": (tiny, TINY),
    "large": (large, LARGE),
    "arrivals": (arrivals, TINY),
    "one-connection": (one_connection, SMALL),
    "iq": (iq, IQ),
    "zipf": (zipf, TINY),
    "memory": (memory, SMALL),
    "health": (health, IQ),
    "batch": (batch, TINY),
    "overload": (overload, TINY),
}
"""Name to what measures it and the model that it needs."""

NOT_BY_DEFAULT = {"large"}


def main() -> None:
    """Run the sections that were asked for, one after the other; each is kept as soon as it is done."""
    given = arguments()
    leave_nothing_behind()
    if given.page_only:
        page.write()
        return
    programs = {program.section: program for program in PROGRAMS}
    chosen = given.sections or [name for name in (*SECTIONS, *programs) if name not in NOT_BY_DEFAULT]
    needed = {SECTIONS[name][1].name: SECTIONS[name][1] for name in chosen if name in SECTIONS}
    setting = Setting(given.rounds, given.seconds, given.warm, tuple(given.peers), say=say, workloads=needed)
    try:
        for name in chosen:
            say(name)
            if name in SECTIONS:
                record.keep(SECTIONS[name][0](setting))
            else:
                programs[name].run()
            page.write()
    finally:
        setting.close()
    say(f"written: {page.PAGE}")


def arguments() -> argparse.Namespace:
    """What was asked for."""
    names = [*SECTIONS, *(program.section for program in PROGRAMS)]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--sections", type=_among(names), default=[], help=f"comma separated, of: {', '.join(names)}"
    )
    parser.add_argument(
        "--peers", type=_among(list(PEERS)), default=list(PEERS), help=f"of: {', '.join(PEERS)}; or none"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="each side in each round")
    parser.add_argument("--warm", type=float, default=3.0, help="seconds of load before the clock starts")
    parser.add_argument("--page-only", action="store_true", help="write the page anew from kept results")
    return parser.parse_args()


def _among(names: list[str]):  # type: ignore[no-untyped-def]
    def parse(text: str) -> list[str]:
        chosen = [] if text in {"", "none"} else text.split(",")
        for name in chosen:
            if name not in names:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(names)}")
        return chosen

    return parse


def say(text: str) -> None:
    """Tell the user."""
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
