"""Every odd image of the bad-input list: it is read as a viewer shows it, or refused by a sentence naming the file."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from utils import images
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.model_utils.guards.pixel_limit import DEFAULT_MEGAPIXELS, set_most_megapixels

EXIF_ROTATED_RIGHT = 6  # the camera was turned: a viewer turns the picture by 90 degrees clockwise


def picture(height: int = 8, width: int = 12) -> np.ndarray:
    """Red left half, blue right half."""
    array = np.zeros((height, width, 3), np.uint8)
    array[:, : width // 2, 0] = 255
    array[:, width // 2 :, 2] = 255
    return array


def encoded(image: Image.Image, file_format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def rotated_jpeg(orientation: int = EXIF_ROTATED_RIGHT) -> bytes:
    exif = Image.Exif()
    exif[images.EXIF_ORIENTATION] = orientation
    return encoded(Image.fromarray(picture()), "JPEG", exif=exif, quality=95, subsampling=0)


def decoded(image: Image.Image, file_format: str = "PNG") -> np.ndarray:
    result = images.decode_image(encoded(image, file_format), "x")
    assert result.dtype == np.uint8
    assert result.shape == (image.height, image.width, 3)
    return result


def test_png_round_trip_is_exact():
    array = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    assert np.array_equal(images.decode_image(images.encode_png(array), "x"), array)


def test_jpeg_round_trip_is_close():
    assert np.abs(images.decode_image(images.encode_jpeg(picture()), "x").astype(int) - picture()).max() < 40


def test_greyscale_is_repeated_over_channels():
    assert (decoded(Image.fromarray(np.full((3, 4), 77, np.uint8))) == 77).all()


def test_one_bit_becomes_black_and_white():
    assert set(np.unique(decoded(Image.fromarray(np.eye(4, dtype=bool))))) == {0, 255}


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_dropped_and_the_colour_stays(mode):
    image = Image.fromarray(np.full((3, 4, 3), 90, np.uint8)).convert(mode)
    image.putalpha(10)
    assert (decoded(image) == 90).all()


def test_palette_is_looked_up():
    assert np.array_equal(decoded(Image.fromarray(picture()).convert("P")), picture())


def test_cmyk_jpeg_is_converted():
    """No ink is white; Pillow's formula for full cyan is red 0."""
    white, cyan = Image.new("CMYK", (4, 4), (0, 0, 0, 0)), Image.new("CMYK", (4, 4), (255, 0, 0, 0))
    assert (decoded(white, "JPEG") >= 254).all()
    assert decoded(cyan, "JPEG")[0, 0, 0] <= 2


def test_sixteen_bits_are_scaled_to_eight():
    """65535 is 255, 0 is 0, 257 * 100 = 25700 is 100."""
    values = np.array([[0, 65535, 25700]], np.uint16)
    assert decoded(Image.fromarray(values))[0, :, 1].tolist() == [0, 255, 100]


@pytest.mark.parametrize(("highest", "level"), [(4095, 16), (255, 1), (4096, 16), (0, 0)])
def test_twelve_bits_in_sixteen_are_said_once(highest, level, caplog):
    """4095 / 257 is 15.9 of 255: such a picture is nearly black. One without light, or above 12 bits, is meant so."""
    images._faint_images().clear()
    values = np.array([[0, highest]], np.uint16)
    for name in ("first.png", "second.png"):
        assert images.decode_image(encoded(Image.fromarray(values)), name)[0, 1].tolist() == [level] * 3
    said = [message for message in caplog.messages if "16 bits" in message]
    assert len(said) == (0 < highest < 4096)
    if said:
        assert said[0].startswith(f"image 'first.png' has 16 bits and no value above {highest}, so that it is nearly ")
        assert f"(0 to {level} of 255)" in said[0]


def test_of_several_pictures_in_a_file_the_first_is_read_and_that_is_said_once(tmp_path, caplog):
    first, second = Image.new("RGB", (8, 6), (10, 20, 30)), Image.new("RGB", (8, 6), (200, 0, 0))
    images._files_of_several.cache_clear()
    for name in ("pages.tif", "more.tif"):
        first.save(tmp_path / name, save_all=True, append_images=[second])
        assert images.read_image(tmp_path / name)[0, 0].tolist() == [10, 20, 30]
    (line,) = caplog.messages
    assert line.startswith(f"image '{tmp_path / 'pages.tif'}' has 2 pictures, of which the first is read")


