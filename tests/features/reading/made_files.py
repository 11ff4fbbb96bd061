"""Image files made byte by byte, where a library would hide the rule."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 20, 16


def saved(pixels: NDArray[Any] | Image.Image, form: str, **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def tiff(
    pixels: bytes,
    bits: tuple[int, ...] = (8,),
    photometric: int = 1,
    order: str = "<",
    deflate: bool = False,
    **tags: tuple[int, ...],
) -> bytes:
    """A TIFF of one strip, 20 × 16; ``t274=(6,)`` sets tag 274."""
    data = zlib.compress(pixels) if deflate else pixels
    values = {256: (WIDTH,), 257: (HEIGHT,), 258: bits, 259: (8 if deflate else 1,),
              262: (photometric,), 273: (8,), 277: (len(bits),), 278: (HEIGHT,),
              279: (len(data),)}  # fmt: skip
    values |= {int(name[1:]): value for name, value in tags.items()}
    start = 8 + len(data)
    extra, entries = b"", b""
    for tag, value in sorted(values.items()):
        packed = struct.pack(f"{order}{len(value)}H", *value)
        if len(packed) > 4:
            offset = start + 2 + 12 * len(values) + 4 + len(extra)
            extra, packed = extra + packed, struct.pack(f"{order}I", offset)
        entries += struct.pack(f"{order}HHI", tag, 3, len(value)) + packed.ljust(4, b"\0")
    magic = {"<": b"II\x2a\0", ">": b"MM\0\x2a"}[order]
    header = magic + struct.pack(f"{order}I", start)
    return header + data + struct.pack(f"{order}H", len(values)) + entries + bytes(4) + extra


def png(pixels: NDArray[Any], depth: int, colour: int, **chunks: bytes) -> bytes:
    """A PNG from big-endian samples; colour 0 grey, 2 RGB, 4 grey + alpha, 6 RGBA."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    named = b"".join(chunk(name.encode(), data) for name, data in chunks.items())
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + named
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )  # fmt: skip
