"""One instance of the function: telemetry batches in, forecasts out, by the stream's own engine."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pipeline.engine import BatchReport, StreamEngine
from pipeline.forecasting.stream_forecaster import load_stream_model
from pipeline.lambda_stream import LambdaStream
from pipeline.messages import TELEMETRY_TOPIC
from pipeline.msk_event import batches_of
from pipeline.transport import RecordBatch
from smartgrid.aws.errors import OutOfTimeError
from smartgrid.errors import SettingsError
from smartgrid.kafka_access import kafka_connection
from smartgrid.model_following import ModelFollower
from smartgrid.series_store import stream_store
from smartgrid.settings import Settings
from smartgrid.site_settings import site_rules

MARGIN_MS: Final = 20_000
"""Kept for the batch under way, its deliveries and its commit; Lambda kills what is later."""


class Invocation(Protocol):
    """What Lambda says of an invocation, as far as it is used here."""

    def get_remaining_time_in_millis(self) -> int:
        """Until it is killed."""
        ...


@dataclass(frozen=True)
class _Running:
    """An engine with its transport, and what has to be closed with them."""

    stream: LambdaStream
    engine: StreamEngine
    closing: ExitStack


class Forecasting:
    """Makes forecasts of events, as ``smartgrid stream`` makes them of the same log, bit for bit.

    Invariants:
        What an invocation that fails leaves behind is forgotten, and the log tells it anew; only one
        that runs out of time keeps what it has, for that is whole.

    Args:
        settings: of the function: where its model, brokers and series store are.
        group: whose offsets say what is finished.
        prefix: put before the name of every topic.

    Raises:
        ModelError: if there is no model, or it is damaged.
        SettingsError: if the brokers are not named, or a store that the model needs.
    """

    def __init__(self, settings: Settings, *, group: str, prefix: str = "") -> None:
        self._settings = settings
        self._group, self._prefix = group, prefix
        self._connection = kafka_connection(settings)
        self._model = load_stream_model(settings.model_dir)
        if self._model.seasonal is not None and settings.influx_url is None:
            raise SettingsError(
                f"influx_url: not set, but {self._model.name} compares with its sites' last days, which no "
                "instance outlives; set SMARTGRID_INFLUX_URL, or package the plain model in its folder cold/"
            )
        self._running: _Running | None = None

    def __call__(self, event: Mapping[str, Any], invocation: Invocation) -> BatchReport:
        """Do what an event brings, and what is missing before it.

        Returns:
            What happened to the records, those included that others had left out.

        Raises:
            OutOfTimeError: if something is left; the same event again goes on with it.
            PipelineError: if the brokers or the store cannot be used, or the event is none.
        """
        batches = batches_of(event, self._prefix + TELEMETRY_TOPIC)
        running = self._running = self._running or self._start()
        try:
            return self._work(running, batches, invocation)
        except OutOfTimeError:
            raise
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the brokers and the store, and forget all states."""
        if self._running is not None:
            self._running.closing.close()
            self._running = None

    def _start(self) -> _Running:
        with ExitStack() as closing:
            stream = closing.enter_context(
                LambdaStream(self._connection, group=self._group, prefix=self._prefix)
            )
            named = self._settings.influx_url is not None
            store = closing.enter_context(stream_store(self._settings)) if named else None
            sites, lateness_s = site_rules(self._settings.sites), self._settings.lateness_s
            engine = StreamEngine(stream, store, self._model, sites=sites, lateness_s=lateness_s)
            if store is not None:  # a verdict on a pulse is for the store alone
                ModelFollower(self._settings.model_dir).equip(engine)
            return _Running(stream, engine, closing.pop_all())

    @staticmethod
    def _work(running: _Running, batches: Mapping[int, RecordBatch], invocation: Invocation) -> BatchReport:
        stream, report = running.stream, BatchReport()
        stream.take(batches)
        while stream.behind:
            if invocation.get_remaining_time_in_millis() < MARGIN_MS:
                stream.settle()
                raise OutOfTimeError(
                    f"out of time after {report.polled} records and {report.rebuilt} to rebuild states; the "
                    "retry goes on there. Where this comes again and again, see docs/how-to/aws.md"
                )
            report += running.engine.run_once()
        stream.settle()
        return report
