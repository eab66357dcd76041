"""The limits file: what the assets can do and what the guardrails allow, as validated YAML.

``auto`` fields are resolved against the :class:`Scale` of the area by :meth:`Limits.resolve`.
"""

import math
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from grid.assets import BatterySpec, PeakerSpec
from grid.units import KW_PER_MW
from policies.errors import LimitsError

AUTO_SHARE_OF_P99 = 0.05
"""The share of the area's P99 net load above which a dispatch counts as large."""
PULSE_S = 5.0
MIN_INTERVAL_S = 300.0

Auto = Literal["auto"]
PositiveOrAuto = Annotated[float, Field(gt=0, allow_inf_nan=False)] | Auto


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of the area, from its training rows.

    Attributes:
        p99_net_load_kw: 99th percentile of |net load|.
        ramp_limit_kw: 90th percentile of |30-minute change|.
        cadence_s: nominal seconds between pulses.

    Raises:
        LimitsError: on a value that is not positive and finite.
    """

    p99_net_load_kw: float
    ramp_limit_kw: float
    cadence_s: float

    def __post_init__(self) -> None:
        for name in ("p99_net_load_kw", "ramp_limit_kw", "cadence_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise LimitsError(
                    f"scale {name} = {value}: must be positive and finite; "
                    "train on rows whose net load is known and varies"
                )


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BatteryLimits(_Section):
    """The battery."""

    power_kw: PositiveOrAuto = Field("auto", description="largest charge and discharge power at the meter")
    energy_hours: float = Field(2.0, gt=0, description="capacity in hours at full power")
    round_trip_efficiency: float = Field(0.9, gt=0, le=1, description="energy out per energy in")
    wear_usd_per_mwh: float = Field(10.0, ge=0, description="cost per MWh discharged at the meter")
    soc_min: float = Field(0.0, ge=0, le=1, description="lowest usable state of charge, fraction")
    soc_max: float = Field(1.0, ge=0, le=1, description="highest usable state of charge, fraction")
    initial_soc: float = Field(0.5, ge=0, le=1, description="state of charge at the start, fraction")
    max_cycles_per_day: float = Field(2.0, ge=0, description="equivalent full cycles per local day")
    ramp_kw_per_s: PositiveOrAuto = Field("auto", description="largest change of power per second")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.soc_min < self.soc_max:
            raise ValueError(f"soc_min {self.soc_min} must be below soc_max {self.soc_max}")
        if not self.soc_min <= self.initial_soc <= self.soc_max:
            raise ValueError(
                f"initial_soc {self.initial_soc} must lie between soc_min {self.soc_min} "
                f"and soc_max {self.soc_max}"
            )
        return self


class PeakerLimits(_Section):
    """The gas peaker."""

    power_kw: PositiveOrAuto = Field("auto", description="rated power")
    min_power_pct: float = Field(30.0, gt=0, le=100, description="minimum load, percent of rated power")
    min_up_s: float = Field(3600.0, ge=0, description="shortest time on after a start")
    min_down_s: float = Field(0.0, ge=0, description="shortest time off after a stop")
    heat_rate_mmbtu_per_mwh: float = Field(10.0, gt=0, description="fuel burnt per MWh")
    fuel_usd_per_mmbtu: float = Field(8.5, ge=0, description="price of fuel")
    upkeep_usd_per_mwh: float = Field(5.0, ge=0, description="upkeep per MWh generated")
    start_usd_per_mw: float = Field(60.0, ge=0, description="cost of a start per MW of rated power")
    max_starts_per_day: int = Field(6, ge=0, description="starts per local day")
    ramp_kw_per_s: PositiveOrAuto = Field("auto", description="largest change of power per second")


class RampLimits(_Section):
    """The ramp of the metered net load."""

    limit_kw: PositiveOrAuto = Field("auto", description="30-minute change above which the penalty starts")


class TelemetryLimits(_Section):
    """What autonomy asks of telemetry."""

    max_age_s: PositiveOrAuto = Field("auto", description="older telemetry denies autonomous dispatch")
    min_trust: float = Field(0.5, ge=0, le=1, description="less trust denies autonomous dispatch")


class ActionLimits(_Section):
    """How often, and for how long."""

    max_actions_per_hour: int = Field(120, ge=1, description="accepted proposals per requester")
    max_duration_s: float = Field(14400.0, gt=0, description="longest duration of one proposal")


class CostLimits(_Section):
    """Ceilings on what dispatches may cost before any income."""

    max_usd_per_dispatch: PositiveOrAuto = Field("auto", description="ceiling of one dispatch")
    max_usd_per_day: PositiveOrAuto = Field("auto", description="ceiling of a local day")
    fallback_price_usd_per_mwh: float = Field(
        500.0, ge=0, description="taken as the price of charging while the real one is missing"
    )


class ApprovalLimits(_Section):
    """What needs a person, and for how long a request stays open."""

    peaker_start: bool = Field(True, description="a peaker start needs a person")
    power_kw: PositiveOrAuto = Field("auto", description="more power than this needs a person")
    cost_usd: PositiveOrAuto = Field("auto", description="more cost than this needs a person")
    emergency: bool = Field(False, description="every dispatch in an emergency needs a person")
    expires_s: float = Field(3600.0, gt=0, description="life of a request, by the plant's clock")
    require_two_people: bool = Field(False, description="operator:x may not approve what local:x asked")


@dataclass(frozen=True, slots=True)
class PlantLimits:
    """The limits of one plant: every ``auto`` resolved. Powers in kW, times in seconds, money in USD."""

    scale: Scale
    battery: BatterySpec
    peaker: PeakerSpec
    ramp_limit_kw: float
    max_age_s: float
    min_trust: float
    max_actions_per_hour: int
    max_duration_s: float
    max_usd_per_battery_dispatch: float
    max_usd_per_peaker_dispatch: float
    max_usd_per_day: float
    fallback_price_usd_per_mwh: float
    approval_peaker_start: bool
    approval_power_kw: float
    approval_usd_battery: float
    approval_usd_peaker: float
    approval_emergency: bool
    approval_expires_s: float
    require_two_people: bool

    @property
    def interval_s(self) -> float:
        """Length of an interval, at whose borders setpoints change: max(5 min, cadence)."""
        return max(MIN_INTERVAL_S, self.scale.cadence_s)


class Limits(_Section):
    """The whole limits file."""

    battery: BatteryLimits = Field(default_factory=BatteryLimits)
    peaker: PeakerLimits = Field(default_factory=PeakerLimits)
    ramp: RampLimits = Field(default_factory=RampLimits)
    telemetry: TelemetryLimits = Field(default_factory=TelemetryLimits)
    actions: ActionLimits = Field(default_factory=ActionLimits)
    cost: CostLimits = Field(default_factory=CostLimits)
    approval: ApprovalLimits = Field(default_factory=ApprovalLimits)

    def ramp_limit_kw(self, scale: Scale) -> float:
        """30-minute change above which the penalty starts, in kW."""
        return _or_auto(self.ramp.limit_kw, scale.ramp_limit_kw)

    def _asset_power_kw(self, given: float | Auto, scale: Scale) -> float:
        return _or_auto(given, min(AUTO_SHARE_OF_P99 * scale.p99_net_load_kw, self.ramp_limit_kw(scale)))

    def battery_spec(self, scale: Scale) -> BatterySpec:
        """The battery at this scale."""
        own = self.battery
        power_kw = self._asset_power_kw(own.power_kw, scale)
        return BatterySpec(
            power_kw=power_kw,
            energy_kwh=power_kw * own.energy_hours,
            round_trip_efficiency=own.round_trip_efficiency,
            ramp_kw_per_s=_or_auto(own.ramp_kw_per_s, 2 * power_kw / PULSE_S),
            wear_usd_per_mwh=own.wear_usd_per_mwh,
            soc_min=own.soc_min,
            soc_max=own.soc_max,
            initial_soc=own.initial_soc,
            max_cycles_per_day=own.max_cycles_per_day,
        )

    def peaker_spec(self, scale: Scale) -> PeakerSpec:
        """The peaker at this scale."""
        own = self.peaker
        power_kw = self._asset_power_kw(own.power_kw, scale)
        return PeakerSpec(
            power_kw=power_kw,
            min_power_kw=power_kw * own.min_power_pct / 100,
            ramp_kw_per_s=_or_auto(own.ramp_kw_per_s, power_kw / PULSE_S),
            min_up_s=own.min_up_s,
            min_down_s=own.min_down_s,
            start_usd=own.start_usd_per_mw * power_kw / KW_PER_MW,
            heat_rate_mmbtu_per_mwh=own.heat_rate_mmbtu_per_mwh,
            fuel_usd_per_mmbtu=own.fuel_usd_per_mmbtu,
            upkeep_usd_per_mwh=own.upkeep_usd_per_mwh,
            max_starts_per_day=own.max_starts_per_day,
        )

    def resolve(self, scale: Scale) -> PlantLimits:
        """Every number that the guardrails need at this scale."""
        battery, peaker = self.battery_spec(scale), self.peaker_spec(scale)
        battery_mw, peaker_mw = battery.power_kw / KW_PER_MW, peaker.power_kw / KW_PER_MW
        cost, approval = self.cost, self.approval
        return PlantLimits(
            scale=scale,
            battery=battery,
            peaker=peaker,
            ramp_limit_kw=self.ramp_limit_kw(scale),
            max_age_s=_or_auto(self.telemetry.max_age_s, max(60.0, 3 * scale.cadence_s)),
            min_trust=self.telemetry.min_trust,
            max_actions_per_hour=self.actions.max_actions_per_hour,
            max_duration_s=self.actions.max_duration_s,
            max_usd_per_battery_dispatch=_or_auto(cost.max_usd_per_dispatch, 1000 * battery_mw),
            max_usd_per_peaker_dispatch=_or_auto(cost.max_usd_per_dispatch, 1000 * peaker_mw),
            max_usd_per_day=_or_auto(cost.max_usd_per_day, 5000 * (battery_mw + peaker_mw)),
            fallback_price_usd_per_mwh=cost.fallback_price_usd_per_mwh,
            approval_peaker_start=approval.peaker_start,
            approval_power_kw=_or_auto(approval.power_kw, AUTO_SHARE_OF_P99 * scale.p99_net_load_kw),
            approval_usd_battery=_or_auto(approval.cost_usd, 500 * battery_mw),
            approval_usd_peaker=_or_auto(approval.cost_usd, 500 * peaker_mw),
            approval_emergency=approval.emergency,
            approval_expires_s=approval.expires_s,
            require_two_people=approval.require_two_people,
        )


def _or_auto(given: float | Auto, auto: float) -> float:
    return auto if given == "auto" else float(given)


def load_limits(path: Path | None) -> Limits:
    """Read a limits file; ``None`` reads the default that ships with the package.

    Raises:
        LimitsError: when the file cannot be read, is not YAML, or a field is unknown or out of range.
    """
    name = "default_limits.yaml" if path is None else str(path)
    try:
        text = (
            files("policies").joinpath(name).read_text("utf-8") if path is None else path.read_text("utf-8")
        )
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise LimitsError(f"{name}: cannot be read ({error}); give a YAML file with --limits") from error
    except yaml.YAMLError as error:
        raise LimitsError(f"{name}: is not YAML ({error}); start from the default file") from error
    if not isinstance(content, dict):
        raise LimitsError(f"{name}: holds no sections; start from the default file")
    try:
        return Limits.model_validate(content)
    except ValidationError as error:
        raise LimitsError("\n".join(_explain(name, error))) from error


def _explain(name: str, error: ValidationError) -> list[str]:
    """One line per field; the alternatives of a field (a number or "auto") share it."""
    complaints: dict[str, list[str]] = {}
    for entry in error.errors():
        field = ".".join(str(part) for part in entry["loc"][:2]) or "the file"
        complaints.setdefault(f"{field} = {entry['input']!r}", []).append(
            _complaint(entry["type"], entry["msg"])
        )
    return [f"{name}: {field}: {' or '.join(texts)}" for field, texts in complaints.items()]


def _complaint(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "no such field; remove it or correct its name"
    return message[0].lower() + message[1:]
