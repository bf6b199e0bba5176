"""`twin availability`: counted from files, dated, and the page is as the installed libraries have it."""

import datetime
import re
import zipfile

import pytest

from compare.reading import availability
from compare.reading.availability import ARCHITECTURES, LIBRARIES, Shipped
from twin.errors import TwinError
from twin.paths import ROOT

PAGE = (ROOT / "docs" / "availability.md").read_text()


def columns():
    """Library -> its version on the page, and its cell for each architecture."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line[:1] == "|"]
    heads, _, *rows = lines
    return {
        head.rpartition(" ")[0]: (head.rpartition(" ")[2], {row[0]: row[at] for row in rows})
        for at, head in enumerate(heads)
        if at >= 2
    }


@pytest.mark.docs
def test_the_page_has_what_the_installed_libraries_ship():
    found = availability.shipped([])
    assert found
    written = columns()
    for each in [each for each in found if written[each.library.name][0] == each.version]:
        names, cells = [a.name for a in ARCHITECTURES], [row[2] for row in availability.rows([each])]
        assert written[each.library.name][1] == dict(zip(names, cells, strict=True)), "run: twin availability --md"


@pytest.mark.docs
def test_the_page_is_of_the_versions_that_the_project_installs():
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    written = columns()
    for library in LIBRARIES:
        if library.distribution in pins:
            assert written[library.name][0] == pins[library.distribution], "stale; run: twin availability --md"


@pytest.mark.docs
def test_the_page_has_every_library_a_date_and_every_architecture():
    assert list(columns()) == [library.name for library in LIBRARIES]
    assert datetime.date.fromisoformat(re.search(r"Read on (\S+)", PAGE)[1])
    for architecture in ARCHITECTURES:
        assert f"| {architecture.name} " in PAGE


SOURCES = {
    "keras.applications": {
        "keras/src/applications/vgg16.py": "@keras_export(['keras.applications.VGG16'])\n"
        "def VGG16(weights='imagenet'):\n    pass\n\n\n@keras_export('x')\ndef preprocess_input(x):\n    pass\n"
    },
    "keras_hub": {"keras_hub/src/models/vgg/vgg_presets.py": "backbone_presets = {'vgg_16_imagenet': {'params': 1}}\n"},
    "transformers": {"transformers/models/vgg/modeling_vgg.py": "class VGGModel:\n    pass\n"},
    "timm": {
        "timm/models/vgg.py": "cfgs = {'vgg16.tv_in1k': 1, 'vgg16.bn_in1k': 2}\n\n\n"
        "@register_model\ndef vgg16(pretrained=False):\n    pass\n"
    },
    "torchvision": {
        "torchvision/models/vgg.py": "class VGG16_Weights(WeightsEnum):\n    A = Weights(url='a')\n"
        "    B = Weights(url='b')\n    DEFAULT = A\n\n\n@register_model()\ndef vgg16():\n    pass\n"
    },
}
WEIGHTS = {"keras.applications": 1, "keras_hub": 1, "transformers": 0, "timm": 2, "torchvision": 2}


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_variants_and_weights_are_counted_in_a_wheel(library, tmp_path):
    wheel = tmp_path / f"{library.distribution.replace('-', '_')}-9.9-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in SOURCES[library.name].items():
            assert re.fullmatch(library.files, path)
            archive.writestr(path, text)
    (found,) = [each for each in availability.shipped([wheel]) if each.library is library]
    assert found.version == "9.9"
    assert found.of("^vgg") == (1, WEIGHTS[library.name])


def test_what_no_library_has_is_a_dash_and_what_is_not_installed_has_no_column():
    one = Shipped(LIBRARIES[0], "1.0", {"VGG16": 1})
    rows = {row[0]: row[2:] for row in availability.rows([one])}
    assert rows["VGG"] == ["1 / 1"]
    assert rows["YOLO"] == ["-"]
    page = availability.markdown([one], datetime.date(2026, 11, 26))
    assert "Not read: keras_hub, transformers, timm, torchvision." in page


@pytest.mark.parametrize("name", ["numpy-2.0-py3-none-any.whl", "timm-1.0-py3-none-any.whl"])
def test_another_file_than_a_wheel_is_refused_in_one_line(name, tmp_path):
    (tmp_path / name).write_text("no zip")
    with pytest.raises(TwinError, match="expected a wheel"):
        availability.shipped([tmp_path / name])
