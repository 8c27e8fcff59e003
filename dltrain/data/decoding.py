"""Pictures of a set become pixels: all at once in memory, once each in a cache on disk, or whenever they are read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from dltrain.data.budget import check_memory
from dltrain.data.examples import Array
from dltrain.data.lazy import Lazy
from dltrain.data.picture_cache import PictureCache, create, head_of, kept
from dltrain.data.picture_files import MediaFile
from dltrain.data.pictures import Form, Head, Resize, decode, pillow, read_head
from dltrain.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")
LEAST = 5  # bytes of each value when it is divided and prepared, or more
BLOCK = 16  # pictures that a thread takes at a time


class Wanted(NamedTuple):
    """What the pictures of a set are to be; see `ImageFolder`.

    Parameters:
        where: what errors call the set
        key: what tells this set, in this form, from others
        size: height and width; None: all are alike
        color_mode: rgb or grayscale; None: grayscale where all pictures are
        resize: how a picture gets another size
        most: pixels that a picture may have
    """

    where: str
    key: str
    size: list[int] | None
    color_mode: str | None
    resize: Resize
    most: int


class Found(NamedTuple):
    """The pictures of a set.

    Parameters:
        x: (N, H, W, C) bytes, an array or lazy
        form: what all are brought to
        content: SHA-256 over the files and the form
    """

    x: Any
    form: Form
    content: str


def in_memory(pictures: Sequence[MediaFile], wanted: Wanted) -> Found:
    """All pictures decoded now.

    Raises:
        DataError: when they do not fit into the memory.
    """
    form, content = survey(pictures, wanted)
    values = len(pictures) * form.height * form.width * form.channels
    check_memory(values, 1 + LEAST, wanted.where, "keep them on disk with `cache: disk`, or give a smaller `size`")
    return Found(pixels(pictures, form, wanted.most), form, content)


def on_disk(pictures: Sequence[MediaFile], wanted: Wanted) -> Found:
    """Each picture decoded when it is first read, and kept in a file that is mapped into memory."""
    path, stamp = kept(wanted.key), stamp_of(pictures, wanted)
    head = head_of(path, stamp) or create(path, stamp, *survey(pictures, wanted), len(pictures))
    cache = PictureCache(path, head, partial(decoded, pictures, Form(*head["form"]), wanted.most))
    return Found(Lazy(cache.pixels.shape, np.uint8, cache.read), cache.form, cache.content)


def not_kept(pictures: Sequence[MediaFile], wanted: Wanted) -> Found:
    """Each picture decoded whenever it is read."""
    form, content = survey(pictures, wanted)
    one = partial(decoded, pictures, form, wanted.most)
    shape = (len(pictures), form.height, form.width, form.channels)
    return Found(Lazy(shape, np.uint8, lambda rows: np.stack([one(k) for k in rows.tolist()])), form, content)


CACHES: dict[str, Callable[[Sequence[MediaFile], Wanted], Found]] = {
    "memory": in_memory,
    "disk": on_disk,
    "none": not_kept,
}


def decoded(pictures: Sequence[MediaFile], form: Form, most: int, position: int) -> Array:
    """The pixels (H, W, C) of one picture."""
    file = pictures[position]
    return decode(file.read(), file.where, form, most)


def pixels(pictures: Sequence[MediaFile], form: Form, most: int) -> Array:
    """The pictures (N, H, W, C) as bytes."""
    x = np.empty((len(pictures), form.height, form.width, form.channels), np.uint8)

    def fill(position: int) -> None:
        x[position] = decoded(pictures, form, most, position)

    in_parallel(fill, range(len(pictures)))
    return x


def survey(pictures: Sequence[MediaFile], wanted: Wanted) -> tuple[Form, str]:
    """What all pictures are brought to, and the checksum of their files and of this.

    Raises:
        DataError: when their sizes differ and none is given.
        CorruptFileError: when a head is damaged.
    """

    told = wanted.size is not None and wanted.color_mode is not None  # then nothing is asked of the heads

    def look(file: MediaFile) -> tuple[Head | None, bytes]:
        data = file.read()
        return None if told else read_head(data, file.where, wanted.most), hashlib.sha256(data).digest()

    heads, digests = zip(*in_parallel(look, pictures), strict=True)
    form = form_of([head for head in heads if head is not None], pictures, wanted)
    whole = hashlib.sha256(b"".join(digests))
    whole.update(json.dumps(form).encode())
    return form, whole.hexdigest()


def form_of(heads: Sequence[Head], pictures: Sequence[MediaFile], wanted: Wanted) -> Form:
    """What all pictures are brought to, by their heads.

    Raises:
        DataError: when their sizes differ and none is given.
    """
    height, width = wanted.size or (heads[0].height, heads[0].width)
    for head, file in zip(heads, pictures, strict=False):
        if wanted.size is None and (head.height, head.width) != (height, width):
            expected, got = f"{height} × {width} as in {pictures[0].where}", f"{head.height} × {head.width}"
            hint = "bring all to one size: `size: [height, width]`"
            raise DataError("pictures differ in size", where=file.where, expected=expected, got=got, hint=hint)
    grey = all(head.grey for head in heads) if wanted.color_mode is None else wanted.color_mode == "grayscale"
    return Form(height, width, 1 if grey else 3, wanted.resize)


def stamp_of(pictures: Sequence[MediaFile], wanted: Wanted) -> str:
    """SHA-256 over names, sizes and times of the files and what decodes them: the same while nothing has changed."""
    stamp = hashlib.sha256(f"Pillow {pillow().__version__}, {wanted.most} pixels\n".encode())
    for file in pictures:
        stamp.update(f"{file.part} {file.name} {file.stamp()}\n".encode("utf-8", "surrogateescape"))
    return stamp.hexdigest()


def in_parallel(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """What `work` returns for each item, in their order; the first error, in this order, ends it.

    Example:
        >>> in_parallel(abs, [-1, 2, -3])
        [1, 2, 3]
    """
    blocks = [items[start : start + BLOCK] for start in range(0, len(items), BLOCK)]
    executor = ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    try:
        return [found for some in executor.map(lambda block: [work(item) for item in block], blocks) for found in some]
    finally:
        executor.shutdown(cancel_futures=True)
