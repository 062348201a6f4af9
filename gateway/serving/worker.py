"""One worker: `python -m gateway.serving.worker LINK BOARD ROW WAITS LISTENER...`, as its parent starts it.

LINK, BOARD and LISTENER are descriptors that it hands down; BOARD and ROW are those of `gateway.board`.
WAITS is 1 for a worker that is not to take connections before it is ready: another one takes them.
"""

import signal
import socket
import sys

for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
    signal.signal(_number, signal.SIG_IGN)  # a terminal tells the whole group; the parent answers for it

import uvloop  # noqa: E402

from contract.logs import configure  # noqa: E402
from gateway.board import Board  # noqa: E402
from gateway.config import ConfigError, from_env  # noqa: E402
from gateway.serving.listeners import adopt  # noqa: E402
from gateway.serving.process import serve  # noqa: E402


def main() -> None:
    """Serve until the parent says stop, or is gone."""
    link, board, row, waits, *listeners = map(int, sys.argv[1:])
    config = from_env()
    configure(config.log_level, config.log_format)
    try:
        uvloop.run(
            serve(
                config,
                lambda: adopt(listeners),
                socket.socket(fileno=link),
                board=Board(board, row),
                waits=bool(waits),
            )
        )
    except ConfigError as error:
        sys.exit(f"fixgate gateway: {error}")


if __name__ == "__main__":
    main()