def test_float_pixels_have_no_defined_range():
    data = encoded(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF")
    with pytest.raises(BadValueError, match="'depth.tif' has pixels of mode 'F', whose range is not defined; save it"):
        images.decode_image(data, "depth.tif")


def test_one_pixel():
    assert decoded(Image.new("RGB", (1, 1), (1, 2, 3))).tolist() == [[[1, 2, 3]]]


def test_wrong_extension_does_not_matter(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(images.encode_png(picture()))
    assert np.array_equal(images.read_image(path), picture())


def test_spaces_and_non_ascii_in_paths(tmp_path):
    path = tmp_path / "Bilder für 你" / "a b 'c'.png"
    images.write_image(path, picture())
    assert np.array_equal(images.read_image(path), picture())
    assert [each.name for each in path.parent.iterdir()] == [path.name]  # no temporary file stays


def test_exif_rotation_is_applied_without_annotation():
    """Turned clockwise, the red left half is on top."""
    result = images.decode_image(rotated_jpeg(), "x")
    assert result.shape == (12, 8, 3)
    assert result[1, 4, 0] > 200
    assert result[10, 4, 2] > 200


def test_exif_rotation_follows_the_annotated_size():
    assert images.decode_image(rotated_jpeg(), "x", expected_size=(12, 8)).shape == (12, 8, 3)
    assert images.decode_image(rotated_jpeg(), "x", expected_size=(8, 12)).shape == (8, 12, 3)


def test_header_tells_size_as_viewed_and_kind():
    header = images.read_header(rotated_jpeg(), "x")
    assert (header.height, header.width, header.is_rotated, header.is_ordinary) == (12, 8, True, False)
    assert images.read_header(images.encode_jpeg(picture()), "x").is_ordinary
    assert images.read_header(images.encode_png(picture()), "x").is_ordinary
    assert not images.read_header(encoded(Image.fromarray(picture()).convert("P")), "x").is_ordinary
    assert not images.read_header(encoded(Image.fromarray(np.zeros((2, 2), np.uint16))), "x").is_ordinary


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_header_tells_the_size_that_reading_gives(tmp_path, orientation):
    """Without decoding: the pixels may be damaged."""
    path = tmp_path / "a b.jpg"
    path.write_bytes(rotated_jpeg(orientation))
    size = images.read_image(path).shape[:2]
    assert images.read_size(path) == size
    assert (size[0] > size[1]) == (orientation in (6, 8))
    path.write_bytes(rotated_jpeg(orientation)[:-10])
    assert images.read_size(path) == size


@pytest.mark.parametrize("content", [b"", b"no picture", rotated_jpeg()[:30]])
def test_a_file_without_a_header_has_no_size(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    assert images.read_size(tmp_path / "a.jpg") is None
    assert images.read_size(tmp_path / "none.jpg") is None
    assert images.read_size(tmp_path) is None


def test_fast_decoder_gives_the_same_pixels(shared_data):
    paths = sorted((shared_data / "coco_subset" / "train2017").glob("*.jpg"))[:5]
    for path in paths:
        data = path.read_bytes()
        assert np.array_equal(images.decode_ordinary(data, "x"), images.decode_image(data, "x"))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", r"'photo\.jpg' is empty \(0 bytes\); replace the file"),
        (
            b"GIF, says the file, but no",
            r"'photo\.jpg' is not an image of a known format .* its first bytes are b'GIF, say",
        ),
        (images.encode_jpeg(np.zeros((64, 64, 3), np.uint8))[:-100], r"'photo\.jpg' is truncated or damaged"),
        (
            images.encode_png(np.arange(30000, dtype=np.uint16).astype(np.uint8).reshape(100, 100, 3))[:-60],
            r"'photo\.jpg' is truncated or damaged",
        ),
        (images.encode_jpeg(np.zeros((64, 64, 3), np.uint8))[:30], r"'photo\.jpg' (is|has)"),
    ],
    ids=["empty", "not an image", "truncated JPEG", "truncated PNG", "only a header"],
)
def test_unreadable_images_get_a_sentence(data, sentence):
    with pytest.raises(BadValueError, match=sentence):
        images.decode_image(data, "photo.jpg")


@pytest.fixture
def small_limit():
    """10,000 pixels are decoded at most."""
    set_most_megapixels(0.01)
    yield
    set_most_megapixels(DEFAULT_MEGAPIXELS)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000"])
@pytest.mark.usefixtures("small_limit")
def test_the_header_refuses_a_picture_above_the_limit(monkeypatch, file_format):
    at_limit, above = (encoded(Image.new("L", size), file_format) for size in ((100, 100), (101, 100)))
    assert images.decode_image(at_limit, "map").shape == (100, 100, 3)
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("decodes"))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("decodes"))
    sentence = r"image 'map' has 101 x 100 pixels, at most 0\.01 million are decoded; cut it .* --max_image_megapixels"
    for read in (images.decode_image, images.read_header):
        with pytest.raises(BadValueError, match=sentence):
            read(above, "map")


