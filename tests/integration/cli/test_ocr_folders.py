"""`inkgate ocr` over folders and PDF files, by the real command: order, resuming, failures, limits, searchable PDF."""

import base64
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

from inkgate.service.samples import sample
from inkgate.service.worker.stub import stub_text
from tests.image_files import sample_image, saved

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "inkgate.service.cli", "ocr"]
# Root reads everything; without these capabilities it is an owner like any other.
AS_OWNER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"] if os.geteuid() == 0 else []

PROTECTED = base64.b64decode(
    "JVBERi0xLjYKJb/3ov4KMSAwIG9iago8PCAvUGFnZXMgMiAwIFIgL1R5cGUgL0NhdGFsb2cgPj4KZW5kb2JqCjIgMCBvYmoKPDwgL0NvdW50ID"
    "EgL0tpZHMgWyAzIDAgUiBdIC9UeXBlIC9QYWdlcyA+PgplbmRvYmoKMyAwIG9iago8PCAvQ29udGVudHMgNCAwIFIgL01lZGlhQm94IFsgMCAw"
    "IDIwMCAxMDAgXSAvUGFyZW50IDIgMCBSIC9SZXNvdXJjZXMgPDwgPj4gL1R5cGUgL1BhZ2UgPj4KZW5kb2JqCjQgMCBvYmoKPDwgL0xlbmd0aC"
    "AzMiAvRmlsdGVyIC9GbGF0ZURlY29kZSA+PgpzdHJlYW0K7bL59T/L9xvGUTVYvcwMY5bGx1BI/ILPAVxrAXC370cKZW5kc3RyZWFtCmVuZG9i"
    "ago1IDAgb2JqCjw8IC9DRiA8PCAvU3RkQ0YgPDwgL0F1dGhFdmVudCAvRG9jT3BlbiAvQ0ZNIC9BRVNWMiAvTGVuZ3RoIDE2ID4+ID4+IC9GaW"
    "x0ZXIgL1N0YW5kYXJkIC9MZW5ndGggMTI4IC9PIDwyYTJmMGExOTkwMTkyYzYwMTE0NzMwYmRjZDM5ZjM3ODI4YTUzYzg5YTM0MGRkNDczYzg1"
    "Mjk5ZGM1MjU4ZTFjPiAvT0UgPD4gL1AgLTEwMjggL1IgNCAvU3RtRiAvU3RkQ0YgL1N0ckYgL1N0ZENGIC9VIDxhMDllMmFhMDkwNTAyOTIyND"
    "JjYTQ0ZTNlYTUzMGIwZTAwMjE0NDY5OTBiOWU0MTE0MDcxYTRkOTEwNDk4NGMxPiAvVUUgPD4gL1YgNCA+PgplbmRvYmoKeHJlZgowIDYKMDAw"
    "MDAwMDAwMCA2NTUzNSBmIAowMDAwMDAwMDE1IDAwMDAwIG4gCjAwMDAwMDAwNjQgMDAwMDAgbiAKMDAwMDAwMDEyMyAwMDAwMCBuIAowMDAwMD"
    "AwMjI5IDAwMDAwIG4gCjAwMDAwMDAzMzIgMDAwMDAgbiAKdHJhaWxlciA8PCAvUm9vdCAxIDAgUiAvU2l6ZSA2IC9JRCBbPDMxNDE1OTI2NTM1"
    "ODk3OTMyMzg0NjI2NDMzODMyNzk1PjwzMTQxNTkyNjUzNTg5NzkzMjM4NDYyNjQzMzgzMjc5NT5dIC9FbmNyeXB0IDUgMCBSID4+CnN0YXJ0eH"
    "JlZgo2NDgKJSVFT0YK"
)
"""A PDF of one empty page, encrypted with AES; it needs a password to be opened."""


def environment(stub_ms: float = 0.0) -> dict[str, str]:
    return {**os.environ, "INKGATE_ENGINE__RUNTIME": "stub", "INKGATE_ENGINE__STUB_MS": str(stub_ms)}


