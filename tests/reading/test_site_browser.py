"""The site in a browser."""

import pytest

from compare.reading import site
from tests.helpers.browser import browser, complaints, needs_chromium, overflow, violations
from twin.catalogue import TWINS
from twin.paths import ROOT

pytestmark = pytest.mark.slow


def press(driver, *keys):
    """Press keys once the page has been painted: Chromium drops what is pressed before."""
    from selenium.webdriver import ActionChains

    driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    ActionChains(driver).send_keys(*keys).perform()


def search(driver, *words):
    """Type into the field of the search, and wait for its answers: what it searches in is loaded first."""
    press(driver, "/", *words)
    driver.execute_script("return prepared()")


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


# A page of each kind. The page of differences is the longest: axe takes ten seconds for it, so it is seen once.
KINDS = ("index", "glossary", "lenet", "tensors")


@needs_chromium
@pytest.mark.parametrize(
    ("width", "dark", "language"),
    [(1280, False, ""), (1280, True, "ko/"), (390, True, ""), (390, False, "ko/")],
    ids=["wide", "wide-dark-korean", "phone-dark", "phone-korean"],
)
def test_axe_finds_nothing_serious_on_any_kind_of_page(folder, width, dark, language):
    with browser(width, dark=dark) as driver:
        for kind in KINDS:
            go(driver, folder, f"{language}{kind}.html")
            assert violations(driver) == [], kind
            assert overflow(driver) <= 0, kind
            assert complaints(driver) == [], kind


@needs_chromium
def test_the_page_of_exported_files_has_nothing_serious_on_a_phone(tmp_path):
    site.build(tmp_path, [ROOT / "docs" / "exports.json"], twins=[TWINS["mlp"]])
    with browser(390) as driver:
        go(driver, tmp_path, "ko/exports.html")
        assert violations(driver) == []
        assert overflow(driver) <= 0


@needs_chromium
@pytest.mark.long
@pytest.mark.parametrize("language", ["", "ko/"])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious_in_any_language_and_light(folder, width, dark, language):
    with browser(width, dark=dark) as driver:
        for kind in (*KINDS, "differences"):
            assert violations(go(driver, folder, f"{language}{kind}.html")) == [], kind


@needs_chromium
def test_the_longest_page_has_nothing_serious_either(light, folder):
    assert violations(go(light, folder, "ko/differences.html")) == []


@needs_chromium
def test_a_reader_changes_the_language_and_searches_in_korean(light, folder):
    from selenium.webdriver.common.by import By

    go(light, folder, "unet.html")
    light.find_element(By.CSS_SELECTOR, ".language a").click()
    assert light.current_url.endswith("/ko/unet.html")
    assert light.execute_script("return document.documentElement.lang") == "ko"
    search(light, "어텐션")
    found = [link.text for link in light.find_elements(By.CSS_SELECTOR, "#found a")]
    assert any("어텐션" in each for each in found)
    assert light.find_element(By.ID, "count").get_attribute("textContent").endswith("개 찾음")
    light.find_element(By.CSS_SELECTOR, ".language a").click()
    assert light.current_url.endswith("/unet.html")
    assert "/ko/" not in light.current_url


@needs_chromium
def test_commands_have_buttons_that_copy_them(light, folder):
    go(light, folder, "lenet.html")
    buttons = "return [...document.querySelectorAll('button.copy')].map(each => each.getAttribute('aria-label'))"
    assert "Copy: twin port lenet --to torch" in light.execute_script(buttons)


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


# What people type -> a part of an address that has to be among the first answers.
WORDS = {
    # of PyTorch
    "zero_grad": "glossary.html#fit",
    "nn.Linear": "glossary.html#dense",
    "Conv2d": "glossary.html#convolution",
    "BatchNorm2d": "#batchnorm_momentum",
    "state_dict": "glossary.html#weights",
    "DataLoader": "glossary.html#loader",
    "torch.no_grad": "glossary.html#predict",
    "requires_grad": "glossary.html#trainable",
    "backward": "glossary.html#gradient",
    "cuda": "glossary.html#device",
    "ConvTranspose2d": "unet.html",
    "MaxPool2d": "glossary.html#pooling",
    "cross_entropy": "glossary.html#loss",
    "nn.LSTM": "lstm",
    "nn.Embedding": "glossary.html#embedding",
    "MultiheadAttention": "#attention_",
    "clip_grad_norm_": "glossary.html#clipping",
    "optim.Adam": "#adam_epsilon",
    "nn.ModuleList": "glossary.html#",
    "register_forward_hook": "glossary.html#hook",
    # of Keras
    "BatchNormalization": "#batchnorm_epsilon",
    "GlobalAveragePooling2D": "lenet.html",
    "Dense": "glossary.html#dense",
    "model.fit": "glossary.html#fit",
    "compile": "glossary.html#compile",
    "GradientTape": "glossary.html#gradient",
    "PyDataset": "custom_dataset.html",
    "Conv2DTranspose": "unet.html",
    "LayerNormalization": "#layernorm_epsilon",
    "return_sequences": "glossary.html#recurrent",
    # Korean
    "합성곱": "glossary.html#convolution",
    "드롭아웃": "glossary.html#dropout",
    "역전파": "glossary.html#gradient",
    "임베딩": "glossary.html#embedding",
    "가중치를": "glossary.html#weights",  # with a particle
    # with a typing mistake
    "Conv2dd": "conv",
    "droput": "glossary.html#dropout",
    "resnt": "resnet.html",
    "batchnormalisation": "#batchnorm_epsilon",
    "atention": "attention.html",
    # what people also say
    "skip connection": "resnet.html",
    "learning rate": "schedules.html",
}


