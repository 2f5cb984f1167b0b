"""An unknown field of a body is refused with a suggestion of the closest known field."""

import pytest
from pydantic import ValidationError

from gateway.web.links import LinkOrder
from gateway.web.request_body import format_errors


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("expires_in", "expires_in: there is no such field; did you mean expiresIn?"),
        ("colour", "colour: there is no such field"),
    ],
)
def test_an_unknown_field_suggests_the_closest_known_one(field: str, message: str) -> None:
    with pytest.raises(ValidationError) as error:
        LinkOrder.model_validate({"taskId": "t", "url": "https://a.example/c.png", field: 60})

    assert format_errors(error.value, LinkOrder) == message
