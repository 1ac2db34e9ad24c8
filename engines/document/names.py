"""Correction of personal names: an implausible character is replaced by the most likely plausible candidate.

The accurate recogniser knows the rare characters of names and often ranks them second, behind a common character of
similar shape (肿 for 翀). Only characters that are improbable in names, and first characters that are no surname, are
replaced, and only by one of the recogniser's own candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.resources import files

from inkgate.engines.document.labels import TextSegment
from inkgate.engines.types import CharacterCandidates, Quad

_MIN_CANDIDATE_RATIO = 0.02  # share of the best one's probability from which a candidate counts
_FIRST_HAN = "\u3400"  # the first code point of Chinese characters
_MAX_NAME_CHARACTERS = 4  # characters: longer names are transcriptions, in which any character is possible


def has_unusual_character(name: str) -> bool:
    """Whether a recognised name has a character that is improbable at its position."""
    return 1 < len(name) <= _MAX_NAME_CHARACTERS and any(
        not fits(character) for character, fits in zip(name, _plausibility_checks(name), strict=True)
    )


def correct_name(name: str, segment: TextSegment, candidates: Callable[[Quad], Iterable[CharacterCandidates]]) -> str:
    """`name`, a part of the text of `segment`, with its improbable characters replaced.

    `candidates` recognises a quadrilateral again; results that do not align with `name` are ignored.
    """
    if not has_unusual_character(name) or name not in segment.text:
        return name
    return vote_candidates(name, [found for choices in candidates(segment.quad) if (found := _align(name, choices))])


def vote_candidates(name: str, readings: Sequence[CharacterCandidates]) -> str:
    """The name with its improbable characters replaced by the best candidate of the summed `readings`."""
    options: list[dict[str, float]] = [{} for _ in name]
    for choices in readings:
        for at, here in enumerate(choices):
            for character, score in here:
                options[at][character] = options[at].get(character, 0.0) + score
    return "".join(
        character if fits(character) else _best_candidate(character, here, fits)
        for character, here, fits in zip(name, options, _plausibility_checks(name), strict=True)
    )


def _align(name: str, choices: CharacterCandidates) -> CharacterCandidates:
    """The part of a reading in which each character of `name` is a candidate; [] for none."""
    for start in range(len(choices) - len(name), -1, -1):
        part = choices[start : start + len(name)]
        if all(any(character == other for other, _ in options) for character, options in zip(name, part, strict=True)):
            return part
    return []


def _best_candidate(character: str, options: dict[str, float], fits: Callable[[str], bool]) -> str:
    ranked = sorted(options.items(), key=lambda option: -option[1])
    least = _MIN_CANDIDATE_RATIO * ranked[0][1] if ranked else 0.0
    return next((other for other, score in ranked if score >= least and fits(other)), character)


def _plausibility_checks(name: str) -> list[Callable[[str], bool]]:
    """For each character of a name, whether a character is plausible at that position."""
    return [_fits_surname, *[_fits_given_name] * (len(name) - 1)]


def _fits_surname(character: str) -> bool:
    return character in _surnames()


def _fits_given_name(character: str) -> bool:
    return character >= _FIRST_HAN and character not in _rare_characters()


@cache
def _rare_characters() -> frozenset[str]:
    return _characters("seldom_in_names.txt")


@cache
def _surnames() -> frozenset[str]:
    return _characters("surnames.txt")


def _characters(file: str) -> frozenset[str]:
    lines = files("inkgate.engines.document").joinpath(file).read_text(encoding="utf-8").splitlines()
    return frozenset("".join(line for line in lines if not line.startswith("#")))
