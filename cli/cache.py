"""`fixgate cache`: the fixes that gateways have in Redis and in memory."""

import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

app = typer.Typer(
    name="cache", help="The cache of fixes, in Redis and in the gateways' memory.", no_args_is_help=True
)

COUNT = 1000
DIGITS = 64


@app.callback()
def _group() -> None:
    pass


@app.command()
def clear(
    model: Annotated[str | None, typer.Argument(help="Only this model's fixes.")] = None,
    redis_url: Annotated[
        str | None,
        typer.Option(
            help="The Redis of the gateways; else FIXGATE_REDIS_URL, or the file in FIXGATE_REDIS_URL_FILE, "
            "else REDIS_URL, else the one of `fixgate up`."
        ),
    ] = None,
) -> None:
    """Forget cached fixes, of one model or of all; nothing else in Redis is touched.

    Gateways forget what they have in memory within about a second. What is computed then is kept again.
    """
    import redis

    from contract import keys
    from sync.config import from_env
    from sync.errors import Misconfigured
    from sync.redis_client import connect

    pattern = keys.FIXES + ("*" if model is None else f"{_literally(model)}:{'?' * DIGITS}")
    try:
        with connect(redis_url or from_env().redis_url, timeout_s=10.0) as client:
            client.incr(keys.CACHE_GENERATION)
            forgotten, cursor = 0, 0
            while True:
                cursor, found = client.scan(cursor, match=pattern, count=COUNT)
                forgotten += client.unlink(*found) if found else 0
                if cursor == 0:
                    break
    except Misconfigured as error:
        _fail(str(error))
    except ValueError as error:
        _fail(f"FIXGATE_REDIS_URL: {error}")
    except (redis.RedisError, OSError) as error:
        _fail(f"Redis does not answer: {error}")
    fixes = "1 fix" if forgotten == 1 else f"{forgotten:,} fixes"
    typer.echo(f"forgot {fixes}" + (f" of {model}" if model is not None else ""))


def _literally(text: str) -> str:
    """The text as a pattern that only it matches."""
    return "".join(f"\\{one}" if one in "\\*?[]^" else one for one in text)


def _fail(message: str) -> NoReturn:
    Console(stderr=True).print(f"fixgate cache: {message}", style="red", markup=False, soft_wrap=True)
    sys.exit(1)
