"""Which connections are ended to make room, and which are not."""

from contextlib import ExitStack

from gateway.server.connections import ConnectionLimiter


class Connection:
    """Stands for a visitor's socket."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.is_reset = False
        self.input_ended = False

    def setsockopt(self, *_: object) -> None:
        """As a socket has it."""

    def shutdown(self, how: int) -> None:
        """As a socket has it."""
        self.input_ended = how == 0


def hold(connections: ConnectionLimiter, held: ExitStack, *clients: str) -> list[Connection]:
    """Have a request of each client wait for it."""
    made = [Connection(client) for client in clients]
    for each in made:
        held.enter_context(connections.waiting(each))  # type: ignore[arg-type]
    return made


def test_of_one_client_who_keeps_too_many_requests_waiting_the_oldest_is_ended() -> None:
    with ExitStack() as held:
        connections = ConnectionLimiter(40)
        (other,) = hold(connections, held, "other")
        one = hold(connections, held, *["one"] * 7)

    assert [each.is_reset for each in one] == [True, True, False, False, False, False, False]
    assert not other.is_reset


def test_of_many_clients_who_keep_too_many_requests_waiting_the_oldest_is_ended() -> None:
    with ExitStack() as held:
        made = hold(ConnectionLimiter(40), held, *map(str, range(12)))

    assert [each.is_reset for each in made] == [True] * 2 + [False] * 10


def test_a_request_that_waits_no_more_counts_no_more() -> None:
    connections = ConnectionLimiter(40)
    for _ in range(20):
        with ExitStack() as held:
            (one,) = hold(connections, held, "one")
        assert not one.is_reset


def test_when_connections_are_scarce_idle_ones_are_ended_before_requests_that_wait() -> None:
    with ExitStack() as held:
        connections = ConnectionLimiter(20)
        (waits,) = hold(connections, held, "one")
        idle = Connection("two")
        connections.begin_idle(idle)  # type: ignore[arg-type]
        for _ in range(20):
            connections.opened()
        first = (idle.input_ended, waits.is_reset)
        connections.opened()

    assert first == (True, False)
    assert waits.is_reset


def test_while_there_is_room_nothing_is_ended() -> None:
    with ExitStack() as held:
        connections = ConnectionLimiter(20)
        (waits,) = hold(connections, held, "one")
        for _ in range(19):
            connections.opened()

    assert not waits.is_reset


def test_of_many_connections_that_were_refused_only_a_few_are_read_on() -> None:
    connections = ConnectionLimiter(40)
    with ExitStack() as refused:
        allowed = [refused.enter_context(connections.lingering()) for _ in range(4)]
    with connections.lingering() as later:
        assert later

    assert allowed == [True, True, False, False]
