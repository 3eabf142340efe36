"""The classes and colours of known data sets' label pictures, and the words for no class; without NumPy.

Cityscapes' are those of cityscapesscripts. CamVid's are those of its label_colors.txt; its 32 names are put together to
the 11 classes that are usually trained (Brostow et al. 2009; Badrinarayanan et al. 2017, SegNet). Pascal VOC's follow
from the class number by the rule of its development kit (`voc_colour`).
"""

KNOWN_PALETTES = ("cityscapes", "camvid", "voc")
# Words for what is no class, in any case; those behind the first are what data sets write into their tables.
NO_CLASS_WORDS = ("ignore", "void", "unlabeled", "unlabelled")
NO_CLASS = NO_CLASS_WORDS[0]
VOC_BORDER = (224, 224, 192)  # drawn around objects, index 255
VOC_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
# The first colour of a class is that of its usual pictures.
CAMVID = {
    "sky": ((128, 128, 128),),
    "building": ((128, 0, 0), (192, 0, 128), (0, 128, 64), (64, 0, 64), (64, 192, 0)),  # archway, bridge, tunnel, wall
    "pole": ((192, 192, 128), (0, 0, 64)),  # traffic cone
    "road": ((128, 64, 128), (128, 0, 192), (192, 0, 64)),  # both kinds of lane markings
    "pavement": ((0, 0, 192), (64, 192, 128), (128, 128, 192)),  # parking block, road shoulder
    "tree": ((128, 128, 0), (192, 192, 0)),  # other vegetation
    "sign": ((192, 128, 128), (128, 128, 64), (0, 64, 64)),  # text, traffic light
    "fence": ((64, 64, 128),),
    "car": ((64, 0, 128), (64, 128, 192), (192, 128, 192), (192, 64, 128), (128, 64, 64)),  # truck, bus, train, other
    "pedestrian": ((64, 64, 0), (192, 128, 64), (64, 0, 192), (64, 128, 64)),  # child, cart, animal
    "bicyclist": ((0, 128, 192), (192, 0, 192)),  # motorcycle
    NO_CLASS: ((0, 0, 0),),
}
CAMVID_NAMES = tuple(name for name in CAMVID if name != NO_CLASS)


def palette_lines(name: str) -> list[str]:
    """Returns the lines RED GREEN BLUE NAME of a known palette, in the order of its classes."""
    if name == "cityscapes":
        return _cityscapes_lines()
    if name == "camvid":
        return [_line(colour, of) for of, colours in CAMVID.items() for colour in colours]
    voc = [_line(voc_colour(number), of) for number, of in enumerate(VOC_NAMES)]
    return [*voc, _line(VOC_BORDER, NO_CLASS)]


def voc_colour(number: int) -> tuple[int, int, int]:
    """Returns the colour of a number: its bits spread over the channels, each channel's most telling bit first."""
    red, green, blue = (
        sum(((number >> (3 * level + channel)) & 1) << (7 - level) for level in range(8)) for channel in range(3)
    )
    return red, green, blue


def _cityscapes_lines() -> list[str]:
    """Returns the lines of the 19 scored classes, then those of colours that stand for no class."""
    from cityscapesscripts.helpers.labels import labels  # here, as the help of all commands waits for this file

    scored = sorted((each for each in labels if 0 <= each.trainId < 255), key=lambda each: each.trainId)
    colours = {each.color: each.name for each in scored}  # a number plate has the colour of cars
    others = {each.color: NO_CLASS for each in labels if each.color not in colours}
    return [_line(colour, name) for colour, name in {**colours, **others}.items()]


def _line(colour: tuple[int, ...], name: str) -> str:
    return f"{colour[0]} {colour[1]} {colour[2]} {name}"
