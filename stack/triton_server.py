"""Triton without containers: the tritonserver of the nvidia-pytriton wheel, polling a model repository."""

import ctypes
import hashlib
import importlib.util
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from stack.dead_child import DeadChild
from stack.part import LOOPBACK, CannotStart, Part, http_ok

BACKEND = Path(__file__).parent / "triton" / "onnxruntime" / "model.py"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory is  # nosec B108
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class TritonPorts:
    """The three listeners of one Triton."""

    http: int
    grpc: int
    metrics: int


def triton_part(home: Path, repository: Path, ports: TritonPorts) -> Part:
    """Triton in poll mode over `repository`, with our `onnxruntime` backend; CPU only.

    Writes the backend folder under `home`, which no other Triton may be using.

    Raises:
        CannotStart: the wheel, or the Python library that Triton embeds, is not there.
    """
    wheel = _wheel()
    library = _python_library()
    folder = home / "triton"
    repository.mkdir(parents=True, exist_ok=True)
    regions = shared_memory_prefix(home)
    for left_by_a_kill in SHARED_MEMORY.glob(f"{regions}*"):
        left_by_a_kill.unlink(missing_ok=True)
    options = {
        # Triton gives both paths to a shell, unquoted: relative ones are safe whatever the home is called.
        "model-repository": _link(folder / "repository", repository).name,
        "backend-directory": assemble_backends(wheel, folder / "backends").name,
        "backend-config": f"python,shm-region-prefix-name={regions}",
        "model-control-mode": "poll",
        "repository-poll-secs": 1,
        "strict-readiness": "false",
        # One model that fails to load must not keep the others from being served.
        "exit-on-error": "false",
        "exit-timeout-secs": 5,
        "allow-gpu-metrics": "false",
        **{f"{name}-address": LOOPBACK for name in ("http", "grpc", "metrics")},
        **{f"{name}-port": getattr(ports, name) for name in ("http", "grpc", "metrics")},
    }
    return Part(
        name="triton",
        command=(
            str(wheel / "bin" / "tritonserver"),
            "--disable-auto-complete-config",
            *(f"--{name}={value}" for name, value in options.items()),
        ),
        folder=folder,
        address=f"http://{LOOPBACK}:{ports.http}",
        # Not /v2/health/ready: that one waits for every model, and a half-written one is not our failure.
        ready=lambda: http_ok(ports.http, "/v2/health/live"),
        broken=DeadChild(),
        environment={
            "LD_LIBRARY_PATH": _joined(wheel.parents[1] / "nvidia_pytriton.libs", library, "LD_LIBRARY_PATH"),
            # The Python in Triton's stub is isolated: it finds its own home, and ours, by `python3` on PATH.
            "PATH": _joined(Path(sys.executable).parent, None, "PATH"),
            "CUDA_VISIBLE_DEVICES": "",
        },
    )


def shared_memory_prefix(home: Path) -> str:
    """How the names of the regions begin through which this home's Triton talks to its models' processes."""
    return f"fixgate-{hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:12]}-"


def assemble_backends(wheel: Path, folder: Path) -> Path:
    """Triton's Python backend, the stub for this Python, and our backend, in `folder`; returns it.

    Copies, because Triton takes no library that a link leads to; replaced whole, because one may be in use.
    """
    stub = wheel / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"
    python = wheel / "backends" / "python"
    files = {
        "python/libtriton_python.so": python / "libtriton_python.so",
        "python/triton_python_backend_utils.py": python / "triton_python_backend_utils.py",
        "python/triton_python_backend_stub": stub,
        "onnxruntime/model.py": BACKEND,
    }
    for name, source in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        arriving = target.with_name(target.name + ".new")
        shutil.copy2(source, arriving)
        arriving.replace(target)
    return folder


def _link(link: Path, target: Path) -> Path:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target.absolute())
    return link


def _wheel() -> Path:
    found = importlib.util.find_spec("pytriton")
    folder = Path(found.origin).parent / "tritonserver" if found and found.origin else None
    if folder is None or not (folder / "bin" / "tritonserver").exists():
        raise CannotStart(
            "Triton is not installed: pip install 'fixgate[stack]' (Linux x86-64, glibc 2.35 or newer)"
        )
    return folder


def _python_library() -> Path | None:
    """Folder of the libpython that Triton's stub embeds; None if the linker finds it by itself."""
    name = f"libpython{PYTHON}.so.1.0"
    folder = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
    if (folder / name).exists():
        return folder
    try:
        ctypes.CDLL(name)
    except OSError:
        raise CannotStart(
            f"Triton needs {name}, which this Python does not bring: apt install libpython{PYTHON}, "
            "or use a Python built with --enable-shared"
        ) from None
    return None


def _joined(first: Path, second: Path | None, variable: str) -> str:
    """A search path: ours before what `variable` holds already."""
    folders = [str(first), str(second or ""), os.environ.get(variable, "")]
    return os.pathsep.join(folder for folder in folders if folder)
