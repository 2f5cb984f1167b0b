"""The fields of a link and their rules."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

Mode = Literal["auto", "redirect", "stream"]
MODES: tuple[str, ...] = get_args(Mode)
LONGEST_URL = 2048
SHORTEST_LIFE_S = 60  # of a link minted by the API or the command line
LONGEST_LIFE_S = 30 * 24 * 3600
LONGEST_FILENAME = 255
# RFC 3986's pchar without escapes, which programs do not re-encode in a path. The contract sets no form.
TASK_ID = re.compile(r"[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9_.~!$&'()*+,;=:@-]{0,127}")
LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
EXPIRES = re.compile(r"[1-9][0-9]{0,10}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class FieldFault(ValueError):
    """A field of a link breaks a rule.

    Attributes:
        field: the name of the field.
        remedy: the rule, as a phrase that follows the name.
    """

    def __init__(self, field: str, remedy: str) -> None:
        super().__init__(f"{field}: {remedy}")
        self.field, self.remedy = field, remedy


@dataclass(frozen=True, slots=True)
class Link:
    """A permission to download one file of one task.

    Attributes:
        task_id: the image generation whose result is downloaded.
        url: the origin URL, as published; checked against the allow-list before it is fetched.
        expires: Unix seconds; None only on an unsigned link.
        mode: the signed delivery mode; None for the gateway's default.
        filename: the signed name of the saved file.
        id: identifies the link for revocation and download counts.
        signed: whether a valid signature covers these fields.
        resume_only: whether the link has expired and permits only resuming a download begun before.
    """

    task_id: str
    url: str
    expires: int | None = None
    mode: Mode | None = None
    filename: str | None = None
    id: str | None = None
    signed: bool = True
    resume_only: bool = False

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            FieldFault: the first field that breaks one.
        """
        _require(
            TASK_ID.fullmatch(self.task_id),
            "task_id",
            "1 to 128 of A-Z a-z 0-9 and - . _ ~ ! $ & ' ( ) * + , ; = : @, not beginning with a dot",
        )
        _require(self.url, "url", "must not be empty")
        _require(len(self.url) <= LONGEST_URL, "url", f"must not be longer than {LONGEST_URL} characters")
        _require(self.expires is None or EXPIRES.fullmatch(str(self.expires)), "expires", "must be Unix seconds")
        _require(self.mode is None or self.mode in MODES, "mode", "must be auto, redirect or stream")
        _require(self.filename != "", "filename", "must not be empty")
        _require(
            len(self.filename or "") <= LONGEST_FILENAME,
            "filename",
            f"must not be longer than {LONGEST_FILENAME} characters",
        )
        _require(self.id is None or LINK_ID.fullmatch(self.id), "id", "must be 1 to 64 of A-Z a-z 0-9 _ -")
        for field in ("url", "filename"):
            value = getattr(self, field) or ""
            _require(not _CONTROL.search(value), field, "must not hold a control character")
            _require(not _SURROGATE.search(value), field, "must be Unicode text")

    @property
    def message(self) -> bytes:
        """The bytes that are signed: seven fields joined by line feeds, an absent one empty."""
        fields = ("v1", self.task_id, self.url, self.expires, self.mode, self.filename, self.id)
        return "\n".join("" if field is None else str(field) for field in fields).encode()


def _require(condition: object, field: str, remedy: str) -> None:
    if not condition:
        raise FieldFault(field, remedy)