def tiled_tiff(size: int, tile: tuple[int, int]) -> bytes:
    """Returns a square grey TIFF in one tile of (width, height)."""
    content = zlib.compress(bytes(tile[0] * tile[1]))
    numbers = {256: size, 257: size, 258: 8, 259: 8, 262: 1, 277: 1, 322: tile[0], 323: tile[1], 324: 8}
    numbers[325] = len(content)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in numbers.items())
    return struct.pack("<4sI", b"II*\0", 8 + len(content)) + content + struct.pack("<H", 10) + entries + bytes(4)


@pytest.mark.usefixtures("small_limit")
def test_a_tile_above_the_limit_is_refused_however_small_the_picture(monkeypatch):
    assert images.decode_image(tiled_tiff(16, (112, 80)), "map").shape == (16, 16, 3)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("decodes"))
    with pytest.raises(BadValueError, match=r"a tile of image 'map' has 112 x 96 pixels, at most 0\.01 million"):
        images.decode_image(tiled_tiff(16, (112, 96)), "map")


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
@pytest.mark.usefixtures("small_limit")
def test_the_fast_decoder_looks_at_the_header_first(monkeypatch, file_format):
    at_limit, above = (encoded(Image.new("L", size), file_format) for size in ((100, 100), (101, 100)))
    assert images.decode_ordinary(at_limit, "row").shape == (100, 100, 3)
    monkeypatch.setattr(images.cv2, "imdecode", lambda *arguments: pytest.fail("decodes"))
    with pytest.raises(BadValueError, match=r"image 'row' has 101 x 100 pixels, at most 0\.01 million"):
        images.decode_ordinary(above, "row")


@pytest.mark.parametrize("data", [b"", b"not an image"])
def test_fast_decoder_refuses_damage(data):
    with pytest.raises(BadValueError, match=r"'row 3' of the MindRecord files cannot be decoded"):
        images.decode_ordinary(data, "row 3")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_bytes_never_raise_anything_else():
    rng = np.random.default_rng(0)
    sources = [
        rotated_jpeg(),
        images.encode_png(picture()),
        encoded(Image.fromarray(picture()), "TIFF"),
        encoded(Image.fromarray(picture()), "GIF"),
        encoded(Image.fromarray(picture()), "BMP"),
        encoded(Image.fromarray(picture()), "WEBP"),
    ]
    refused = 0
    for index in range(1200):
        damaged = bytearray(sources[index % len(sources)])
        for place in rng.integers(0, len(damaged), rng.integers(1, 20)):
            damaged[place] = rng.integers(0, 256)
        try:
            images.read_header(bytes(damaged), "x")
            images.decode_image(bytes(damaged), "x")
        except BadValueError:
            refused += 1
    assert 0 < refused < 1200


def test_missing_files_and_folders_get_a_sentence(tmp_path):
    with pytest.raises(MissingPathError, match=r"image '.*nothing\.jpg' does not exist"):
        images.read_image(tmp_path / "nothing.jpg")
    with pytest.raises(MissingPathError, match="is a folder where an image file is wanted"):
        images.read_image(tmp_path)


def test_writing_refuses_other_suffixes_and_bad_folders(tmp_path):
    with pytest.raises(BadValueError, match=r"written as \.png, \.jpg or \.jpeg, got 'a\.tif'"):
        images.write_image(tmp_path / "a.tif", picture())
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadStateError, match="cannot be written"):
        images.write_image(tmp_path / "file" / "a.png", picture())
