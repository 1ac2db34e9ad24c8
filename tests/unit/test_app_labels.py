"""Labels of apps on the pages of the console: for any accounts with equal names, each app has its own."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.console.app_labels import NamedApp, label, labels
from inkgate.service.db import ids

NAMES = st.sampled_from(["默认应用", "默认应用2", "portal_app"])
ACCOUNTS = st.lists(
    st.text(alphabet="青禾 ·#0123abc默认应用", min_size=1, max_size=24).map(str.strip).filter(bool),
    min_size=1, max_size=4, unique=True,
)  # fmt: skip


@st.composite
def installations(draw: st.DrawFn) -> list[NamedApp]:
    """Apps of some accounts: live ones with different names in each, and deleted ones with any."""
    found = []
    for account in draw(ACCOUNTS):
        for name in draw(st.lists(NAMES, unique=True)):
            found.append(NamedApp(ids.new(), name, account, account, deleted=False))
        for name in draw(st.lists(NAMES, max_size=3)):
            found.append(NamedApp(ids.new(), name, account, account, deleted=True))
    return draw(st.permutations(found))


@given(installations(), st.data())
def test_no_two_apps_share_a_label(apps: list[NamedApp], data: st.DataObject) -> None:
    home = data.draw(st.sampled_from([each.account_id for each in apps])) if apps else ""
    shown = labels(apps, home)
    assert set(shown) == {each.app_id for each in apps}
    assert len(set(shown.values())) == len(apps)
    assert len({label(each, home) for each in apps}) == len(apps)
    for each in apps:
        assert shown[each.app_id].startswith(each.name)
        if each.account_id == home and not each.deleted:
            assert shown[each.app_id] == each.name


@given(installations(), st.data())
def test_apps_of_one_page_share_no_label_with_live_apps_of_others(apps: list[NamedApp], data: st.DataObject) -> None:
    live = Counter(each.name for each in apps if not each.deleted)
    home = data.draw(st.sampled_from([each.account_id for each in apps])) if apps else ""
    here = [each for each in apps if data.draw(st.booleans())]
    elsewhere = [each for each in apps if not each.deleted and each not in here]
    shown, others = labels(here, home, live), labels(elsewhere, home, live)
    assert len({*shown.values(), *others.values()}) == len(here) + len(elsewhere)


def test_a_name_that_occurs_once_stands_alone() -> None:
    own = NamedApp("1", "默认应用", "a", "青禾", deleted=False)
    other = NamedApp("2", "默认应用", "b", "北门", deleted=False)
    gone = NamedApp("01a2-4455667788", "默认应用", "b", "北门", deleted=True)
    alone = NamedApp("4", "portal_app", "b", "北门", deleted=False)
    assert labels([own, alone], "a") == {"1": "默认应用", "4": "portal_app"}
    assert labels([own, other, gone], "a") == {
        "1": "默认应用",
        "2": "默认应用 · 北门",
        "01a2-4455667788": "默认应用 #55667788 · 北门",
    }
