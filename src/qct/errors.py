"""Every way to refuse, each with a hint.

    QctError
    ├── OptionError        a setting is wrong                                    exit 2
    │   └── NoSuchSeriesError      the series that was asked for is not there
    ├── ReadError          what came in cannot be read or must not be measured   exit 3
    │   ├── NothingToReadError     no CT series at all
    │   ├── SeriesRefusedError     there are series, none may be measured
    │   ├── GeometryError          slices that do not make one regular volume
    │   ├── PixelError             pixel data that cannot be decoded or calibrated
    │   ├── IdentityError          more than one patient or study where one was meant
    │   └── NotReachedError        a URL that does not answer
    ├── SegmentError       the image does not show what has to be found          exit 4
    │   └── NoLungsError           no lungs
    ├── SignedError        a signed report was to be changed, or an unsigned one amended   exit 5
    └── WriteError         the result cannot be written                          exit 5

A message says what, where, how much, expected what; a hint says one action. Neither holds patient
data. The exit code belongs to the class; ``qct`` returns it.
"""


class QctError(Exception):
    """Base of all qct errors.

    Attributes
    ----------
    hint : str
        What the person in front of the screen can do next. One sentence.
    exit_code : int
        What the ``qct`` command returns to the shell.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        # Both go to Exception.args, so that the error survives pickling on its way back from a worker.
        super().__init__(message, hint)
        self.hint = hint

    def __str__(self) -> str:
        return str(self.args[0])


class OptionError(QctError):
    """A setting is unknown, or outside its limits."""

    exit_code = 2


class NoSuchSeriesError(OptionError):
    """The series that was asked for is not in what was handed in."""


class ReadError(QctError):
    """What came in cannot be read, or must not be measured."""

    exit_code = 3


class NothingToReadError(ReadError):
    """There is no CT image in what was handed in."""


class SeriesRefusedError(ReadError):
    """There are image series, but none that may be measured."""


class GeometryError(ReadError):
    """The slices do not make one regular volume."""


class PixelError(ReadError):
    """The pixel data cannot be decoded, or not turned into Hounsfield units."""


class IdentityError(ReadError):
    """More than one patient, study or frame of reference where one was meant."""


class NotReachedError(ReadError):
    """What lies at a URL cannot be listed or fetched; trying again later may help."""


class SegmentError(QctError):
    """The image does not show what has to be found in it."""

    exit_code = 4


class NoLungsError(SegmentError):
    """No pair of lungs, and no single lung, in the image."""


class WriteError(QctError):
    """The result cannot be written."""

    exit_code = 5


class SignedError(QctError):
    """A signed report was to be changed, or an addendum to go to one that is not signed."""

    exit_code = 5
