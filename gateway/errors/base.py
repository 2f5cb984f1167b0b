"""What every error is, and the two that have no family."""

from http import HTTPStatus


class GatewayError(Exception):
    """Base of every error the gateway turns into a response.

    Class attributes:
        code: short stable name, the last part of the problem's ``type`` (RFC 9457 section 3.1.1).
        status: the HTTP status of the answer.
        public: one English sentence for machines and tools.
        retry: whether doing exactly the same again may help the visitor.
        ours: whether this is a fault of ours, to be logged as an error.
        waits: whether the page for people asks again by itself.
        contract: what the provider's contract says in such a case: its code, and its message verbatim.
    """

    contract: tuple[int, str] = (500, "Server exception, please try again later or contact customer service")
    code = "internal"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    public = "Something went wrong on our side. Please try again."
    retry = True
    server_fault = False
    auto_refresh = False

    @property
    def detail(self) -> str:
        """What to tell a program or a tool; subclasses may name the field and the remedy."""
        return self.public

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that belong to this error."""
        return {}


class InternalError(GatewayError):
    """An exception nobody foresaw."""

    server_fault = True


class ConfigError(Exception):
    """The settings are unusable; boot stops. ``faults`` has one line for each, naming the variable and the remedy."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(["The gateway cannot start with these settings:", *(f"  - {f}" for f in faults)]))
        self.faults = faults
