"""Writes images/ and pillow-images.npz: small encoded images and what Pillow makes of them.

Debian 12: python3-pil 9.4.0 (libjpeg-turbo 2.1.5), python3-numpy 1.24.2. Run in this folder: /usr/bin/python3 pillow-images.py
Kinds of PNG that Pillow cannot write are written here by hand; for 16 bits the truth is the array that was written.
"""

import io
import os
import struct
import zlib

import numpy as np
from PIL import Image

os.makedirs("images", exist_ok=True)
truth = {}
random = np.random.default_rng(0)


def pattern(height, width):
    y, x = np.mgrid[0:height, 0:width]
    red = (3.7 * x + 1.1 * y) % 256
    green = 128 + 100 * np.sin(x / 5) * np.cos(y / 7)
    blue = 100 + 80 * random.random((height, width))
    return np.stack([red, green, blue], -1).astype(np.uint8)


def keep(name, image):
    """The pixels of a written file, as torchvision's ImageFolder reads them."""
    truth[name] = np.asarray(image.convert("RGB"))


def save(name, image, **options):
    image.save(f"images/{name}", **options)
    keep(name, Image.open(f"images/{name}"))


# --- JPEG -------------------------------------------------------------------
photo = Image.fromarray(pattern(53, 67))
for name, subsampling in {"444": 0, "422": 1, "420": 2}.items():
    save(f"baseline-{name}.jpg", photo, quality=85, subsampling=subsampling)
    save(f"progressive-{name}.jpg", photo, quality=85, subsampling=subsampling, progressive=True)
save("optimized-q20.jpg", photo, quality=20, optimize=True)
save("grey.jpg", photo.convert("L"), quality=85)
save("grey-progressive.jpg", photo.convert("L"), quality=85, progressive=True)
save("one-pixel.jpg", photo.crop((0, 0, 1, 1)))
exif = Image.Exif()
exif[0x0112] = 6  # to be turned by 90°; neither Pillow nor we turn it
save("exif-turned.jpg", photo.crop((0, 0, 24, 16)), exif=exif)
photo.convert("CMYK").crop((0, 0, 8, 8)).save("images/cmyk.jpg")

# --- PNG that Pillow writes --------------------------------------------------
small = photo.crop((3, 5, 22, 18))  # 19 × 13: no power of two, all seven passes of Adam7
alpha = Image.fromarray(random.integers(0, 256, (13, 19), dtype=np.uint8))
save("rgb.png", small)
save("grey.png", small.convert("L"))
save("bilevel.png", small.convert("1"))
rgba = small.copy()
rgba.putalpha(alpha)
save("rgba.png", rgba)
save("grey-alpha.png", Image.merge("LA", (small.convert("L"), alpha)))
for bits in (1, 2, 4, 8):
    save(f"palette-{bits}.png", small.quantize(2**bits), bits=bits)
save("transparent-colour.png", small, transparency=(0, 0, 0))

# --- PNG by hand -------------------------------------------------------------
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, content):
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def packed_row(row, depth):
    values = row.reshape(-1)
    if depth == 16:
        return values.astype(">u2").tobytes()
    if depth == 8:
        return values.astype(np.uint8).tobytes()
    bits = "".join(format(int(value), f"0{depth}b") for value in values)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def filtered(rows, step):
    """Each row with the next of the five filters."""
    out, before = b"", None
    for number, row in enumerate(rows):
        kind = number % 5
        before = before or bytes(len(row))
        line = bytearray()
        for i, value in enumerate(row):
            left = row[i - step] if i >= step else 0
            up = before[i]
            corner = before[i - step] if i >= step else 0
            base = left + up - corner
            paeth = min((left, up, corner), key=lambda v: abs(base - v))
            line.append((value - [0, left, up, (left + up) // 2, paeth][kind]) % 256)
        out += bytes([kind]) + bytes(line)
        before = row
    return out


def write_png(name, pixels, depth, colour, interlaced=False, pieces=1):
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    step = max(1, depth * channels // 8)
    raw = b""
    for left, top, right, down in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = pixels[top::down, left::right]
        if part.size:
            raw += filtered([packed_row(row, depth) for row in part], step)
    data = zlib.compress(raw, 9)
    size = -(-len(data) // pieces)
    content = b"\x89PNG\r\n\x1a\n"
    content += chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced)))
    content += chunk(b"tEXt", b"Comment\0by hand")
    for start in range(0, len(data), size):
        content += chunk(b"IDAT", data[start : start + size])
    content += chunk(b"IEND", b"")
    with open(f"images/{name}", "wb") as file:
        file.write(content)
    return content


deep = random.integers(0, 65536, (13, 19, 4)).astype(np.uint16)
for name, pixels, colour in [
    ("grey-16.png", deep[..., 0], 0),
    ("rgb-16.png", deep[..., :3], 2),
    ("grey-alpha-16.png", deep[..., :2], 4),
    ("rgba-16.png", deep, 6),
]:
    written = write_png(name, pixels, 16, colour)
    grey = pixels if pixels.ndim == 2 else pixels[..., 0]
    truth[name] = np.stack([grey] * 3, -1) if colour in (0, 4) else pixels[..., :3]
    if colour != 0:  # Pillow keeps the high byte of each; it clips grey of 16 bits at 255
        high = (truth[name] >> 8).astype(np.uint8)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(written)).convert("RGB")), high)

rgb = np.asarray(small)
for name, pixels, depth, colour, interlaced, pieces in [
    ("grey-2.png", np.asarray(small.convert("L")) >> 6, 2, 0, False, 1),
    ("grey-4.png", np.asarray(small.convert("L")) >> 4, 4, 0, False, 3),
    ("interlaced-rgb.png", rgb, 8, 2, True, 4),
    ("interlaced-grey-1.png", np.asarray(small.convert("L")) >> 7, 1, 0, True, 1),
    ("interlaced-narrow.png", rgb[:3, :1], 8, 2, True, 1),
    ("filters-rgba.png", np.asarray(rgba), 8, 6, False, 2),
]:
    written = write_png(name, pixels, depth, colour, interlaced, pieces)
    keep(name, Image.open(io.BytesIO(written)))

# --- resize, crop, grey ------------------------------------------------------
truth["photo"] = np.asarray(photo)
for height, width in [(24, 32), (53, 20), (17, 67), (100, 131), (1, 1), (7, 90)]:
    truth[f"resize-{height}x{width}"] = np.asarray(photo.resize((width, height), Image.Resampling.BILINEAR))
    real = Image.fromarray((np.asarray(photo)[..., 1] / np.float32(255)).astype(np.float32))
    truth[f"resize-float-{height}x{width}"] = np.asarray(real.resize((width, height), Image.Resampling.BILINEAR))
truth["luma"] = np.asarray(photo.convert("L"))


def validation(image, shorter, side):
    """torchvision's Resize(shorter) and CenterCrop(side), from its documentation, on Pillow."""
    width, height = image.size
    short, long = min(width, height), max(width, height)
    new_long = int(shorter * long / short)
    size = (new_long, shorter) if width > height else (shorter, new_long)
    resized = image.resize(size, Image.Resampling.BILINEAR)
    left, top = int(round((size[0] - side) / 2.0)), int(round((size[1] - side) / 2.0))
    return np.asarray(resized.crop((left, top, left + side, top + side)))


truth["resize-40-crop-33"] = validation(photo, 40, 33)
truth["resize-40-crop-33-upright"] = validation(photo.transpose(Image.Transpose.ROTATE_90), 40, 33)
np.savez_compressed("pillow-images.npz", **truth)
