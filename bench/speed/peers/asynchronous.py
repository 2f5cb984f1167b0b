"""FastAPI + httpx, as it is copied everywhere. Run by ``uvicorn``, in an environment of its own."""

import httpx
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

app = FastAPI()
client = httpx.AsyncClient()


@app.get("/")  # type: ignore[untyped-decorator]  # FastAPI is installed elsewhere
async def proxy(url: str) -> StreamingResponse:
    """Pass on what is at a URL."""
    req = client.build_request("GET", url)
    r = await client.send(req, stream=True)
    return StreamingResponse(
        r.aiter_raw(),
        status_code=r.status_code,
        background=BackgroundTask(r.aclose),
        media_type=r.headers["Content-Type"],
    )
