"""Personal names: a character that no name has gives way to a candidate of the network; the rest stays as read."""

import pytest

from inkgate.engines.document.labels import TextSegment
from inkgate.engines.document.names import correct_name, has_unusual_character, vote_candidates
from inkgate.engines.document.scan import Strip


def choices(*characters):
    """`肿.6翀.2` as what one character may be."""
    return [[(part[0], float(part[1:])) for part in c.split()] for c in characters]


def segment(text):
    strip = Strip(((0, 0), (90, 0), (90, 30), (0, 30)), 0, 90, 15, 30, 0.0, text, 0.9)
    return TextSegment(None, text, 0, 90, 15, 30, strip)


@pytest.mark.parametrize("name", ["廖若肿", "郗龔", "史弱", "逢胜", "杨类"])
def test_what_hardly_any_name_holds_is_suspicious(name):
    assert has_unusual_character(name)


@pytest.mark.parametrize(
    "name", ["王建国", "逄胜", "区烜", "欧阳翀", "谯婉嵘", "麴辉", "彭琎", "郗龑", "阿卜杜热合曼·买买提艾力", "王", ""]
)
def test_names_are_left_alone(name):
    assert not has_unusual_character(name)


def test_the_next_likeliest_that_fits_is_taken():
    assert vote_candidates("廖若肿", [choices("廖.99", "若.99", "肿.6 翀.2 辨.1")]) == "廖若翀"


def test_a_surname_is_taken_for_the_first_character():
    assert vote_candidates("逢胜", [choices("逢.7 蓬.1 逄.1", "胜.9")]) == "蓬胜"
    assert vote_candidates("逢胜", [choices("逢.7 锋.1 逄.1", "胜.9")]) == "逄胜"


def test_an_improbable_candidate_is_not_taken():
    assert vote_candidates("廖若肿", [choices("廖.99", "若.99", "肿.99 翀.01")]) == "廖若肿"


def test_readings_are_added_up():
    readings = [choices("史.9", "弱.5 扇.1 骉.05"), choices("史.9", "弱.4 骉.3")]
    assert vote_candidates("史弱", readings) == "史骉"


def test_a_name_is_found_within_a_reading_that_holds_more():
    again = choices("人.9", "史.9", "弱.5 骉.3")
    assert correct_name("史弱", segment("史弱"), lambda quad: [again]) == "史骉"
    assert correct_name("史弱", segment("代表:史弱"), lambda quad: [choices("人.9", "弱.5 骉.3")]) == "史弱"


def test_names_that_are_not_suspicious_are_not_read_again():
    def never(quad):
        raise AssertionError

    assert correct_name("王建国", segment("王建国"), never) == "王建国"
