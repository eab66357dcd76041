"""Training of the stream's model: a forecaster where the past is long enough, a plain model always."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from grid.series import BaseSeries
from pipeline.errors import TrainingError
from pipeline.forecasting.stream_forecaster import StreamForecaster
from pipeline.forecasting.training import train_forecast
from pipeline.stream_model import StreamModel
from pipeline.training import train

LONG_ENOUGH: Final = timedelta(days=28)
"""In one piece: the 14 days of the seasonal memory, and as many to learn from."""


def train_stream_model(
    parts: Sequence[BaseSeries], *, cadence_s: float, site_tz: str, horizons_s: Sequence[float] = ()
) -> StreamModel:
    """The stream's model of past series.

    Args:
        parts: one series, or several separate ones, such as single days.
        cadence_s: their cadence, and that of the stream.
        site_tz: the site's IANA time zone.
        horizons_s: of forecasts that are made on request, in seconds, beside the stream's 30 minutes.

    Returns:
        A forecaster where a part is at least :data:`LONG_ENOUGH`; a plain model of short windows else.

    Raises:
        TrainingError: if there is too little to learn from.
    """
    plain = train(parts, cadence_s=cadence_s, site_tz=site_tz)
    long = [_net_load_of(part) for part in parts if _span(part) >= LONG_ENOUGH]
    if not long:
        if horizons_s:
            raise TrainingError(
                f"horizons: less than {LONG_ENOUGH.days} days in one piece teach the stream's alone; "
                "give a longer series, or leave them out"
            )
        return plain
    every_s = {plain.metadata.horizon_s, *horizons_s}
    return StreamForecaster(train_forecast(long, site_tz=site_tz, horizons_s=sorted(every_s)), plain)


def _net_load_of(part: BaseSeries) -> BaseSeries:
    """The stream keeps no other channel's past."""
    return BaseSeries(part.frame[["net_load_kw"]], part.cadence_s)


def _span(part: BaseSeries) -> timedelta:
    known = part.frame["net_load_kw"].dropna().index
    return timedelta(0) if known.empty else known[-1].to_pydatetime() - known[0].to_pydatetime()
