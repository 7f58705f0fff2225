"""The report as a browser shows it: dark and light, on a desk, on a phone and in print; and its colours."""

import json
import re
import shutil
import subprocess
from html import escape
from importlib.resources import files
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import simmst as sm
from simmst.evaluation.coverage import coverage
from simmst.evaluation.evaluate import OURS
from simmst.evaluation.reliability import reliability
from simmst.reports.answer import answer
from simmst.reports.right import how_right, sentences
from simmst.reports.run import render

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")

# Says of a laid-out page what is where. It is put into a copy of the page.
PROBE = """<pre id="probe"></pre><script>
const root = document.documentElement, style = getComputedStyle(document.body);
const box = svg => { const r = svg.getBoundingClientRect(); return [r.left, r.right, r.width, r.height]; };
document.getElementById("probe").textContent = JSON.stringify({
  inner: root.clientWidth, scroll: root.scrollWidth, background: style.backgroundColor, ink: style.color,
  figures: [...document.querySelectorAll(".figures svg")].map(box),
  cells: [...document.querySelectorAll(".cell svg")].map(box), map: box(document.querySelector(".map svg")),
  sure: document.querySelector(".sure li").getBoundingClientRect().bottom,
  verdict: document.querySelector(".verdict").getBoundingClientRect().bottom,
  text: Math.min(...[...document.querySelectorAll("figure svg text")].map(t => t.getBoundingClientRect().height)),
});
</script>"""


