"""MindRecord files: what goes in comes out in the order asked for."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from utils.detection.data import mindrecord as mr
from utils.detection.data.mindrecord_info import read_mindrecord_info
from utils.detection.tests.mindrecord_sets import HEIGHT, PREFIX, WIDTH, names_in, read, replace_records, write
from utils.images import EXIF_ORIENTATION, decode_ordinary, encode_jpeg, encode_png, write_image


@pytest.mark.parametrize("shards", [1, 3, 12])
def test_rows_come_back_in_the_order_asked_for(dataset, folder, shards):
    info = write(dataset, folder, shards=shards)
    assert len(info.files) == shards
    assert info.image_ids.tolist() == [100 + index for index in range(23)]
    for num_loaders in (1, 2):
        order = np.random.default_rng(num_loaders).permutation(23)
        for index, row in zip(order, read(info, order, num_loaders=num_loaders), strict=True):
            record = dataset.records[index]
            assert row["image_id"] == record.image_id
            assert (decode_ordinary(row["image"], "x") == index).all()
            boxes, labels, is_crowd = mr.unpack_annotation(row["annotation"])
            assert boxes.tolist() == record.boxes.tolist()
            assert (labels.tolist(), is_crowd.tolist()) == (record.labels.tolist(), record.is_crowd.tolist())
            assert (boxes.dtype, labels.dtype, is_crowd.dtype) == (np.float32, np.int32, bool)
            assert (row["height"], row["width"], str(row["file_name"])) == (HEIGHT, WIDTH, record.file_path.name)


def test_a_part_and_a_repeated_index_can_be_read(dataset, folder):
    info = write(dataset, folder)
    assert [int(row["image_id"]) for row in read(info, [4, 2, 4], ["image_id"])] == [104, 102, 104]
    with pytest.raises(ValueError, match="no indices"):
        mr.open_mindrecord(info, [], ["image_id"])


def test_more_rows_than_there_are_images_come_in_the_order_asked_for(dataset, folder):
    info = write(dataset, folder, shards=3)
    order = [*range(23), 4, *reversed(range(23)), 0]
    assert [int(row["image_id"]) - 100 for row in read(info, order, ["image_id"], num_loaders=2)] == order


def test_one_image_in_more_shards_than_images(dataset, folder):
    info = write(dataclasses.replace(dataset, records=dataset.records[:1]), folder, shards=8)
    assert len(info.files) == 1
    assert int(read(info, [0])[0]["image_id"]) == 100


def test_facts_are_stored_inside(dataset, folder):
    write(dataset, folder, shards=2)
    info = read_mindrecord_info(folder, PREFIX)
    assert (info.num_images, info.class_names, info.category_ids) == (23, ("cat", "dog"), (3, 70))
    assert dict(info.box_counts) == {0: 8, 1: 8, 2: 7}  # 23 images with index % 3 boxes
    assert names_in(folder) == [f"{PREFIX}0", f"{PREFIX}0.db", f"{PREFIX}1", f"{PREFIX}1.db"]


def test_odd_images_are_stored_so_that_the_fast_decoder_reads_them(dataset, folder):
    photos = dataset.image_dir
    grey = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH)
    Image.fromarray(grey * 80).save(photos / "deep.png")
    Image.new("RGBA", (WIDTH, HEIGHT), (1, 2, 3, 4)).save(photos / "alpha.png")
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    Image.new("RGB", (HEIGHT, WIDTH), (9, 9, 9)).save(photos / "turned.jpg", exif=exif)  # a viewer shows HEIGHT x WIDTH
    records = {
        f"r{index}": dataclasses.replace(dataset.records[index], file_path=photos / name)
        for index, name in enumerate(["deep.png", "alpha.png", "turned.jpg"])
    }
    info = write(replace_records(dataset, **records), folder)
    deep, alpha, turned = (decode_ordinary(row["image"], "x") for row in read(info, [0, 1, 2]))
    assert np.array_equal(deep[..., 0], (grey.astype(np.uint32) * 80 + 128) // 257)
    assert (alpha == (1, 2, 3)).all()
    assert turned.shape == (HEIGHT, WIDTH, 3)


def test_images_that_are_taken_unturned_are_counted(dataset, folder, caplog):
    """Annotated at the stored size, 6 and 8 stay as they are, with a line; 3 turns by 180 degrees, 1 has nothing."""
    records = {}
    for index, orientation in enumerate((6, 8, 3, 1)):
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = orientation
        path = dataset.image_dir / f"turned{orientation}.png"
        Image.new("RGB", (WIDTH, HEIGHT), (9, 9, 9)).save(path, exif=exif)
        records[f"r{index}"] = dataclasses.replace(dataset.records[index], file_path=path)
    write(replace_records(dataset, **records), folder)
    (said,) = [message for message in caplog.messages if "EXIF" in message]
    assert said.startswith("2 of 23 images have an EXIF orientation that is not applied, first '")
    assert "turned6.png" in said


def test_ordinary_files_are_stored_byte_for_byte(dataset, folder):
    content = encode_jpeg(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    (dataset.image_dir / "plain.jpg").write_bytes(content)
    record = dataclasses.replace(dataset.records[5], file_path=dataset.image_dir / "plain.jpg")
    info = write(replace_records(dataset, r5=record), folder)
    assert read(info, [5])[0]["image"].tobytes() == content


def test_files_that_only_the_careful_decoder_reads_are_stored_anew(dataset, folder):
    """A PNG without its end marker has all its pixels; Pillow reads it and OpenCV need not."""
    content = encode_png(np.full((HEIGHT, WIDTH, 3), 7, np.uint8))
    dataset.records[0].file_path.write_bytes(content[:-12])
    row = read(write(dataset, folder), [0])[0]
    assert (decode_ordinary(row["image"], "x") == 7).all()


def test_a_large_image_gets_a_large_page(dataset, folder):
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)  # 6.75 MB as PNG
    write_image(dataset.image_dir / "large.png", noise)
    record = dataclasses.replace(dataset.records[0], file_path=dataset.image_dir / "large.png", height=1500, width=1500)
    info = write(replace_records(dataset, r0=record), folder, shards=2)
    assert np.array_equal(decode_ordinary(read(info, [0])[0]["image"], "x"), noise)
