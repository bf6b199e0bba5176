"""A page in headless Chromium: what its console says, what it looks like, and what axe finds."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Debian's packages chromium and chromium-driver"
)
SWITCHES = (
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "disable-dev-shm-usage",
    "allow-file-access-from-files",
)


@contextmanager
def browser(width: int = 1280, height: int = 900, dark: bool = False) -> Iterator:
    """A Selenium driver for Debian's Chromium, which reaches no network.

    Args:
        width, height: of the window, in CSS pixels.
        dark: whether the reader prefers a dark page.
    """
    from selenium import webdriver

    with tempfile.TemporaryDirectory(prefix="twin-chromium-") as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for switch in (*SWITCHES, f"user-data-dir={profile}", f"window-size={width},{height}"):
            options.add_argument(f"--{switch}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
        driver.set_script_timeout(600)  # half a minute is not enough on a machine that does much else
        try:
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)  # a window cannot be a phone's
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            yield driver
        finally:
            driver.quit()


def complaints(driver) -> list[str]:
    """What the page's console says of warnings and errors."""
    return [each["message"] for each in driver.get_log("browser") if each["level"] in ("WARNING", "SEVERE")]


def violations(driver, impacts=("serious", "critical")) -> list[str]:
    """What axe finds on the open page: the rule, and the first element that breaks it."""
    from axe_core_python.selenium import Axe

    found = Axe().run(driver, options={"resultTypes": ["violations"]})["violations"]  # in half the time
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found if each["impact"] in impacts]


def overflow(driver) -> int:
    """By how many pixels the page is wider than the window; a phone's would widen `innerWidth` to show all of it."""
    return driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")


def screenshot(driver, file: Path) -> Path:
    """The whole page as a picture."""
    height = driver.execute_script("return document.documentElement.scrollHeight")
    width = driver.execute_script("return window.innerWidth")
    metrics = {"width": width, "height": min(height, 12_000), "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.save_screenshot(str(file))
    return file
