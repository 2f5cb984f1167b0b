"""``python -m gateway.demo.link [SAMPLE]``: print a signed link to one of the running demo's samples."""

import sys

from dotenv import dotenv_values

from gateway.demo.catalogue import SAMPLES, sample_of
from gateway.demo.roles import FOLDER, ORIGIN_URL
from gateway.links import LinkSigner
from gateway.server.launcher import is_free

START = "start it with: make run (in another terminal, in this folder)"


def main(arguments: list[str]) -> int:
    """Print a link that streams the sample, or an error on standard error.

    Returns:
        The exit status.
    """
    name = arguments[0] if arguments else SAMPLES[0].task_id
    sample = sample_of(name)
    if sample is None:
        names = ", ".join(each.task_id for each in SAMPLES)
        print(f"Unknown sample {name}; the samples are {names}.", file=sys.stderr)
        return 1
    settings = dotenv_values(FOLDER / "gateway.env")
    base_url, origin_url = settings.get("GATEWAY_PUBLIC_URL"), settings.get(ORIGIN_URL)
    if not base_url or not origin_url or is_free(base_url.removeprefix("http://")):
        print(f"The demo is not running; {START}", file=sys.stderr)
        return 1
    signer = LinkSigner(settings["GATEWAY_SECRET_KEYS"] or "", base_url)
    print(signer.mint(sample.task_id, f"{origin_url}/v/{sample.name}", mode="stream"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
