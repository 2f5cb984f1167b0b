"""Models of the responses about links."""

from datetime import UTC, datetime

from pydantic import Field

from gateway.links.link import Mode
from gateway.links.stored_link import State, StoredLink
from gateway.web.schemas import FileName, ImageUrl, ResponseModel, SuccessResponse, TaskId

LINK_EXAMPLE = (
    "https://dl.example.com/download/task12345/xxxxxxx.png?url=https%3A%2F%2Ftempfile.aiquickdraw.com%2Fv%2Fxxxxxxx.png"
    "&expires=1764000000&id=Xk3v9QmT0aZ1&sig=bZ0yq6Yk1x0mE2c4s9vJt7uW8nR5pL3hD1fG6aQ2oTk"
)
SHORT_LINK_EXAMPLE = "https://dl.example.com/d/k3v9qmt2az5x.bZ0yq6Yk1x0mE2c4s9vJt7uW8nR5pL3hD1fG6aQ2oTk"


class LinkMinted(ResponseModel):
    """A new link."""

    id: str = Field(description="The ID of the link, which is part of its URL.")
    link: str = Field(
        description="The link, for a plain `<a href>`. It is a path without a host if `GATEWAY_PUBLIC_URL` is not set.",
        examples=[LINK_EXAMPLE],
    )
    expires_at: datetime = Field(
        alias="expiresAt", description="When the link expires: RFC 3339, in UTC.", examples=["2025-11-24T16:00:00Z"]
    )
    warnings: list[str] = Field(
        [],
        description="Likely mistakes in the configuration, such as a missing `GATEWAY_PUBLIC_URL`, and how to correct "
        "them. Absent if there are none.",
    )


class LinkInfo(ResponseModel):
    """A stored link."""

    id: str = Field(description="The ID of the link.", examples=["k3v9qmt2az5x"])
    task_id: TaskId = Field(alias="taskId")
    url: ImageUrl
    filename: FileName | None = Field(description="The name of the saved file. Null: the name in the URL.")
    mode: Mode | None = Field(description="How the file is delivered. Null: the operator's default.")
    link: str = Field(description="The short link.", examples=[SHORT_LINK_EXAMPLE])
    state: State = Field(description="Whether the link permits a download now, and if not, why.")
    created_at: datetime = Field(alias="createdAt", description="RFC 3339, in UTC.")
    expires_at: datetime = Field(alias="expiresAt", description="RFC 3339, in UTC.")
    revoked_at: datetime | None = Field(alias="revokedAt", description="Null when the link is not revoked.")
    max_downloads: int | None = Field(alias="maxDownloads", description="Null: no limit.")
    downloads: int = Field(description="How many downloads have completed.")
    downloads_reserved: int = Field(alias="downloadsReserved", description="How many downloads run, or begin soon.")

    @classmethod
    def of(cls, stored: StoredLink, href: str, now_ms: int) -> "LinkInfo":
        """Describe a stored link, whose short link is ``href``, at a time in Unix milliseconds."""
        return cls(
            id=stored.id,
            task_id=stored.link.task_id,
            url=stored.link.url,
            filename=stored.link.filename,
            mode=stored.link.mode,
            link=href,
            state=stored.state(now_ms),
            created_at=datetime.fromtimestamp(stored.created_at // 1000, UTC),
            expires_at=datetime.fromtimestamp(stored.expires_at // 1000, UTC),
            revoked_at=None if stored.revoked_at is None else datetime.fromtimestamp(stored.revoked_at // 1000, UTC),
            max_downloads=stored.max_downloads,
            downloads=stored.downloads,
            downloads_reserved=stored.reserved,
        )


class LinkPage(ResponseModel):
    """Stored links of a task, the newest first."""

    links: list[LinkInfo]
    next: str | None = Field(description="The value of `after` for the next page; null on the last page.")


class LinkRevokedInfo(ResponseModel):
    """A revoked link."""

    id: str = Field(description="The ID of the link.")


class LinkResponse(SuccessResponse):
    """The envelope of a new link."""

    data: LinkMinted


class LinkInfoResponse(SuccessResponse):
    """The envelope of a stored link."""

    data: LinkInfo


class LinkListResponse(SuccessResponse):
    """The envelope of a page of stored links."""

    data: LinkPage


class LinkRevokedResponse(SuccessResponse):
    """The envelope of a revoked link."""

    data: LinkRevokedInfo
