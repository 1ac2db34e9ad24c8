"""bfloat16 is chosen by the setting, the CPU, the installed library and the memory of a worker."""

from dataclasses import replace
from pathlib import Path

import pytest

from inkgate.engines import registry
from inkgate.engines.runtimes import bf16
from inkgate.engines.runtimes.bf16 import WORKER_MIB, Bf16Choice, Machine, choose, memory_limit_mib
from inkgate.engines.runtimes.cpu import bf16_instructions

AMX = Machine("amx_bf16", "2026.4.1", False, 8 * WORKER_MIB)
USED = Bf16Choice(True, "used: amx_bf16, OpenVINO 2026.4.1")
NO_CPU = "not used: this CPU has neither amx_bf16 nor avx512_bf16"


@pytest.mark.parametrize("wish", ["auto", "on"])
def test_it_is_used_where_everything_allows_it(wish: str) -> None:
    assert choose(wish, "balanced", True, 8, AMX) == USED
    vector = replace(AMX, instructions="avx512_bf16")
    assert choose(wish, "balanced", True, 8, vector) == Bf16Choice(True, "used: avx512_bf16, OpenVINO 2026.4.1")


@pytest.mark.parametrize(
    ("machine", "compiles", "reason", "remedy"),
    [
        (replace(AMX, instructions=""), True, NO_CPU, "Set INKGATE_ENGINE__BF16=auto or off."),
        (replace(AMX, openvino=""), True, "not used: OpenVINO is not installed", "pip install 'inkgate[amx]'"),
        (replace(AMX, on_gpu=True), True, "not used: the networks run on the GPU", "auto or off"),
        (AMX, False, "not used: the profile balanced has no networks for it", "auto or off"),
    ],
)
def test_an_obstacle_is_named_and_has_a_remedy_only_where_the_setting_demands_it(
    machine: Machine, compiles: bool, reason: str, remedy: str
) -> None:
    assert choose("auto", "balanced", compiles, 1, machine) == Bf16Choice(False, reason)
    demanded = choose("on", "balanced", compiles, 1, machine)
    assert (demanded.used, demanded.reason) == (False, reason) and remedy in demanded.remedy
    assert choose("off", "balanced", compiles, 1, machine).reason == "not used: INKGATE_ENGINE__BF16=off"


def test_memory_is_shared_by_the_workers_of_the_machine() -> None:
    assert choose("auto", "balanced", True, 8, AMX).used
    assert choose("auto", "balanced", True, 9, AMX) == Bf16Choice(
        False, f"not used: {8 * WORKER_MIB / 9:.0f} MiB of memory for each of 9 workers, {WORKER_MIB} MiB are needed"
    )
    assert choose("on", "balanced", True, 9, AMX) == USED  # the operator's own care
    assert not choose("auto", "balanced", True, 1, replace(AMX, memory_mib=0)).used  # unknown


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ("avx512_bf16 amx_tile amx_int8 amx_bf16", "amx_bf16"),
        ("avx2 avx512_vnni avx512_bf16", "avx512_bf16"),
        ("avx2 avx512_vnni amx_tile amx_int8", ""),
    ],
)
def test_the_best_instructions_of_the_cpu(tmp_path: Path, flags: str, found: str) -> None:
    facts = tmp_path / "cpuinfo"
    facts.write_text(f"processor\t: 0\nmodel name\t: amx_bf16\nflags\t\t: fpu {flags}\n")
    assert bf16_instructions(facts) == found
    assert bf16_instructions(tmp_path / "none") == ""


class Groups:
    """A machine of 4096 MiB whose control groups lie in a folder."""

    def __init__(self, folder: Path) -> None:
        self.root, self.meminfo, self.membership = folder / "cgroup", folder / "meminfo", folder / "self"
        self.root.mkdir()
        self.meminfo.write_text("MemTotal:        4194304 kB\nMemFree: 1 kB\n")

    def limit(self, membership: str, **limits: str) -> float:
        """The limit of a process of this membership, with files of limits by path, `__` for a slash."""
        self.membership.write_text(membership)
        for path, text in limits.items():
            file = self.root / path.replace("__", "/").replace("memory_", "memory.")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return memory_limit_mib(self.meminfo, self.membership, self.root)


GIB = str(2**30)
TWO_GIB = str(2**31)


@pytest.mark.parametrize(
    ("membership", "limits", "mib"),
    [
        ("0::/\n", {"memory_max": GIB}, 1024),  # a container sees its own group at the root
        ("0::/\n", {"memory_max": "max"}, 4096),
        ("0::/pod/worker\n", {"pod__worker__memory_max": "max", "pod__memory_max": TWO_GIB}, 2048),  # of a group around
        ("5:cpu,memory:/docker/x\n0::/\n", {"memory__docker__x__memory_limit_in_bytes": GIB}, 1024),
        ("5:memory:/docker/x\n", {"memory__memory_limit_in_bytes": TWO_GIB}, 2048),  # only the container's root is seen
        ("5:memory:/\n", {"memory__memory_limit_in_bytes": "9223372036854771712"}, 4096),  # none
        ("nonsense\n", {}, 4096),
    ],
)
def test_the_limit_is_the_least_of_machine_and_groups(
    tmp_path: Path, membership: str, limits: dict[str, str], mib: float
) -> None:
    assert Groups(tmp_path).limit(membership, **limits) == mib


def test_without_facts_no_memory_is_known(tmp_path: Path) -> None:
    assert memory_limit_mib(tmp_path / "a", tmp_path / "b", tmp_path / "c") == 0


def test_the_registry_asks_for_this_machine_and_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bf16, "this_machine", lambda: AMX)
    assert registry.bf16_choice("auto", "onnx", "balanced", 8) == USED
    for runtime, profile, named in (
        ("onnx", "accurate", "the profile accurate has"),
        ("paddle", "balanced", "the profile balanced of the runtime paddle has"),
    ):
        assert named in registry.bf16_choice("on", runtime, profile, 1).reason
    for runtime, profile in (("none", "balanced"), ("onnx", "none")):
        with pytest.raises(ValueError, match="'none'"):
            registry.bf16_choice("auto", runtime, profile, 1)


def test_this_machine_is_described_without_loading_openvino() -> None:
    machine = bf16.this_machine()
    assert machine.memory_mib > 0 and machine.openvino[:2] == "20"
    assert machine.instructions in ("", "amx_bf16", "avx512_bf16")
