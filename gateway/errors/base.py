"""The base class of errors, and the errors without a family."""

from http import HTTPStatus


class GatewayError(Exception):
    """Base of every error that the gateway renders as a response.

    Class attributes:
        code: stable name, the last part of the problem's ``type`` (RFC 9457 section 3.1.1).
        status: HTTP status of the response.
        public: English description for programs.
        retry: whether the same request may succeed later.
        server_fault: whether the operator must act; logged at level ``error``.
        auto_refresh: whether the error page reloads by itself.
        contract: code and message of the provider's contract.
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
        """The description for programs; subclasses may add the field and the remedy."""
        return self.public

    @property
    def headers(self) -> dict[str, str]:
        """Additional response headers."""
        return {}


class InternalError(GatewayError):
    """An unexpected exception."""

    server_fault = True


class ConfigError(Exception):
    """The settings are invalid and the gateway does not start. Each fault names the variable and the remedy."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(["The gateway cannot start with these settings:", *(f"  - {f}" for f in faults)]))
        self.faults = faults
