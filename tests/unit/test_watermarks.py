"""Whoever asks where partitions end, and asks a leader that died, asks again through another client."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from truetape import log
from truetape.errors import BrokerUnavailable, TopicMissing
from truetape.log import Part, watermarks

PARTS = [Part("orders.decisions", 0), Part("orders.decisions", 1)]


class Client:
    """Fails for a partition as often as told, then knows its ends."""

    def __init__(self, code: int = 0, failing: int = 0) -> None:
        self.code, self.failing = code, failing

    def get_watermark_offsets(self, part: TopicPartition, timeout: float) -> tuple[int, int]:
        if part.partition == 1 and self.failing:
            self.failing -= 1
            raise KafkaException(KafkaError(self.code))
        return 0, 10 + part.partition


@pytest.mark.parametrize("code", [KafkaError._TIMED_OUT, KafkaError._DESTROY_BROKER, KafkaError._UNKNOWN_PARTITION])
def test_another_client_is_asked_for_what_is_left(code: int) -> None:
    made = 0

    def renewed() -> Any:
        nonlocal made
        made += 1
        return Client()

    old: Any = Client(code, failing=1_000)
    assert watermarks(old, PARTS, renewed) == {PARTS[0]: (0, 10), PARTS[1]: (0, 11)}
    assert (made, old.failing) == (1, 999)


@pytest.mark.parametrize(
    ("code", "error"),
    [(KafkaError._TIMED_OUT, BrokerUnavailable), (KafkaError._UNKNOWN_PARTITION, TopicMissing),
     (KafkaError.TOPIC_AUTHORIZATION_FAILED, BrokerUnavailable)],
)  # fmt: skip
def test_what_lasts_is_named(code: int, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "ASK_SECONDS", 0.0)
    client: Any = Client(code, failing=1_000)
    with pytest.raises(error, match=r"orders\.decisions/1"):
        watermarks(client, PARTS)
