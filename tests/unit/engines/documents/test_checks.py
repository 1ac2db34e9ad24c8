"""Check digits against worked examples of the standards, and what a repair may and may not do."""

import pytest
from stdnum.cn import ric, uscc
from stdnum.iso7064 import mod_11_10

from inkgate.engines.document import checks


def test_id_number_agrees_with_stdnum():
    body = "11010519491231002"
    number = body + ric.calc_check_digit(body + "0")
    assert number == "11010519491231002X"  # the example of GB 11643
    assert checks.is_valid_id_number(number)
    assert not checks.is_valid_id_number("110105194912310021")


def test_id_number_needs_a_real_date():
    assert checks.birthday("110105194902310025") is None
    assert not checks.is_valid_id_number("110105194902310025")


@pytest.mark.parametrize(("digit", "sex"), [("3", "男"), ("4", "女")])
def test_sex_is_the_seventeenth_digit(digit, sex):
    assert checks.sex(f"1101051949123100{digit}X") == sex


def test_credit_code_agrees_with_stdnum():
    body = "91350211M000100Y4"
    code = body + uscc.calc_check_digit(body)
    assert checks.is_valid_credit_code(code)
    assert not checks.is_valid_credit_code(code[:-1] + ("0" if code[-1] != "0" else "1"))
    assert not checks.is_valid_credit_code("9135O211M000100Y46")


def test_registration_number_agrees_with_stdnum():
    body = "11010800000001"
    number = body + mod_11_10.calc_check_digit(body)
    assert checks.is_valid_registration_number(number)
    assert not checks.is_valid_registration_number(body + "x")
    assert not checks.is_valid_registration_number("1101080000001")


def test_repair_changes_one_confused_character_only():
    good = "91350211M000100Y46"
    assert checks.is_valid_credit_code(good)
    assert checks.correct_one_character(good.replace("0", "O", 1), checks.is_valid_credit_code) == good
    assert checks.correct_one_character("9135O2I1M0OO100Y46", checks.is_valid_credit_code) == "9135O2I1M0OO100Y46"


def test_repair_leaves_what_does_not_hold():
    printed_wrong = "110105194912310020"
    assert checks.correct_one_character(printed_wrong, checks.is_valid_id_number) == printed_wrong
