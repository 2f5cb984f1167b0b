"""Every error that the gateway renders as a response. Import them from here; each module has one family.

The message passed to an error is for the log, ``public`` for the client. Neither may contain a secret, a signature or a
direct URL. The texts of error pages are in ``templates/texts/<language>.toml``, one entry per ``code``.
"""

from gateway.errors.access import AccessError, CallbackRefused, KeyInvalid, KeyMissing, ScopeMissing
from gateway.errors.base import ConfigError, GatewayError, InternalError
from gateway.errors.image import (
    ImageNotFound,
    ImageRejected,
    ImageUnavailable,
    NotAnImage,
    RecordNotFound,
    RecordNotReady,
    RecordTooOld,
    ResultBlank,
    ResultEmpty,
    ResultMissing,
)
from gateway.errors.link import (
    LinkDamaged,
    LinkError,
    LinkExpired,
    LinkInvalid,
    LinkRevoked,
    LinkUnknown,
    LinkUsedUp,
    OriginNotAllowed,
)
from gateway.errors.origin import (
    FileTooLarge,
    OriginBusy,
    OriginEmpty,
    OriginError,
    OriginFailed,
    OriginGone,
    OriginNotFound,
    OriginNotImage,
    OriginRefused,
    OriginTimeout,
    OriginUnreachable,
    OriginUnsafe,
)
from gateway.errors.provider import (
    DirectUrlRefused,
    ProviderBusy,
    ProviderError,
    ProviderFailed,
    ProviderGarbled,
    ProviderMaintenance,
    ProviderPaused,
    ProviderTimeout,
    ProviderUnauthorized,
    ProviderUnreachable,
    TransientProviderError,
)
from gateway.errors.request import (
    BadParameter,
    BodyTooLarge,
    CallbackConflict,
    HeadersTooLarge,
    InvalidBody,
    LoopDetected,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    OtherHttpError,
    PreconditionFailed,
    PrefetchRefused,
    RangeNotSatisfiable,
    RequestError,
    UploadBroken,
    UploadTooLarge,
    UriTooLong,
)
from gateway.errors.retry_later import (
    GatewayBusy,
    KeyRateLimited,
    LinkBusy,
    Maintenance,
    QuotaExhausted,
    RateLimited,
    RetryLater,
    StillPreparing,
    TooManyStreams,
)
from gateway.errors.storage import DatabaseDown, StorageDown, StorageFull
