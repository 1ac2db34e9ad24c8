"""The text engine of a runtime that runs our own networks: which network does what, by profile and device."""

from __future__ import annotations

from typing import Protocol, TypeVar

from inkgate.engines.errors import ModelError
from inkgate.engines.networks import NetworkFactory
from inkgate.engines.runtimes.interface import CUDA, Shape
from inkgate.engines.text import profiles
from inkgate.engines.text.batched import BatchedRecogniser
from inkgate.engines.text.bigrams import BigramModel
from inkgate.engines.text.buckets import BUCKET_SHAPES
from inkgate.engines.text.cascade import Cascade
from inkgate.engines.text.compiled_shapes import NO_SHAPES
from inkgate.engines.text.detect import Detector
from inkgate.engines.text.direction import RecogniseCrops
from inkgate.engines.text.engine import EngineComponents, LineEngine
from inkgate.engines.text.orient import OrientationClassifier
from inkgate.engines.text.page_threads import PageThreads
from inkgate.engines.text.recognise import Recogniser, load_charset
from inkgate.engines.text.scripts import ScriptAwareRecogniser, WholeLineRecogniser
from inkgate.engines.types import EngineInfo

# (batch, channels, height, width) of common detector inputs; the choice of GPU algorithms is timed on them.
DETECTOR_WARMUP_SHAPES: tuple[Shape, ...] = ((1, 3, 736, 736), (1, 3, 736, 992), (1, 3, 960, 736), (1, 3, 1184, 1600))


class _HasClasses(Protocol):
    """A network with a known number of classes."""

    @property
    def classes(self) -> int | None: ...


RecogniserNetwork = TypeVar("RecogniserNetwork", bound=_HasClasses)


def open_line_engine(networks: NetworkFactory, profile: profiles.Profile) -> LineEngine:
    """The text engine over our own networks, built for their device. Raises ModelError as `NetworkFactory` does."""
    orienter = OrientationClassifier(
        networks.network(profiles.ORIENTER)
    )  # first: only an open network shows the device it runs on
    build = build_gpu_components if networks.device == CUDA else build_cpu_components
    parts = build(networks, profile, orienter)
    runtime = networks.runtime
    info = EngineInfo(runtime.name, runtime.version, networks.device, networks.threads, networks.digests)
    return LineEngine(info, parts, runtime.close, runtime.start, lambda: runtime.growth)


def build_cpu_components(
    networks: NetworkFactory, profile: profiles.Profile, orienter: OrientationClassifier
) -> EngineComponents:
    """CPU: lines one by one, by the cascade of the profile."""
    shapes = profile.compiled or NO_SHAPES
    bigrams = BigramModel(networks.file(profiles.BIGRAM_TABLE))
    int8 = profile.accurate_int8 if networks.runtime.int8_is_faster() else None
    whole = _with_charset(
        networks,
        int8 or profile.accurate_recogniser,
        networks.network(int8 or profile.accurate_recogniser),
        profiles.CHARSET,
    )
    fields = networks.on_demand(profile.accurate_recogniser) if int8 else whole[0]
    lines = networks.compiled(profile.accurate_recogniser, shapes.accurate_lines, whole[0])
    accurate = ScriptAwareRecogniser(
        Recogniser(lines, whole[1], fixes_confusions=True, bigrams=bigrams, marks=profiles.ACCURATE_MARKS)
    )
    draft_network, draft_charset = _with_charset(
        networks, profiles.DRAFT_RECOGNISER, networks.network(profiles.DRAFT_RECOGNISER), profiles.DRAFT_CHARSET
    )
    draft_lines = networks.compiled(profiles.DRAFT_RECOGNISER, shapes.draft_lines, draft_network)
    page_detector = profile.cpu_detector or profile.detector
    page = networks.spread(page_detector)
    read: RecogniseCrops = WholeLineRecogniser(accurate)
    if profile.thresholds is not None:
        draft = Recogniser(draft_lines, draft_charset, fixes_confusions=True, marks=profiles.DRAFT_MARKS)
        read = Cascade(draft, accurate, profile.thresholds, profile.horizontal_scale, PageThreads(networks.cores))
    return EngineComponents(
        detector=Detector(page, profile.page),
        read=read,
        orientation_probe=Recogniser(draft_lines, draft_charset),
        accurate_detector=Detector(networks.network(profile.accurate_detector)),
        accurate_recogniser=Recogniser(fields, whole[1]),
        orienter=orienter,
        candidates=Recogniser(fields, whole[1]).candidates,
        lazy_accurate_recogniser=bool(int8),
    )


def build_gpu_components(
    networks: NetworkFactory, profile: profiles.Profile, orienter: OrientationClassifier
) -> EngineComponents:
    """GPU: every line by the accurate recogniser, in buckets, batched across images."""
    network = networks.argmax(profile.accurate_recogniser, BUCKET_SHAPES, warmed=True)
    lines = BatchedRecogniser(*_with_charset(networks, profile.accurate_recogniser, network, profiles.CHARSET))
    lines.warmup()
    page, accurate = (
        networks.timed(name, DETECTOR_WARMUP_SHAPES, warmed=False)
        for name in (profile.detector, profile.accurate_detector)
    )
    whole = _with_charset(
        networks, profile.accurate_recogniser, networks.network(profile.accurate_recogniser), profiles.CHARSET
    )
    return EngineComponents(
        detector=Detector(page, profile.page),
        read=lines,
        orientation_probe=lines,
        accurate_detector=Detector(accurate),
        accurate_recogniser=lines,
        orienter=orienter,
        candidates=Recogniser(*whole).candidates,
    )


def _with_charset(
    networks: NetworkFactory, name: str, network: RecogniserNetwork, charset: str
) -> tuple[RecogniserNetwork, list[str]]:
    """The network and its characters.

    Raises ModelError when their numbers differ: an operator's file may be of another family than its name says, and
    would give wrong text.
    """
    characters = load_charset(networks.file(charset))
    if network.classes not in (None, len(characters)):
        raise ModelError(
            f"model {name}: it has {network.classes} classes, and {charset} has {len(characters)}. "
            "Put the pair that belongs together into INKGATE_ENGINE__MODEL_DIR."
        )
    return network, characters
