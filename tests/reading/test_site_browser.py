"""The site in a browser."""

import pytest

from tests.helpers.browser import browser, complaints, needs_chromium, overflow, violations


def press(driver, *keys):
    from selenium.webdriver import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


def lit(driver):
    return driver.execute_script("return [...document.querySelectorAll('tr.lit td[data-n]')].map(cell => cell.id)")


@pytest.fixture(scope="module")
def light(folder):
    with browser(1280) as driver:
        yield driver


def go(driver, folder, page):
    driver.get((folder / page).as_uri())
    return driver


@needs_chromium
@pytest.mark.parametrize(
    "page", ["index.html", "lenet.html", "googlenet.html", "train_loop.html", "differences.html", "glossary.html"]
)
def test_a_page_has_no_complaint_and_is_not_too_wide(light, folder, page):
    go(light, folder, page)
    assert complaints(light) == []
    assert overflow(light) <= 0


@needs_chromium
@pytest.mark.parametrize("name", ["lenet", "train_loop", "augmentation"])
def test_lines_of_a_row_begin_at_the_same_height(light, folder, name):
    go(light, folder, f"{name}.html")
    rows = light.execute_script(
        "return [...document.querySelectorAll('table.code tbody tr')].map(row => [...row.cells].map(cell => {"
        "const box = cell.getBoundingClientRect(); return [box.top, box.bottom, box.left]}))"
    )
    assert len(rows) > 25
    for (top, bottom, left), (other_top, other_bottom, right) in rows:
        assert (top, bottom) == (other_top, other_bottom)
        assert left < right


@needs_chromium
@pytest.mark.parametrize("page", ["index.html", "lenet.html"])
def test_axe_finds_nothing_serious(light, folder, page):
    assert violations(go(light, folder, page)) == []


@needs_chromium
def test_a_line_under_the_mouse_lights_its_counterpart(light, folder):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    go(light, folder, "resnet_style.html")
    assert lit(light) == []
    cell = light.find_element(By.XPATH, "//td[starts-with(@id, 'k')][contains(., 'use_bias=False')]")
    ActionChains(light).move_to_element(cell).perform()
    found = lit(light)
    assert cell.get_attribute("id") in found
    words = " ".join(light.find_element(By.ID, each).text for each in found)
    assert "layers.Conv2D(" in words  # the whole statement
    assert "nn.Conv2d(" in words


@needs_chromium
def test_keys_go_through_the_lines_and_pages(light, folder):
    go(light, folder, "lenet.html")
    press(light, "j")
    first = lit(light)
    press(light, "j", "j", "j")
    fourth = lit(light)  # the class, below the decorator that Keras's side alone has
    press(light, "k")
    third = lit(light)
    assert len({tuple(first), tuple(third), tuple(fourth)}) == 3
    assert {each[0] for each in fourth} == {"k", "t"}
    outline = light.execute_script("return getComputedStyle(document.activeElement.cells[0]).boxShadow")
    assert outline != "none"
    press(light, "\ue014")  # the right arrow
    assert light.current_url.endswith("vgg_style.html")
    press(light, "\ue012")
    assert light.current_url.endswith("lenet.html")


@needs_chromium
def test_search_finds_twins_calls_and_differences(light, folder):
    from selenium.webdriver.common.by import By

    go(light, folder, "index.html")
    press(light, "/")
    for words, address in (
        ("vision transf", "vit.html"),
        ("ConvTranspose2d", "unet.html"),
        ("epsilon batchnorm", "#batchnorm_epsilon"),
    ):
        field = light.switch_to.active_element
        assert field.get_attribute("id") == "search"
        field.clear()
        field.send_keys(words)
        assert any(
            link.get_attribute("href").endswith(address) for link in light.find_elements(By.CSS_SELECTOR, "#found a")
        )
    press(light, "\ue007")
    assert "differences.html#" in light.current_url
    go(light, folder, "index.html")
    press(light, "/", "nothing of the kind")
    assert light.find_element(By.ID, "found").get_attribute("hidden")
    assert light.find_element(By.ID, "count").get_attribute("textContent") == "0 found"


@needs_chromium
def test_the_first_tab_skips_to_the_content(light, folder):
    go(light, folder, "lenet.html")
    press(light, "\ue004")
    assert light.switch_to.active_element.text == "Skip to the content"
    press(light, "\ue007")
    assert light.execute_script("return document.activeElement.id") == "content"


@needs_chromium
def test_a_dark_page_is_dark_and_axe_finds_nothing_serious(folder):
    with browser(1280, dark=True) as driver:
        go(driver, folder, "lenet.html")
        assert driver.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 30)"
        assert violations(driver) == []


@needs_chromium
def test_on_a_phone_keras_stands_above_pytorch_and_nothing_is_too_wide(folder):
    with browser(390) as driver:
        for page in ("index.html", "differences.html", "glossary.html", "train_loop.html", "lenet.html"):
            assert overflow(go(driver, folder, page)) <= 0, page
        boxes = driver.execute_script(
            "return ['k31', 't31'].map(id => {const box = document.getElementById(id).getBoundingClientRect();"
            "return [box.left, box.top, box.bottom]})"
        )
        (ours, _, bottom), (theirs, top, _) = boxes
        assert ours == theirs
        assert bottom <= top + 1
        same = "return getComputedStyle(document.querySelector('tr.same td.t')).display"
        assert driver.execute_script(same) == "none"  # a line that both have is read once
        assert complaints(driver) == []
