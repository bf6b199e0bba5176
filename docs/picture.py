"""Makes docs/report.png, the README's picture: the part of a report's page from a twin's name to its table of speeds.

`python -m docs.picture PAGE`, or `make picture`.
"""

import base64
import io
import sys
from pathlib import Path

from PIL import Image

from tests.helpers.browser import browser

WIDTH, MARGIN = 1240, 4
PICTURE = Path(__file__).parent / "report.png"
# The ladder and the speeds of the first twin, in CSS pixels of the whole page.
PART = """
const twin = document.querySelector("section.twin");
twin.style.contentVisibility = "visible";
for (const each of document.querySelectorAll("button")) each.hidden = each.className.includes("copy");
const speed = [...twin.querySelectorAll(".scroll")].find((each) => each.ariaLabel.startsWith("Speed"));
const top = twin.querySelector("h2").getBoundingClientRect().top + scrollY;
return [top, speed.getBoundingClientRect().bottom + scrollY];
"""


def main(page: Path) -> None:
    with browser(WIDTH, 900) as driver:
        driver.get(page.resolve().as_uri())
        top, bottom = driver.execute_script(PART)
        clip = {"x": 0, "y": top, "width": WIDTH, "height": bottom - top + MARGIN, "scale": 1}
        found = driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    image = Image.open(io.BytesIO(base64.b64decode(found["data"]))).convert("RGB")
    few = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(PICTURE, optimize=True)
    print(f"{PICTURE}: {image.width} x {image.height}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