def run(*arguments, timeout=120, env=None, before=(), traces=0):
    command = [*before, *COMMAND, *map(str, arguments)]
    env = env or environment()
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, env=env)
    assert result.stderr.count("Traceback") == traces, result.stderr
    return result


def image(seed: int) -> bytes:
    return saved(sample_image(64, 48, seed), "PNG")


def pdf(path: Path, pages: int, size: tuple[float, float] = (200, 100)) -> None:
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        document.new_page(*size)
    document.save(path)
    document.close()


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five images in three folders, with a hidden one, a text file, and links that lead in circles."""
    root = tmp_path / "in"
    for number, name in enumerate(("b.png", "a.PNG", "2/身份证 1.png", "2/x.png", "10/[y].png")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(image(number))
    (root / ".hidden.png").write_bytes(image(8))
    (root / ".hidden").mkdir()
    (root / ".hidden" / "z.png").write_bytes(image(9))
    (root / "notes.txt").write_text("no image")
    (root / "2" / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.png")
    return root


ORDER = ["a.PNG", "b.png", "10/[y].png", "2/x.png", "2/身份证 1.png"]


def test_a_folder_is_read_in_the_documented_order(folder, tmp_path):
    out = tmp_path / "out.jsonl"
    result = run("-r", folder, "--out", "jsonl", "--output", out, "--workers", 3)
    assert result.returncode == 0, result.stderr
    found = records(out)
    assert [each["file"] for each in found] == [str(folder / name) for name in ORDER]
    for each in found:
        assert each["detail"][0]["text"] == stub_text(Path(each["file"]).read_bytes())
    assert "5 read, 0 failed" in result.stderr


@pytest.mark.parametrize("form", ["jsonl", "csv", "txt"])
def test_a_killed_run_is_resumed_without_a_double_or_a_gap(tmp_path, form):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(30):
        (folder / f'{number:02}, "a".png').write_bytes(image(number))
    arguments = ("-r", folder, "--out", form, "--output", out, "--workers", "2")
    whole = tmp_path / "whole"
    assert run(*arguments[:-3], whole, "--workers", "1").returncode == 0
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], cwd=ROOT, env=environment(100), stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        await_size(out, 400)
    finally:
        process.kill()
        process.communicate(timeout=30)
    partial = out.read_bytes()
    assert whole.read_bytes().startswith(partial) and len(partial) < whole.stat().st_size
    out.write_bytes(partial[:-7])  # as a lost end of the last write
    result = run(*arguments, "--resume")
    assert result.returncode == 0, result.stderr
    assert "already in the output" in result.stderr
    assert out.read_bytes() == whole.read_bytes()


def await_size(path: Path, size: int) -> None:
    end = time.monotonic() + 90
    while not path.exists() or path.stat().st_size < size:
        assert time.monotonic() < end, "the run writes nothing"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_cleanly_and_leaves_whole_records(tmp_path, number):
    folder, out = tmp_path / "in", tmp_path / "out.jsonl"
    folder.mkdir()
    for each in range(40):
        (folder / f"{each:02}.png").write_bytes(image(each))
    command = [*COMMAND, "-r", str(folder), "--out", "jsonl", "--output", str(out), "--workers", "2"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(200), stderr=subprocess.PIPE, text=True)
    await_size(out, 400)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted: " in said and "Traceback" not in said
    assert 0 < len(records(out)) < 40


def test_a_full_disk_is_one_line_and_leaves_whole_records(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out.jsonl"
    folder.mkdir()
    for each in range(30):
        (folder / f"{each:02}.png").write_bytes(image(each))
    small = ["bash", "-c", 'ulimit -f 4; exec "$@"', "bash"]  # KiB of a file
    result = run("-r", folder, "--out", "jsonl", "--output", out, before=small)
    assert result.returncode == 2 and "cannot be written: File too large" in result.stderr
    assert out.stat().st_size <= 4096
    result = run("-r", folder, "--out", "jsonl", "--output", out, "--resume")
    assert result.returncode == 0 and len(records(out)) == 30


def test_failed_files_are_recorded_and_stop_nothing(folder, tmp_path):
    """An image that kills its worker, one that is none, a broken one, a broken link, an unreadable folder and file."""
    (folder / "c1_kills.png").write_bytes(image(20) + b"inkgate-stub:crash")
    (folder / "c2_text.jpg").write_bytes(b"not an image")
    (folder / "c3_raises.png").write_bytes(image(21) + b"inkgate-stub:raise")
    (folder / "c4_small.png").write_bytes(saved(Image.new("L", (20, 20)), "PNG"))
    (folder / "c5_link.png").symlink_to(folder / "nowhere.png")
    (folder / "c6_locked.png").write_bytes(image(22))
    (folder / "c6_locked.png").chmod(0)
    (folder / "3").mkdir(mode=0)
    (folder / "c7.pdf").write_bytes(b"%PDF-1.7 and no more")
    with (folder / "c8_huge.png").open("wb") as file:
        file.write(image(23))
        file.truncate(11 * 1024 * 1024)
    out = tmp_path / "out.jsonl"
    # The worker logs the planted defect.
    result = run("-r", folder, "--out", "jsonl", "--output", out, "--resume", before=AS_OWNER, timeout=200, traces=1)
    assert result.returncode == 1, result.stderr
    found = {str(Path(each["file"]).relative_to(folder)): each for each in records(out)}
    assert sum("err_code" not in each for each in found.values()) == 5
    codes = {name: each["err_code"] for name, each in found.items() if "err_code" in each}
    assert codes == {
        "c1_kills.png": 500001,
        "c2_text.jpg": 400012,
        "c3_raises.png": 500001,
        "c4_small.png": 410002,
        "c5_link.png": None,
        "c6_locked.png": None,
        "c7.pdf": None,
        "c8_huge.png": 400013,
        "3": None,
    }
    assert found["c6_locked.png"]["err_msg"] == "cannot be read: Permission denied"
    assert found["3"]["err_msg"] == "cannot be listed: Permission denied"
    assert found["c7.pdf"]["err_msg"] == "is no readable PDF"
    assert "5 read, 9 failed" in result.stderr
    again = run("-r", folder, "--out", "jsonl", "--output", out, "--resume", before=AS_OWNER)
    assert again.returncode == 1 and "9 failed before" in again.stderr


def test_an_empty_folder_gives_an_empty_output(tmp_path):
    (tmp_path / "in").mkdir()
    out = tmp_path / "out.csv"
    result = run("-r", tmp_path / "in", "--out", "csv", "--output", out)
    assert result.returncode == 0 and "0 read, 0 failed" in result.stderr
    assert out.read_text() == "file,page,pages,error,text\n"


def test_csv_is_one_row_a_page_and_no_formula(tmp_path):
    (tmp_path / "=1+1.png").write_bytes(image(1))
    (tmp_path / "b.png").write_bytes(b"no image")
    result = subprocess.run(
        [*COMMAND, "=1+1.png", "b.png", "--out", "csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={**environment(), "PYTHONPATH": str(ROOT / "src")},
    )
    assert result.returncode == 1, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [each["file"] for each in rows] == ["'=1+1.png", "b.png"]
    assert rows[0]["text"] == stub_text(image(1)) and rows[1]["error"].startswith("400012 ")


def test_pages_of_a_pdf_are_numbered_bounded_and_resumed(tmp_path):
    pdf(tmp_path / "ok.pdf", 3)
    pdf(tmp_path / "long.pdf", 5)
    pdf(tmp_path / "poster.pdf", 1, (14_000, 7_000))
    out = tmp_path / "out.jsonl"
    paths = [tmp_path / name for name in ("ok.pdf", "long.pdf", "poster.pdf")]
    result = run(*paths, "--max-pages", 4, "--out", "jsonl", "--output", out)
    assert result.returncode == 1
    found = records(out)
    assert [(each.get("page"), each.get("pages")) for each in found] == [(1, 3), (2, 3), (3, 3), (None, None), (1, 1)]
    assert found[3]["err_msg"] == "has 5 pages; the limit is 4 (--max-pages)"
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:2]))
    run(*paths, "--max-pages", 4, "--out", "jsonl", "--output", out, "--resume")
    assert out.read_bytes() == b"".join(lines)


def test_more_than_a_thousand_pages_are_too_many(tmp_path):
    pdf(tmp_path / "long.pdf", 1001)
    result = run(tmp_path / "long.pdf", "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["err_msg"] == "has 1001 pages; the limit is 1000 (--max-pages)"


def test_a_pdf_with_a_password_is_named_as_such(tmp_path):
    (tmp_path / "locked.pdf").write_bytes(PROTECTED)
    result = run(tmp_path / "locked.pdf", "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["err_msg"] == "the PDF is protected by a password"


def test_text_of_a_searchable_pdf_is_found_again(tmp_path):
    """With the real engine: an image and a PDF that was made of it, both written as searchable PDF files."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "通知.jpg").write_bytes(sample("general"))
    arguments = ("-r", tmp_path / "in", "--out", "pdf", "--output", tmp_path / "out", "--dpi", 150)
    env = dict(os.environ)
    assert run(*arguments, env=env).returncode == 0
    (tmp_path / "in" / "scan.pdf").write_bytes((tmp_path / "out" / "通知.jpg.pdf").read_bytes())
    result = run(*arguments, "--resume", env=env, timeout=200)
    assert result.returncode == 0, result.stderr
    assert "1 files already in the output" in result.stderr
    for name in ("通知.jpg.pdf", "scan.pdf"):
        document = pypdfium2.PdfDocument(tmp_path / "out" / name)
        text = document[0].get_textpage()
        assert "图书馆开放通知" in text.get_text_range() and "城东图书馆" in text.get_text_range()
        left, _, _, top = text.get_charbox(0)
        assert 0.28 < left / document[0].get_width() < 0.36 and top / document[0].get_height() > 0.8
        assert (tmp_path / "out" / name).stat().st_size < 3 * len(sample("general"))
        document.close()
    assert sample("general")[-200:] in (tmp_path / "out" / "通知.jpg.pdf").read_bytes(), "the JPEG went in as it was"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("{folder}",), "a folder is read with -r"),
        (("{image}", "--resume"), "--output"),
        (("{image}", "--out", "pdf"), "--output"),
        (("{image}", "--out", "pdf", "--output", "{new}", "--capability", "idcard"), "the places of the text"),
        (("{image}", "--json", "--out", "csv"), "--json is --out jsonl"),
        (("{image}", "--out", "jsonl", "--output", "{image}"), "exists; continue it with --resume"),
        (("{image}", "--out", "jsonl", "--output", "{image}", "--resume"), "stays as it is"),
        (("{image}", "--out", "csv", "--output", "{image}", "--resume"), "stays as it is"),
        (("{image}", "--out", "txt", "--output", "{image}", "--resume"), "stays as it is"),
        (("{image}", "--output", "{folder}/nowhere/out"), "cannot be written"),
        (("{image}", "--output", "/dev/null", "--resume"), "stays as it is"),
        (("{image}", "{image}.pdf", "--out", "pdf", "--output", "{new}"), "would both become"),
    ],
)
def test_misuse_is_one_line_and_changes_nothing(tmp_path, arguments, hint):
    image_path = tmp_path / "a.png"
    image_path.write_bytes(image(1))
    pdf(tmp_path / "a.png.pdf", 1)
    before = image_path.read_bytes()
    named = {"folder": tmp_path, "image": image_path, "new": tmp_path / "new"}
    result = run(*(each.format(**named) for each in arguments))
    assert result.returncode == 2
    assert hint in result.stderr and len(result.stderr.splitlines()) == 1
    assert image_path.read_bytes() == before and not (tmp_path / "new").exists()


def test_pdf_without_its_library_names_the_extra(tmp_path):
    pdf(tmp_path / "a.pdf", 1)
    (tmp_path / "block").mkdir()
    (tmp_path / "block" / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'pypdfium2' else find(name, package)\n"
    )
    env = {**environment(), "PYTHONPATH": os.pathsep.join((str(tmp_path / "block"), str(ROOT / "src")))}
    result = run("-r", tmp_path, env=env)
    assert result.returncode == 2
    assert result.stderr == "inkgate: PDF needs the extra pdf: pip install 'inkgate[pdf]'\n"
