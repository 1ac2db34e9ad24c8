"""Draw the sample images of `make demo`, the sandbox and the documentation: one per capability, all fictitious.

    python tools/draw_samples.py            (needs Pillow and the fonts of Debian's fonts-noto-cjk)

The images are committed (service/samples/), so that the fonts are not needed to use them. Names, numbers and companies
are fictitious; check digits are valid, so that the pipelines that verify them accept them.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

OUT = Path(__file__).parents[1] / "service" / "samples"
SANS = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
BOLD = "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"
SERIF = "/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc"
SERIF_BOLD = "/usr/share/fonts/opentype/noto/NotoSerifCJK-Bold.ttc"
CHINESE = 2  # index of the simplified Chinese face in the Noto collections


def font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size, index=CHINESE)


def general() -> Image.Image:
    """A printed notice: Chinese, English, digits, two sizes."""
    page = Image.new("RGB", (900, 560), "#fbfaf7")
    draw = ImageDraw.Draw(page)
    draw.rectangle((24, 24, 876, 536), outline="#c9c2b2", width=2)
    draw.text((450, 80), "图书馆开放通知", font=font(SERIF_BOLD, 46), fill="#1d2733", anchor="mm")
    lines = (
        "各位读者：",
        "自2026年12月1日起，阅览室开放时间调整为每日",
        "8:30 至 21:00，借阅上限由5册增加到10册。",
        "The reading room opens at 8:30 a.m. every day.",
        "咨询电话：010-5550 1234    编号：TS-2026-0417",
    )
    for number, line in enumerate(lines):
        draw.text((70, 150 + 62 * number), line, font=font(SANS, 30), fill="#232a31")
    draw.text((830, 490), "城东图书馆", font=font(SERIF, 28), fill="#232a31", anchor="rm")
    return page


def _guilloche(draw: ImageDraw.ImageDraw, width: int, height: int, colour: str) -> None:
    from math import sin

    for start in range(-40, height + 40, 9):
        points = [(x, start + 9 * sin(x / 34 + start / 21)) for x in range(0, width, 6)]
        draw.line(points, fill=colour, width=1)


def idcard() -> Image.Image:
    """The portrait side of an ID card, lying on a table."""
    card = Image.new("RGB", (1000, 630), "#e9f1f6")
    draw = ImageDraw.Draw(card)
    _guilloche(draw, 1000, 630, "#d4e4ee")
    label, value = font(SANS, 30), font(SANS, 36)
    blue, ink = "#3b6fa0", "#20252b"
    for x, y, name, text in (
        (70, 70, "姓名", "林知远"),
        (70, 150, "性别", "女"),
        (320, 150, "民族", "汉"),
    ):
        draw.text((x, y), name, font=label, fill=blue)
        draw.text((x + 90, y - 4), text, font=value, fill=ink)
    draw.text((70, 228), "出生", font=label, fill=blue)
    for x, text, colour in (
        (160, "1992", ink),
        (262, "年", blue),
        (320, "8", ink),
        (362, "月", blue),
        (420, "16", ink),
        (482, "日", blue),
    ):
        draw.text((x, 226), text, font=font(SANS, 34), fill=colour)
    draw.text((70, 308), "住址", font=label, fill=blue)
    draw.text((160, 304), "浙江省杭州市西湖区青禾路", font=value, fill=ink)
    draw.text((160, 354), "27号3幢502室", font=value, fill=ink)
    draw.text((70, 530), "公民身份号码", font=label, fill=blue)
    draw.text((320, 522), _with_check("33010619920816002"), font=font(SANS, 44), fill=ink)
    draw.rounded_rectangle((680, 80, 930, 420), 18, fill="#dfe6ea")
    draw.ellipse((755, 130, 855, 245), fill="#b9c2c8")
    draw.pieslice((705, 250, 905, 480), 180, 360, fill="#b9c2c8")
    background = Image.new("RGB", (1200, 800), "#8a7358")
    background.paste(card, (100, 85))
    return background.rotate(-1.5, resample=Image.Resampling.BICUBIC, fillcolor="#8a7358")


def _with_check(first17: str) -> str:
    """The 18-digit number with its ISO 7064 MOD 11-2 check character."""
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(first17))
    return first17 + "10X98765432"[total % 11]


def plate() -> Image.Image:
    """The rear of a car with a blue plate."""
    scene = Image.new("RGB", (1280, 860), "#aab4bb")
    draw = ImageDraw.Draw(scene)
    draw.rectangle((0, 620, 1280, 860), fill="#5d6063")
    draw.rounded_rectangle((250, 170, 1030, 700), 70, fill="#7d1f24")
    draw.rounded_rectangle((340, 210, 940, 370), 40, fill="#27333c")
    for x in (280, 900):
        draw.rounded_rectangle((x, 420, x + 100, 500), 20, fill="#d9483b")
    draw.rounded_rectangle((250, 620, 1030, 710), 30, fill="#2a2c2f")
    for x in (300, 860):
        draw.rounded_rectangle((x, 690, x + 120, 790), 20, fill="#17181a")
    board = Image.new("RGB", (440, 140), "#1349a4")
    pen = ImageDraw.Draw(board)
    pen.rounded_rectangle((5, 5, 434, 134), 12, outline="white", width=3)
    x = 15.5
    for number, glyph in enumerate("浙A8K26P"):
        face = Image.new("L", (120, 120), 0)
        ImageDraw.Draw(face).text((60, 60), glyph, font=font(BOLD, 84), fill=255, anchor="mm")
        board.paste("white", (round(x), 25), face.crop(face.getbbox()).resize((45, 90)))
        x += 45 + (34 if number == 1 else 12)
    pen.ellipse((128, 65, 138, 75), fill="white")
    scene.paste(board.resize((330, 105), Image.Resampling.LANCZOS), (475, 520))
    return scene.filter(ImageFilter.GaussianBlur(0.8))


def licence() -> Image.Image:
    """A business licence in the one-column layout used since 2015."""
    page = Image.new("RGB", (1000, 1380), "#fdfcf6")
    draw = ImageDraw.Draw(page)
    _guilloche(draw, 1000, 1380, "#f2ecd8")
    draw.rectangle((40, 40, 960, 1340), outline="#b08d3c", width=6)
    draw.rectangle((54, 54, 946, 1326), outline="#b08d3c", width=2)
    draw.text((500, 250), "营 业 执 照", font=font(SERIF_BOLD, 84), fill="#2b2b2b", anchor="mm")
    draw.text(
        (500, 350),
        "统一社会信用代码  " + _with_credit_check("91330106MA2H1K7Q8"),
        font=font(SANS, 30),
        fill="#2b2b2b",
        anchor="mm",
    )
    rows = (
        ("名    称", "杭州青禾软件有限公司"),
        ("类    型", "有限责任公司(自然人投资或控股)"),
        ("住    所", "浙江省杭州市西湖区青禾路27号3幢"),
        ("法定代表人", "林知远"),
        ("注册资本", "伍佰万元整"),
        ("成立日期", "2019年05月21日"),
        ("营业期限", "2019年05月21日至2039年05月20日"),
        ("经营范围", "软件开发；信息系统集成服务；数据处理服务。"),
    )
    for number, (name, text) in enumerate(rows):
        y = 450 + 74 * number
        draw.text((110, y), name, font=font(SERIF_BOLD, 30), fill="#2b2b2b")
        draw.text((310, y), text, font=font(SERIF, 30), fill="#2b2b2b")
    draw.text((610, 1130), "登记机关", font=font(SERIF_BOLD, 32), fill="#2b2b2b")
    draw.text((610, 1210), "2019年05月21日", font=font(SERIF, 30), fill="#2b2b2b")
    return page


def _with_credit_check(first17: str) -> str:
    """The 18-character credit code with its GB 32100 check character."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(alphabet.index(c) * (3**place % 31) for place, c in enumerate(first17))
    return first17 + alphabet[(31 - total % 31) % 31]


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for draw in (general, idcard, plate, licence):
        draw().save(OUT / f"{draw.__name__}.jpg", quality=88)
        print(OUT / f"{draw.__name__}.jpg")


if __name__ == "__main__":
    main()
