"""What a client of Kafka says went wrong, in words that name the cause."""

import pytest

pytest.importorskip("confluent_kafka", reason="the Kafka client is not installed: `make extras` brings it")

from confluent_kafka import KafkaError

from nextclick.landing.kafka_topics import Complaints, producer_options
from nextclick.settings import load

DOWN = KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")
PASSWORD = KafkaError(KafkaError._AUTHENTICATION, "SASL authentication error: Authentication failed")
TLS = KafkaError(KafkaError._SSL, "certificate verify failed")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "timed out"),
        ([DOWN], "1/1 brokers are down"),
        (
            [PASSWORD, DOWN],
            "The brokers refuse the credentials: look at sasl.mechanism, sasl.username, sasl.password in kafka.client",
        ),
        ([DOWN, TLS, DOWN], "TLS fails: look at security.protocol and at the CA of the brokers' certificate"),
        ([PASSWORD, TLS], "certificate verify failed"),
    ],
)
def test_the_cause_is_said_rather_than_that_no_broker_is_up(said: list[KafkaError], words: str) -> None:
    complaints = Complaints()
    for error in said:
        complaints.hear(error)
    assert words in complaints.words(KafkaError(KafkaError._TIMED_OUT, "timed out"))
    complaints.forget()
    assert complaints.words(DOWN) == "1/1 brokers are down"


def test_the_settings_of_the_client_win() -> None:
    settings = load(environ={"NEXTCLICK_KAFKA__CLIENT": '{"acks": "1", "security.protocol": "SASL_SSL"}'})
    options = producer_options(settings, **{"linger.ms": 2})
    assert (options["acks"], options["security.protocol"], options["linger.ms"]) == ("1", "SASL_SSL", 2)
    assert options["enable.idempotence"] is True