@needs_chromium
def test_search_answers_what_people_type(light, folder):
    go(light, folder, "index.html")
    found = light.execute_script(
        "const words = arguments[0];"
        "return prepared().then(() => words.map(word => matches(word).slice(0, 10).map(each => each.id)))",
        [*WORDS],
    )
    lost = {
        word: some for (word, address), some in zip(WORDS.items(), found, strict=True) if address not in " ".join(some)
    }
    assert lost == {}
    assert len(WORDS) >= 40


@needs_chromium
def test_search_finds_twins_calls_and_differences(light, folder):
    from selenium.webdriver.common.by import By

    go(light, folder, "index.html")
    search(light)
    for words, address in (
        ("vision transf", "vit.html"),
        ("ConvTranspose2d", "unet.html"),
        ("epsilon batchnorm", "#batchnorm_epsilon"),
    ):
        field = light.switch_to.active_element
        assert field.get_attribute("id") == "search"
        field.clear()
        field.send_keys(words)
        links = light.find_elements(By.CSS_SELECTOR, "#found a")
        assert any(link.get_attribute("href").endswith(address) for link in links)
    press(light, "\ue007")
    assert "differences.html#" in light.current_url
    go(light, folder, "index.html")
    search(light, "qqqzzzxxx")
    assert "Nothing is called so" in light.find_element(By.ID, "found").text
    assert light.find_element(By.ID, "count").get_attribute("textContent") == "0 found"


@needs_chromium
def test_pytorch_is_hidden_for_who_wants_to_try_first(light, folder):
    from selenium.webdriver.common.by import By

    go(light, folder, "lenet.html")
    seen = "return getComputedStyle(document.querySelector('#t40 > *')).visibility"
    press_hide = "document.getElementById('hide').click()"
    assert light.execute_script(seen) == "visible"
    light.execute_script(press_hide)
    assert light.execute_script(seen) == "hidden"
    cell = light.find_element(By.ID, "t40")
    light.execute_script("arguments[0].click()", cell)
    assert light.execute_script(seen) == "visible"
    light.execute_script(press_hide)
    assert "try" not in light.find_element(By.CSS_SELECTOR, "table.code").get_attribute("class")


@needs_chromium
def test_what_a_reader_has_written_is_kept(light, folder):
    from selenium.webdriver.common.by import By

    go(light, folder, "lenet.html")
    light.execute_script("document.getElementById('done').click()")
    go(light, folder, "index.html")
    written = [each.get_attribute("data-twin") for each in light.find_elements(By.CSS_SELECTOR, ".card.written")]
    assert written == ["lenet"]


@needs_chromium
def test_the_first_tab_skips_to_the_content(light, folder):
    go(light, folder, "lenet.html")
    press(light, "\ue004")
    assert light.switch_to.active_element.text == "Skip to the content"
    press(light, "\ue007")
    assert light.execute_script("return document.activeElement.id") == "content"


@needs_chromium
def test_a_dark_page_is_dark(folder):
    with browser(1280, dark=True) as driver:
        go(driver, folder, "lenet.html")
        assert driver.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 30)"


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
        cells = (
            "return [...document.querySelector('.calls tbody tr').cells].map(cell => cell.getBoundingClientRect().left)"
        )
        assert len(set(driver.execute_script(cells))) == 1  # the cells of a call stand below each other
        assert complaints(driver) == []


@needs_chromium
def test_nothing_is_cut_off_on_paper(folder):
    with browser(718) as driver:  # what A4 leaves between its margins
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        for page in ("lenet.html", "resnet_style.html", "ko/tensors.html", "glossary.html"):
            go(driver, folder, page)
            assert overflow(driver) <= 0, page
            hidden = "return [...document.querySelectorAll('button')].every(each => !each.offsetParent)"
            assert driver.execute_script(hidden), page