def first_screen() -> dict:
    """Forecast of an invented town, as a run's page begins."""
    rng = np.random.default_rng(1)
    hour = np.arange(24 * 21)
    wave = (3 + 2 * np.sin(2 * np.pi * hour / 24))[:, None, None] * np.exp(rng.normal(0, 0.6, (70, 2)))
    data = sm.TrafficData(
        (wave * np.exp(rng.normal(0, 0.15, wave.shape))).astype(np.float32),
        np.datetime64("2024-01-01T00:00", "m"), 60, ("4g_down", "users"),
        tuple(f"cell-{i}" for i in range(70)), rng.uniform(9, 9.2, (70, 2)),
        units="4g_down=MB, users=users", averaged=("users",),
    )  # fmt: skip
    network = sm.Selected().fit(data)
    judged = "18 forecasts of the last days", coverage(network.held_back), reliability(network.held_back)
    limits = np.quantile(data.values, 0.95, axis=0).astype(float)
    first = answer(network.predict(data), sentences(*judged), network.held_back, limits)
    return {"answer": first, "right": how_right(*judged)}


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    rng = np.random.default_rng(0)
    times = np.datetime64("2024-08-14T00:00") + np.arange(48) * np.timedelta64(60, "m")
    services = ("4g_down", "4g_up", "5g_down", "5g_up")

    def row(mae: float) -> dict:
        one = {"mae": mae, "rmse": 2 * mae, "wape": 0.1}
        return {"tasks": dict.fromkeys(services, one), "mean": one}

    lines = {name: rng.random(48) for name in ("truth", OURS, "ridge", "same hour yesterday")}
    rows = {"last value": row(31.0), "ridge": row(12.0), OURS: row(11.5)}
    html = render({
        "title": "Run on a town", "notices": ["The target is synthetic."], "units": "MB",
        **first_screen(),
        "facts": {"file": "a-rather-long-name-of-a-traffic-file-2024-08.npz", "seed": "0"},
        "horizons": {1: rows, 24: rows},
        "origins": {1: "96 forecast origins", 24: "73 of 80 forecast origins"},
        "forecast_note": "Issued at midnight.",
        "forecasts": [
            {"title": f"{name}: node 1", "units": "MB", "times": times, "lines": lines} for name in services
        ],
        "history": {"iteration": range(40), "upper": np.linspace(2, 1, 40), "gap": np.geomspace(1, 1e-5, 40),
                    "planes": np.minimum(np.arange(40) // 5, 4)},
        "epsilon": 1e-3, "weights": rng.random(300), "weights_note": "Worth it.",
        "world": np.repeat(np.arange(30), 10),
    })  # fmt: skip
    path = tmp_path_factory.mktemp("looks") / "report.html"
    path.write_text(html.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    return path


def browse(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    profile = page.parent / "profile"
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", *options]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def phone(page) -> Path:
    """The page in a frame: a browser's own window is never as narrow as a phone."""
    path = page.with_name("phone.html")
    inside = escape(page.read_text(encoding="utf-8"))
    path.write_text(
        '<!doctype html><meta charset="utf-8"><pre id="probe"></pre>'
        '<iframe width="390" height="6000" style="border:0" '
        "onload=\"document.getElementById('probe').textContent = "
        "this.contentDocument.getElementById('probe').textContent\" "
        f'srcdoc="{inside}"></iframe>',
        encoding="utf-8",
    )
    return path


@needs_browser
@pytest.mark.parametrize(
    ("which", "width", "scheme", "dark"),
    [("page", 1200, 1, False), ("page", 1200, 0, True), ("phone", 390, 1, False)],
    ids=["desk", "dark", "phone"],
)
def test_every_figure_is_visible_and_nothing_is_cut_off(request, which, width, scheme, dark):
    done = browse(
        request.getfixturevalue(which), "--window-size=1200,2000",
        f"--blink-settings=preferredColorScheme={scheme}", "--enable-logging=stderr", "--v=0", "--dump-dom",
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    found = json.loads(re.search(r'<pre id="probe">(.*?)</pre>', done.stdout)[1])
    assert found["scroll"] <= found["inner"] <= width, "the page is wider than the window"
    assert len(found["figures"]) == 4 + 3 + 2 + 2
    assert len(found["cells"]) == 120 and all(wide > 120 and high > 50 for _, _, wide, high in found["cells"])
    assert all(right <= found["inner"] + 1 for _, right, *_ in [*found["cells"], found["map"]])
    assert found["verdict"] < 600 and found["sure"] < 844, "the answer stands on the first screen"
    for left, right, wide, high in found["figures"]:
        assert 0 <= left < right <= found["inner"] + 1 and wide > 250 and high > 120
    assert found["text"] >= 8, "letters in figures are too small to read"
    background = sum(map(int, re.findall(r"\d+", found["background"])[:3]))
    assert (background < 200) == dark
    assert not dark or sum(map(int, re.findall(r"\d+", found["ink"])[:3])) > 600


SEARCH = """<pre id="searched"></pre><script>
const seen = wanted => {
  find.value = wanted;
  find.dispatchEvent(new Event("input"));
  const shown = all.filter(cell => !cell.hidden).length, lines = [...document.querySelectorAll("#lines li")];
  return [shown, lines.length, document.getElementById("found").textContent, lines.map(one => one.textContent)];
};
const name = rest[0].split(":")[0];
document.getElementById("searched").textContent = JSON.stringify({
  drawn: seen(all[0].querySelector(".name").textContent.toUpperCase()), line: seen(name), none: seen("nowhere"),
  figures: seen("%"), all: seen("cell-"), again: seen(""), name: name,
});
</script>"""


@needs_browser
def test_the_field_finds_every_cell_drawn_or_not(page):
    path = page.with_name("search.html")
    path.write_text(page.read_text(encoding="utf-8").replace("</body>", SEARCH + "</body>"), encoding="utf-8")
    done = browse(path, "--dump-dom")
    found = json.loads(re.search(r'<pre id="searched">(.*?)</pre>', done.stdout)[1])
    assert found["drawn"][:3] == [1, 0, "1 found"]
    assert found["line"][:3] == [0, 1, "1 found"] and found["line"][3][0].startswith(found["name"])
    assert found["none"][:3] == [0, 0, "0 found"] and found["figures"][:2] == [0, 0]
    assert found["all"][:3] == [120, 20, "140 found"] and found["again"][:3] == [120, 0, ""]


@needs_browser
def test_the_page_prints_with_all_its_parts(page):
    target = page.with_suffix(".pdf")
    browse(page, f"--print-to-pdf={target}", "--no-pdf-header-footer")
    assert target.read_bytes().startswith(b"%PDF")
    reader = shutil.which("pdftotext")
    if reader is not None:
        text = subprocess.run([reader, str(target), "-"], capture_output=True, text=True, timeout=60).stdout
        for words in ("Run on a town", "5g_up: node 1", "Mean weight of each world", "mean over services"):
            assert words in text


# How the colour-blind see linear RGB (Machado, Oliveira and Fernandes 2009, full severity).
BLIND = {
    "nobody": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
CSS = files("simmst.reports").joinpath("report.css").read_text(encoding="utf-8")
SCHEMES = dict(zip(("light", "dark", "print"), re.findall(r":root \{(.*?)\}", CSS, re.DOTALL), strict=True))


def linear(colour: str) -> np.ndarray:
    """Linear RGB of a colour as #rrggbb or #rgb."""
    digits = colour if len(colour) == 6 else "".join(2 * digit for digit in colour)
    value = np.array([int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Ratio of the luminances by the WCAG."""
    light, dark = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) + 0.05 for c in (one, other)), reverse=True)
    return light / dark


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB (D65)."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    f = np.cbrt(to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_and_lines_stand_out_from_the_page(scheme):
    colours = dict(re.findall(r"--(\w+): #(\w+)", SCHEMES[scheme]))
    for name, least in (("ink", 7.0), ("muted", 4.5), ("model", 3.0), ("ridge", 3.0), ("naive", 3.0)):
        assert contrast(colours[name], colours["page"]) >= least, name
    assert contrast(colours["ink"], colours["best"]) >= 7.0


@pytest.mark.parametrize("eyes", BLIND)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_lines_stay_apart_for_colour_blind_eyes(scheme, eyes):
    colours = dict(re.findall(r"--(\w+): #(\w+)", SCHEMES[scheme]))
    seen = {
        name: lab(np.asarray(BLIND[eyes]) @ linear(colours[name])) for name in ("ink", "model", "ridge", "naive")
    }
    for one, other in combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) >= 15, (one, other)
