"""Pascal VOC folders: pictures, an XML file for each that describes its objects, and lists that name a part.

    VOC2012/JPEGImages/2007_000027.jpg   VOC2012/Annotations/2007_000027.xml   VOC2012/ImageSets/Main/trainval.txt

Everingham et al., "The PASCAL visual object classes (VOC) challenge" (2010). Pixels are counted from 1, and the last
one belongs to its box. Objects marked `difficult` are left out, as the challenge does not count them.
"""

from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from twin.data import Dataset
from twin.data.annotated import Picture, dataset, inside
from twin.errors import TwinError

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
MOST = 4 * 2**20  # bytes of an XML file; those of the challenge have a few KiB
EXPECTED = "an `annotation` as the VOC challenge writes it"


def load(
    root: str,
    part: str = "trainval",
    size: int = 224,
    only: tuple[str, ...] = CLASSES,
    most: int | None = None,
    count: int | None = None,
    test_share: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Pictures `x` (N, size, size, 3) with `boxes` and `classes`, as twin.data.annotated says.

    Args:
        root: the folder of one year, such as VOC2012.
        part: a list in ImageSets/Main without its `.txt`; where there is no such list, all that Annotations holds.
        size: height and width that each picture is resized to.
        only: names of the classes that are taken, in this order; all of the challenge's by default.
        most, count, test_share, seed: as twin.data.annotated.dataset has them.

    Raises:
        TwinError: for files that are missing or damaged.
    """
    folder = Path(root)
    pictures = [read(path, folder / "JPEGImages", only) for path in _listed(folder, part)]
    return dataset(folder, pictures, only, size, most, False, count, test_share, seed)


def read(path: Path, folder: Path, only: tuple[str, ...] = CLASSES) -> Picture:
    """A picture as its XML file describes it.

    Args:
        path: the file.
        folder: of the pictures.
        only: names of the classes that are taken.

    Raises:
        TwinError: one line that says what is wrong with it.
    """
    tree = _tree(path)
    width, height = (_number(tree, f"size/{side}", path) for side in ("width", "height"))
    if min(width, height) < 1 or width % 1 or height % 1:
        raise TwinError(f"{path}: the size is {width:g}x{height:g}; expected whole pixels")
    picture = Picture(inside(folder, tree.findtext("filename", "").strip(), path), int(width), int(height))
    for number, each in enumerate(tree.iterfind("object"), start=1):
        name = each.findtext("name", "").strip()
        if name not in CLASSES and name not in only:
            known = ", ".join(dict.fromkeys((*only, *CLASSES)))
            raise TwinError(f"{path}, object {number}: is called {name[:80]!r}; expected one of {known}")
        if name not in only or each.findtext("difficult", "0").strip() == "1":
            continue
        left, top, right, bottom = (_number(each, f"bndbox/{side}", path) for side in ("xmin", "ymin", "xmax", "ymax"))
        picture.boxes.append((left - 1, top - 1, right, bottom))
        picture.classes.append(only.index(name))
        picture.about.append(f"{path}, object {number}")
    return picture


def _listed(root: Path, part: str) -> list[Path]:
    """The XML files of a part."""
    described, chosen = root / "Annotations", root / "ImageSets" / "Main" / f"{part}.txt"
    if not described.is_dir():
        raise TwinError(f"{described}: no such folder; expected one with an XML file for each picture")
    if not chosen.parent.is_dir():
        return sorted(described.glob("*.xml"))
    try:
        names = chosen.read_text(encoding="utf-8").split()
    except (OSError, UnicodeError) as error:
        parts = ", ".join(sorted(path.stem for path in chosen.parent.glob("*.txt")))[:200]
        raise TwinError(f"cannot read {chosen}; expected a part that is there: {parts or 'none is'}") from error
    return [inside(described, f"{name}.xml", chosen) for name in names]


def _tree(path: Path) -> ElementTree.Element:
    """The root of an XML file that declares no entities: a few of them may stand for gigabytes, or for other files."""
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise ValueError("it declares a document type, which the challenge's files do not")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        with path.open("rb") as file:
            content = file.read(MOST + 1)
        if len(content) > MOST:
            raise ValueError(f"it is larger than {MOST >> 20} MiB")
        parser.Parse(content, True)
        return builder.close()
    except (OSError, ValueError, LookupError, expat.ExpatError) as error:
        words = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise TwinError(f"cannot read {path}: {words}; expected {EXPECTED}") from error


def _number(entry: ElementTree.Element, name: str, path: Path) -> float:
    words = entry.findtext(name, "").strip()
    try:
        return float(words)
    except ValueError:
        raise TwinError(f"{path}: {name} is {words[:80]!r}; expected a number") from None
