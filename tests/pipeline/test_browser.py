"""The page of a finished run in a real browser, narrow to wide, light and dark."""

import html
import json
import re
import shutil
import subprocess

import pytest

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.skipif(not BROWSER, reason="no Chromium here: the page was opened by no browser"),
]

WIDTHS = (360, 768, 1440)
# Before all else: note what goes wrong. At the end: use every control, then measure.
FIRST = """<script>
const wrong = [];
addEventListener("error", (event) => wrong.push(event.message || event.target.tagName), true);
addEventListener("securitypolicyviolation", (event) => wrong.push(event.violatedDirective));
console.error = (...words) => wrong.push(words.join(" "));
</script>"""
LAST = """<script>
addEventListener("load", () => {
  const text = (row) => row.cells[0].textContent;
  const table = document.querySelector("#scores table.sortable");
  const rows = () => [...table.tBodies[0].rows];
  const before = rows().map(text);
  const orders = [];
  for (let click = 0; click < 2; click++) {
    table.tHead.rows[0].cells[1].querySelector("button").click();
    orders.push(rows().map((row) => parseFloat(row.cells[1].textContent)));
  }
  const input = table.closest(".box").querySelector("input");
  input.value = before[0];
  input.dispatchEvent(new Event("input"));
  const left = rows().filter((row) => !row.hidden).map(text);
  document.querySelectorAll("th button, details summary").forEach((part) => part.click());
  const wide = document.documentElement;
  parent.postMessage(JSON.stringify({
    wrong, orders, left, wanted: before[0],
    width: innerWidth, room: wide.clientWidth, content: wide.scrollWidth,
    back: getComputedStyle(document.body).backgroundColor,
    broken: [...document.images].filter((image) => !image.naturalWidth).length,
    unreachable: [...document.querySelectorAll(".scroll")].filter((b) => b.tabIndex < 0).length,
  }), "*");
});
</script></body>"""
OUTER = """<body><script>
addEventListener("message", (event) => {
  const found = document.createElement("pre");
  found.textContent = event.data;
  document.body.append(found);
});
</script>"""


def opened(folder, tmp_path, dark):
    """What the page says of itself in frames of several widths."""
    text = (folder / "results" / "report" / "index.html").read_text(encoding="utf-8")
    text = text.replace("<head>", f"<head>{FIRST}", 1).replace("</body>", LAST)
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    frames = "".join(
        f'<iframe src="page.html" style="width:{width}px;height:900px;border:0"></iframe>'
        for width in WIDTHS
    )
    (tmp_path / "outer.html").write_text(f"<!DOCTYPE html>{OUTER}{frames}", encoding="utf-8")
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1600,1000",
        "--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--virtual-time-budget=20000", "--dump-dom", (tmp_path / "outer.html").as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return [
        json.loads(html.unescape(found)) for found in re.findall("<pre>(.*?)</pre>", done.stdout)
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_works_at_every_width(finished, tmp_path, dark):
    found = opened(finished[0], tmp_path, dark)
    assert sorted(page["width"] for page in found) == list(WIDTHS)
    for page in found:
        assert page["wrong"] == [] and page["broken"] == 0 and page["unreachable"] == 0
        assert page["content"] <= page["room"]  # tables scroll in boxes of their own
        down, up = page["orders"]
        assert down == sorted(down, reverse=True) and up == sorted(up) and len(set(up)) > 1
        assert page["wanted"] in page["left"] and len(page["left"]) < len(up)
        light = sum(map(int, re.findall(r"\d+", page["back"])[:3])) > 3 * 128
        assert light != dark
