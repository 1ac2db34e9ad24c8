"""Whether a worker runs networks in bfloat16 (engines.runtimes.openvino): by the setting, the CPU and the memory."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from inkgate.engines.runtimes import cpu, onnx
from inkgate.engines.runtimes.interface import CUDA

AUTO, ON, OFF = "auto", "on", "off"
WORKER_MIB = 1408  # of one worker with compiled networks: 1.07 GiB measured, and an image of 12 megapixels
_INSTALL = "Install the extra: pip install 'inkgate[amx]'."
_CGROUP_V2, _CGROUP_V1 = "memory.max", "memory.limit_in_bytes"


@dataclass(frozen=True, slots=True)
class Machine:
    """What the choice depends on: the CPU's instructions for bfloat16 (empty: none), the version of OpenVINO (empty:
    not installed), whether networks run on a GPU, and the memory in MiB that this machine or its container may use.
    """

    instructions: str
    openvino: str
    on_gpu: bool
    memory_mib: float


@dataclass(frozen=True, slots=True)
class Bf16Choice:
    """Whether bfloat16 is used, and the reason in one line; a `remedy` where the setting asks for what cannot be."""

    used: bool
    reason: str
    remedy: str = ""


def choose(wish: str, profile: str, compiles: bool, workers: int, machine: Machine) -> Bf16Choice:
    """The choice for a worker of `profile`, of which `workers` share the machine. `compiles` says whether the profile
    names shapes to compile. `wish` is AUTO, ON or OFF; with ON the memory is the operator's own care.
    """
    if wish == OFF:
        return Bf16Choice(False, "not used: INKGATE_ENGINE__BF16=off")
    obstacle = _obstacle(profile, compiles, machine)
    if obstacle is not None:
        reason, remedy = obstacle
        return Bf16Choice(False, f"not used: {reason}", remedy if wish == ON else "")
    share = machine.memory_mib / max(workers, 1)
    if share < WORKER_MIB and wish == AUTO:
        return Bf16Choice(
            False, f"not used: {share:.0f} MiB of memory for each of {workers} workers, {WORKER_MIB} MiB are needed"
        )
    return Bf16Choice(True, f"used: {machine.instructions}, OpenVINO {machine.openvino}")


def _obstacle(profile: str, compiles: bool, machine: Machine) -> tuple[str, str] | None:
    """What makes bfloat16 impossible, and what to do about it."""
    if machine.on_gpu:
        return "the networks run on the GPU", "Set INKGATE_ENGINE__BF16=auto or off."
    if not compiles:
        return f"the profile {profile} has no networks for it", "Set INKGATE_ENGINE__BF16=auto or off."
    if not machine.instructions:
        return "this CPU has neither amx_bf16 nor avx512_bf16", "Set INKGATE_ENGINE__BF16=auto or off."
    if not machine.openvino:
        return "OpenVINO is not installed", _INSTALL
    return None


def this_machine() -> Machine:
    """The machine, or the container, that this process runs in. OpenVINO is not loaded."""
    version = metadata.version("openvino") if util.find_spec("openvino") is not None else ""
    return Machine(cpu.bf16_instructions(), version, onnx.device() == CUDA, memory_limit_mib())


def memory_limit_mib(
    meminfo: Path = Path("/proc/meminfo"),
    membership: Path = Path("/proc/self/cgroup"),
    root: Path = Path("/sys/fs/cgroup"),
) -> float:
    """MiB of memory that this process may use with all others of its container: the least of the machine's memory and
    the limits of its control groups, version 2 or 1. 0 where nothing says how much there is.
    """
    total = next((int(line.split()[1]) / 2**10 for line in _lines(meminfo) if line.startswith("MemTotal:")), 0.0)
    limits = [total]
    for line in _lines(membership):
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not controllers:
            limits += _limits(root, group, _CGROUP_V2)
        elif "memory" in controllers.split(","):
            limits += _limits(root / "memory", group, _CGROUP_V1)
    return min(limits)


def _limits(root: Path, group: str, name: str) -> list[float]:
    """The limits in MiB of a control group and of those around it. In a container its own is at the root."""
    folder = root / group.strip("/")
    found = []
    while True:
        text = "".join(_lines(folder / name)).strip()
        if text.isdecimal():  # not "max"
            found.append(int(text) / 2**20)
        if folder == root or root not in folder.parents:
            return found
        folder = folder.parent


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
