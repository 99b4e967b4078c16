"""What the kernels of `qct.kernels.pixels` mean. Slow, short, obviously right."""

from itertools import groupby

import numpy as np


def decode_lossless_jpeg(data, code_counts, categories, shape, scan):
    """Follow ISO/IEC 10918-1 annexes C, F.2.2 and H bit by bit, on a string of 0 and 1."""
    predictor, first, interval = scan
    codes = _codes(code_counts, categories)
    pixels = np.zeros(shape, np.int32)
    parts = _intervals(bytes(data))
    bits, top, n_done = parts.pop(0), 0, 0
    for y, x in np.ndindex(*shape):
        if interval and n_done and n_done % interval == 0:
            if not parts:
                return pixels, n_done
            bits, top = parts.pop(0), y
        length = next((n for n in range(1, 17) if bits[:n] in codes), None)
        if length is None or len(bits) < length:
            return pixels, n_done
        category = codes[bits[:length]]
        n_more = category if category < 16 else 0
        if len(bits) < length + n_more:
            return pixels, n_done
        more, bits = bits[length : length + n_more], bits[length + n_more :]
        predicted = _predicted(pixels, y, x, top, predictor, first)
        pixels[y, x] = (predicted + _difference(category, more)) % 65536
        n_done += 1
    return pixels, n_done


def _codes(code_counts, categories):
    codes, code, waiting = {}, 0, list(categories)
    for length, count in enumerate(code_counts, start=1):
        for _ in range(count):
            codes[f"{code:0{length}b}"] = int(waiting.pop(0))
            code += 1
        code *= 2
    return codes


def _intervals(data):
    parts, bits, k = [], "", 0
    while k < len(data):
        if data[k] != 0xFF:
            bits += f"{data[k]:08b}"
            k += 1
        elif data[k + 1 : k + 2] == b"\0":
            bits += "11111111"
            k += 2
        elif k + 1 < len(data) and 0xD0 <= data[k + 1] <= 0xD7:
            parts.append(bits)
            bits = ""
            k += 2
        else:
            break
    return [*parts, bits]


def _difference(category, more):
    if category == 0:
        return 0
    if category == 16:
        return 32768
    value = int(more, 2)
    return value if more[0] == "1" else value - 2**category + 1


def _predicted(pixels, y, x, top, predictor, first):
    if y == top:
        return first if x == 0 else int(pixels[y, x - 1])
    if x == 0:
        return int(pixels[y - 1, x])
    a, b, c = int(pixels[y, x - 1]), int(pixels[y - 1, x]), int(pixels[y - 1, x - 1])
    choices = (a, b, c, a + b - c, a + (b - c) // 2, b + (a - c) // 2, (a + b) // 2)
    return choices[predictor - 1]


def encode_lossless_jpeg(pixels, code_counts, categories, scan):
    """Write the entropy-coded data of an image; the opposite of the decoder."""
    predictor, first, interval = scan
    words = {category: code for code, category in _codes(code_counts, categories).items()}
    data, bits, top = b"", "", 0
    for n, (y, x) in enumerate(np.ndindex(*pixels.shape)):
        if interval and n and n % interval == 0:
            data += _stuffed(bits) + bytes((0xFF, 0xD0 + (n // interval - 1) % 8))
            bits, top = "", y
        predicted = _predicted(pixels, y, x, top, predictor, first)
        bits += _word((int(pixels[y, x]) - predicted) % 65536, words)
    return data + _stuffed(bits)


def _word(difference, words):
    if difference > 32768:
        difference -= 65536
    category = abs(difference).bit_length()
    if category in (0, 16):
        return words[category]
    value = difference if difference > 0 else difference + 2**category - 1
    return words[category] + f"{value:0{category}b}"


def _stuffed(bits):
    bits += "1" * (-len(bits) % 8)
    plain = bytes(int(bits[k : k + 8], 2) for k in range(0, len(bits), 8))
    return plain.replace(b"\xff", b"\xff\0")


def unpack_runs(data, n_bytes):
    """Follow DICOM PS3.5 G.3.2 packet by packet."""
    unpacked, waiting = b"", bytes(data)
    while len(waiting) > 1 and len(unpacked) < n_bytes:
        count, waiting = waiting[0], waiting[1:]
        if count < 128:
            unpacked, waiting = unpacked + waiting[: count + 1], waiting[count + 1 :]
        elif count > 128:
            unpacked, waiting = unpacked + waiting[:1] * (257 - count), waiting[1:]
    n = min(len(unpacked), n_bytes)
    return np.frombuffer(unpacked[:n_bytes].ljust(n_bytes, b"\0"), np.uint8), n


def pack_runs(values):
    """Pack bytes; runs of three or more as runs, all else as it is."""
    packed, plain = b"", b""
    for value, run in groupby(bytes(values)):
        n = len(list(run))
        if n < 3:
            plain += bytes([value]) * n
            continue
        packed += _literal(plain)
        plain = b""
        while n > 0:
            k = min(n, 128)
            packed += bytes([257 - k, value]) if k > 1 else bytes([0, value])
            n -= k
    return packed + _literal(plain)


def _literal(plain):
    parts = (plain[k : k + 128] for k in range(0, len(plain), 128))
    return b"".join(bytes([len(part) - 1]) + part for part in parts)
