"""The connection to Kafka that a command was given, or that the settings name."""

from pipeline.kafka_settings import KafkaConnection
from smartgrid.errors import SettingsError
from smartgrid.settings import Settings


def kafka_connection(settings: Settings, brokers: str | None = None) -> KafkaConnection:
    """The brokers and how to speak to them.

    Args:
        settings: of the role.
        brokers: from the command line; wins.

    Raises:
        SettingsError: if neither names any.
    """
    chosen = brokers or settings.kafka
    if not chosen:
        raise SettingsError("kafka: no brokers; give --brokers host:port or set SMARTGRID_KAFKA")
    return KafkaConnection(chosen, settings.kafka_security)
