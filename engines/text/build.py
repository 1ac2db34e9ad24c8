"""The text engine of a runtime that runs our own networks: which network does what, by profile and device."""

from __future__ import annotations

from typing import Protocol, TypeVar

from inkgate.engines.errors import ModelError
from inkgate.engines.networks import NetworkFactory
from inkgate.engines.runtimes.interface import CUDA, Shape
from inkgate.engines.text import profiles
from inkgate.engines.text.batched import BatchedRecogniser
from inkgate.engines.text.buckets import LINES
from inkgate.engines.text.cascade import Cascade
from inkgate.engines.text.detect import Detector
from inkgate.engines.text.engine import LineEngine, Parts, ReadCrops
from inkgate.engines.text.language import Pairs
from inkgate.engines.text.orient import Orienter
from inkgate.engines.text.recognise import Recogniser, load_charset
from inkgate.engines.text.scripts import Scripts, WholeLines
from inkgate.engines.types import EngineInfo

# Input shapes of pages as the detectors see them; a GPU's choice of algorithms is timed on them.
PAGES: tuple[Shape, ...] = ((1, 3, 736, 736), (1, 3, 736, 992), (1, 3, 960, 736), (1, 3, 1184, 1600))


class _Classifying(Protocol):
    """A network that tells classes apart."""

    @property
    def classes(self) -> int | None: ...


Recognising = TypeVar("Recognising", bound=_Classifying)


def open_line_engine(networks: NetworkFactory, profile: profiles.Profile) -> LineEngine:
    """The text engine over our own networks, as their device wants it. Raises ModelError as `NetworkFactory` does."""
    orienter = Orienter(networks.network(profiles.ORIENTER))  # first: only an open network shows the device it runs on
    build = gpu_parts if networks.device == CUDA else cpu_parts
    parts = build(networks, profile, orienter)
    runtime = networks.runtime
    return LineEngine(
        EngineInfo(runtime.name, runtime.version, networks.device, networks.threads, networks.digests), parts
    )


def cpu_parts(networks: NetworkFactory, profile: profiles.Profile, orienter: Orienter) -> Parts:
    """Lines one by one, through as little of the careful network as the profile allows."""
    pairs = Pairs(networks.file(profiles.PAIRS))
    in_bytes = profile.careful_in_bytes if networks.runtime.int8_is_faster() else None
    reads_pages = in_bytes or profile.careful
    pages = _with_charset(networks, reads_pages, networks.network(reads_pages), profiles.CHARSET)
    fields = networks.on_demand(profile.careful) if in_bytes else pages[0]
    careful = Scripts(Recogniser(*pages, prose=True, pairs=pairs))
    quick_pages = _with_charset(networks, profiles.QUICK, networks.network(profiles.QUICK), profiles.QUICK_CHARSET)
    read: ReadCrops = WholeLines(careful)
    if profile.doubt is not None:
        read = Cascade(Recogniser(*quick_pages, prose=True), careful, profile.doubt, profile.squeeze)
    return Parts(
        detector=Detector(networks.network(profile.detector), profile.page),
        read=read,
        trial=Recogniser(*quick_pages),
        careful_detector=Detector(networks.network(profile.careful_detector)),
        careful_recogniser=Recogniser(fields, pages[1]),
        orienter=orienter,
        candidates=Recogniser(fields, pages[1]).candidates,
        fields_on_demand=bool(in_bytes),
    )


def gpu_parts(networks: NetworkFactory, profile: profiles.Profile, orienter: Orienter) -> Parts:
    """Every line through the careful network, where it costs little: in buckets, with the lines of other images."""
    network = networks.best_path(profile.careful, LINES, warmed=True)
    lines = BatchedRecogniser(*_with_charset(networks, profile.careful, network, profiles.CHARSET))
    lines.warmup()
    page, careful = (networks.timed(name, PAGES, warmed=False) for name in (profile.detector, profile.careful_detector))
    whole = _with_charset(networks, profile.careful, networks.network(profile.careful), profiles.CHARSET)
    return Parts(
        detector=Detector(page, profile.page),
        read=lines,
        trial=lines,
        careful_detector=Detector(careful),
        careful_recogniser=lines,
        orienter=orienter,
        candidates=Recogniser(*whole).candidates,
    )


def _with_charset(
    networks: NetworkFactory, name: str, network: Recognising, charset: str
) -> tuple[Recognising, list[str]]:
    """The network and its characters.

    Raises ModelError when their numbers differ: an operator's file may be of another family than its name says, and
    would read gibberish.
    """
    characters = load_charset(networks.file(charset))
    if network.classes not in (None, len(characters)):
        raise ModelError(
            f"model {name}: it tells {network.classes} classes apart, and {charset} has {len(characters)}. "
            "Put the pair that belongs together into INKGATE_ENGINE__MODEL_DIR."
        )
    return network, characters
