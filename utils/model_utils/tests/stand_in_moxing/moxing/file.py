"""The calls that models make of moxing.file, and no others. Addresses are folders and files of a local folder."""

import os
import shutil


def copy(src_url, dst_url):
    source, target = _path(src_url), _path(dst_url)
    if not os.path.isfile(source):
        raise OSError(f"NoSuchKey: {src_url}")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(source, target)


def copy_parallel(src_url, dst_url, threads=16, is_processing=True):
    shutil.copytree(_path(src_url), _path(dst_url), dirs_exist_ok=True)


def exists(url):
    return os.path.exists(_path(url))


def make_dirs(url):
    os.makedirs(_path(url), exist_ok=True)


def list_directory(url, recursive=False):
    top = _path(url)
    if not os.path.isdir(top):
        raise NotADirectoryError(url)
    if not recursive:
        return sorted(os.listdir(top))
    found = []
    for folder, folders, names in os.walk(top):
        found += [os.path.relpath(os.path.join(folder, name), top) for name in folders + names]
    return sorted(found)


def remove(url, recursive=False):
    path = _path(url)
    if recursive and os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.remove(path)


def _path(url):
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    root = os.environ["STAND_IN_MOXING_BUCKETS"]
    bucket = rest.split("/")[0]
    if not os.path.isdir(os.path.join(root, bucket)):
        raise OSError(f"NoSuchBucket: {bucket}")
    return os.path.join(root, rest.rstrip("/"))
