"""An unknown field of a body is refused with the field that was probably meant."""

import pytest
from pydantic import ValidationError

from gateway.web.links import LinkOrder, told


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("expires_in", "expires_in: there is no such field; did you mean expiresIn?"),
        ("colour", "colour: there is no such field"),
    ],
)
def test_an_unknown_field_suggests_the_near_one(field: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        LinkOrder.model_validate({"taskId": "t", "url": "https://a.example/c.png", field: 60})

    assert told(refused.value, LinkOrder) == said
