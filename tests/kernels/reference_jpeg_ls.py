"""What the kernel of `qct.kernels.jpeg_ls` undoes: an encoder, in the steps and names of ISO/IEC 14495-1."""

import numpy as np

J = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12]
J += [13, 14, 15]


class Bits:
    """Bits to bytes; a byte of ones is followed by one of seven bits (A.1)."""

    def __init__(self):
        self.bytes, self.rest = bytearray(), ""

    def put(self, value, n):
        self.rest += format(value, f"0{n}b") if n else ""
        while len(self.rest) >= (width := self.width()):
            self.bytes.append(int(self.rest[:width], 2))
            self.rest = self.rest[width:]

    def width(self):
        return 7 if self.bytes and self.bytes[-1] == 0xFF else 8

    def done(self):
        if self.rest or self.width() == 7:
            self.put(0, self.width() - len(self.rest))
        return bytes(self.bytes)


class Encoder:
    def __init__(self, precision):
        self.maximum = 2**precision - 1
        self.qbpp = precision
        self.limit = 2 * (precision + max(8, precision))
        factor = (min(self.maximum, 4095) + 128) // 256
        self.thresholds = [0, factor + 2, factor * 4 + 3, factor * 17 + 4]
        self.A = [max(2, (self.maximum + 33) // 64)] * 367
        self.B, self.C, self.N, self.Nn = [0] * 367, [0] * 367, [1] * 367, [0] * 367
        self.index = 0
        self.out = Bits()

    def encode(self, pixels):
        n_columns = pixels.shape[1]
        above = [0] * (n_columns + 2)
        for line in pixels.tolist():
            above[-1] = above[-2]
            row = [above[1], *line, 0]
            x = 1
            while x <= n_columns:
                a, b, c, d = row[x - 1], above[x], above[x - 1], above[x + 1]
                if a == b == c == d:
                    x = self.run(row, above, x, n_columns)
                else:
                    self.regular(row[x], a, b, c, d)
                    x += 1
            above = row
        return self.out.done()

    def run(self, row, above, x, n_columns):
        a, length = row[x - 1], 0
        while x + length <= n_columns and row[x + length] == a:
            length += 1
        x += length
        while length >= 2 ** J[self.index]:
            self.out.put(1, 1)
            length -= 2 ** J[self.index]
            self.index = min(31, self.index + 1)
        if x > n_columns:
            if length:
                self.out.put(1, 1)
            return x
        self.out.put(0, 1)
        self.out.put(length, J[self.index])
        self.interruption(row[x], a, above[x])
        self.index = max(0, self.index - 1)
        return x + 1

    def interruption(self, value, a, b):
        ri_type = int(a == b)
        error = value - b
        if not ri_type and a > b:
            error = -error
        error = self.reduced(error)
        q = 365 + ri_type
        temp = self.A[q] + (self.N[q] >> 1 if ri_type else 0)
        k = self.golomb_parameter(temp, self.N[q])
        is_negative_mapped = (
            (k == 0 and error > 0 and 2 * self.Nn[q] < self.N[q])
            or (error < 0 and 2 * self.Nn[q] >= self.N[q])
            or (error < 0 and k != 0)
        )
        mapped = 2 * abs(error) - ri_type - int(is_negative_mapped)
        self.golomb(mapped, k, self.limit - J[self.index] - 1)
        self.Nn[q] += error < 0
        self.A[q] += (mapped + 1 - ri_type) >> 1
        if self.N[q] == 64:
            self.A[q], self.N[q], self.Nn[q] = self.A[q] >> 1, self.N[q] >> 1, self.Nn[q] >> 1
        self.N[q] += 1

    def regular(self, value, a, b, c, d):
        q = 81 * self.class_of(d - b) + 9 * self.class_of(b - c) + self.class_of(c - a)
        sign = -1 if q < 0 else 1
        q = abs(q)
        predicted = sorted([a, b, a + b - c])[1]
        predicted = min(max(predicted + sign * self.C[q], 0), self.maximum)
        error = self.reduced(sign * (value - predicted))
        k = self.golomb_parameter(self.A[q], self.N[q])
        if k == 0 and 2 * self.B[q] <= -self.N[q]:
            mapped = 2 * error + 1 if error >= 0 else -2 * (error + 1)
        else:
            mapped = 2 * error if error >= 0 else -2 * error - 1
        self.golomb(mapped, k, self.limit)
        self.B[q] += error
        self.A[q] += abs(error)
        if self.N[q] == 64:
            self.A[q] >>= 1
            self.B[q] = self.B[q] >> 1 if self.B[q] >= 0 else -((1 - self.B[q]) >> 1)
            self.N[q] >>= 1
        self.N[q] += 1
        if self.B[q] <= -self.N[q]:
            self.B[q] = max(self.B[q] + self.N[q], 1 - self.N[q])
            self.C[q] = max(self.C[q] - 1, -128)
        elif self.B[q] > 0:
            self.B[q] = min(self.B[q] - self.N[q], 0)
            self.C[q] = min(self.C[q] + 1, 127)

    def class_of(self, difference):
        sized = sum(abs(difference) >= t for t in self.thresholds[1:]) + (difference != 0)
        return int(sized * np.sign(difference))

    def reduced(self, error):
        span = self.maximum + 1
        error %= span
        return error - span if error >= (span + 1) // 2 else error

    def golomb_parameter(self, size, n):
        k = 0
        while n << k < size:
            k += 1
        return k

    def golomb(self, mapped, k, limit):
        high = mapped >> k
        if high < limit - self.qbpp - 1:
            self.out.put(1, high + 1)
            self.out.put(mapped & ((1 << k) - 1), k)
        else:
            self.out.put(1, limit - self.qbpp)
            self.out.put(mapped - 1, self.qbpp)


def encode_jpeg_ls(pixels, precision):
    """Encode an image of one component without loss; the entropy-coded part."""
    return Encoder(precision).encode(pixels)
