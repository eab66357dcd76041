"""The dispatch service: the one door through which a wish becomes a live proposal.

Everything happens in one transaction: the idempotency key, the guardrails, the approval, the record.

- *The same key again* gives the same outcome and no second effect. A key binds to the effect: an answer
  that had none (pending, denied) does not use it up, so the same call with the same key acts once it may.
- *A call that needs a person* opens a request; repeating the call finds it, and once approved uses it up.
  The guardrails run again then, and an approval that they refuse is kept.
- *A request that was denied* stays denied until it would have expired; the same call does not ask again.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Literal

from dispatch import approvals, proposals
from dispatch.approvals import Approval
from dispatch.canonical import effect_hash
from dispatch.findings import from_json, to_json
from dispatch.flags import halt_of
from dispatch.ledger import Ledger, Transaction
from dispatch.readings import latest_report, local_day
from grid.clock import Clock
from policies.guardrails import evaluate
from policies.limits import PlantLimits
from policies.principal import SCOPE_DISPATCH, Principal
from policies.proposal import AssetName, Proposal
from policies.verdict import Finding, GuardrailState, Verdict


@dataclass(frozen=True, slots=True)
class Observation:
    """What the wiring knows about the area at this moment.

    Attributes:
        telemetry_age_s: age of the newest pulse; None when there is none.
        trust: 0 (false data suspected) to 1.
        price_usd_per_mwh: real-time price; None when missing.
        emergency: whether the area is in an emergency.
    """

    telemetry_age_s: float | None
    trust: float
    price_usd_per_mwh: float | None = None
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class DispatchOutcome:
    """What became of a proposal.

    Attributes:
        status: ``accepted`` (perhaps clipped), ``pending_approval`` or ``denied``.
        power_kw: accepted power, after clipping; None unless accepted.
        findings: the rules that had something to say.
        proposal_id: of an accepted one.
        approval_id: of the request that waits or was used.
        expires_at: end of the dispatch, or of the wait for approval.
        message: one sentence for people and agents: what happened, what to do next.
        duplicate: the same idempotency key had acted before; this answer is that one's.
    """

    status: Literal["accepted", "pending_approval", "denied"]
    power_kw: float | None
    findings: tuple[Finding, ...]
    proposal_id: str | None
    approval_id: str | None
    expires_at: datetime | None
    message: str
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class _Call:
    """A proposal with what it is bound to."""

    proposal: Proposal
    tool: str
    arguments: Mapping[str, object]
    effect_hash: str
    now: datetime


class DispatchService:
    """Judges proposals and records those that may act."""

    def __init__(
        self,
        ledger: Ledger,
        limits: PlantLimits,
        clock: Clock,
        observe: Callable[[], Observation],
        zone: tzinfo,
    ) -> None:
        """Bind the service to its plant.

        Args:
            ledger: where everything is recorded.
            limits: of this plant.
            clock: the plant's time.
            observe: what is known about the area now.
            zone: of the site, for limits per local day.
        """
        self._ledger = ledger
        self._limits = limits
        self._clock = clock
        self._observe = observe
        self._zone = zone

    def propose(
        self,
        *,
        principal: Principal,
        tool: str,
        arguments: Mapping[str, object],
        asset: AssetName,
        power_kw: float,
        duration_s: float,
        reason: str,
        lower_kw: float | None = None,
        upper_kw: float | None = None,
        event_id: str | None = None,
        forecast_issued_at: str | None = None,
        expected_effect: str = "",
        expected_cost_usd: float | None = None,
        idempotency_key: str | None = None,
    ) -> DispatchOutcome:
        """Judge a proposal and, if nothing forbids it, make it live from now on.

        Args:
            principal: of the connection; needs the dispatch scope.
            tool, arguments: the call as the caller made it; an approval binds to it.
            asset: ``battery`` or ``peaker``.
            power_kw: wanted power, positive injects.
            duration_s: how long, from when it is accepted.
            reason: one sentence for people.
            lower_kw, upper_kw: the range left to lower priorities; None leaves none.
            event_id: the instability event that it answers.
            forecast_issued_at: ISO time of the forecast that it rests on.
            expected_effect: what it should do, in words.
            expected_cost_usd: negative is a gain; None is unknown.
            idempotency_key: the same key never acts twice; a fresh one when None.
        """
        proposal = Proposal(
            asset=asset,
            power_kw=power_kw,
            duration_s=duration_s,
            reason=reason,
            requester=principal.subject,
            priority=principal.priority,
            idempotency_key=idempotency_key or uuid.uuid4().hex,
            lower_kw=lower_kw,
            upper_kw=upper_kw,
            event_id=event_id,
            forecast_issued_at=forecast_issued_at,
            expected_effect=expected_effect,
            expected_cost_usd=expected_cost_usd,
        )
        observation, now = self._observe(), self._clock.now()
        with self._ledger.transaction() as transaction:
            refusal = _refusal(principal, tool, arguments, proposal)
            if refusal is not None:
                return _denied(transaction, proposal, (refusal,), now)
            bound = effect_hash(tool, arguments, principal.subject)
            return self._judge(transaction, _Call(proposal, tool, arguments, bound, now), observation)

    def _judge(self, transaction: Transaction, call: _Call, observation: Observation) -> DispatchOutcome:
        repeated = _repeated(transaction, call)
        if repeated is not None:
            return repeated
        state = self._state(transaction, call, observation)
        if state is None:
            finding = Finding(
                "asset_state", "the assets have not reported yet; start the plant's owner", "deny"
            )
            return _denied(transaction, call.proposal, (finding,), call.now)
        asked = approvals.open_request(transaction.connection, call.effect_hash, call.proposal, call.now)
        approved = asked is not None and asked.state == "APPROVED"
        verdict = evaluate(call.proposal, state, self._limits, approved=approved)
        if verdict.outcome == "deny":
            return _denied(transaction, call.proposal, verdict.findings, call.now)
        if verdict.outcome == "needs_approval":
            return self._wait(transaction, call, verdict, asked)
        used = asked.approval_id if approved and asked is not None else None
        if used is not None and not approvals.consume(
            transaction.connection, used, call.effect_hash, call.now
        ):  # another process was faster
            return self._wait(transaction, call, evaluate(call.proposal, state, self._limits), None)
        return _accept(transaction, call, verdict, used)

    def _state(
        self, transaction: Transaction, call: _Call, observation: Observation
    ) -> GuardrailState | None:
        connection = transaction.connection
        report = latest_report(connection)
        if report is None:
            return None
        today = report.on_day(local_day(call.now, self._zone))
        hour_ago = call.now - timedelta(hours=1)
        return GuardrailState(
            interval_s=self._limits.interval_s,
            battery=today.readings.battery,
            peaker=today.readings.peaker,
            battery_discharged_today_kwh=today.cell_discharged_today_kwh,
            peaker_starts_today=today.starts_today,
            spent_today_usd=today.spent_today_usd,
            actions_last_hour=proposals.accepted_since(connection, call.proposal.requester, hour_ago),
            telemetry_age_s=observation.telemetry_age_s,
            trust=observation.trust,
            halted=halt_of(connection) is not None,
            emergency=observation.emergency,
            price_usd_per_mwh=observation.price_usd_per_mwh,
        )

    def _wait(
        self, transaction: Transaction, call: _Call, verdict: Verdict, asked: Approval | None
    ) -> DispatchOutcome:
        if asked is not None and asked.state == "DENIED":
            quote = f"{asked.decided_by} denied approval {asked.approval_id}: {asked.decision_reason}"
            finding = Finding("operator_decision", quote, "deny")
            return _denied(transaction, call.proposal, (*verdict.findings, finding), call.now)
        if asked is None:
            asked = approvals.request(
                transaction,
                call.proposal,
                verdict.findings,
                tool=call.tool,
                arguments=call.arguments,
                effect_hash=call.effect_hash,
                now=call.now,
                expires_s=self._limits.approval_expires_s,
            )
        return DispatchOutcome(
            "pending_approval",
            None,
            verdict.findings,
            None,
            asked.approval_id,
            asked.expires_at,
            f"waits for an operator (approval {asked.approval_id}); repeat the same call once it is approved",
        )


def _refusal(
    principal: Principal, tool: str, arguments: Mapping[str, object], proposal: Proposal
) -> Finding | None:
    if SCOPE_DISPATCH not in principal.scopes:
        return Finding("scope", f"{principal.subject} lacks scope {SCOPE_DISPATCH}", "deny")
    try:
        effect_hash(tool, arguments, principal.subject)
    except (TypeError, ValueError) as error:
        return Finding("finite_request", f"the arguments are no finite JSON: {error}", "deny")
    unstorable = proposals.unstorable(proposal)
    return Finding("storable_request", unstorable, "deny") if unstorable else None


def _repeated(transaction: Transaction, call: _Call) -> DispatchOutcome | None:
    """The answer to a key that has acted already; None for a fresh one."""
    proposal = call.proposal
    row = proposals.by_key(transaction.connection, proposal.requester, proposal.idempotency_key)
    if row is None:
        return None
    if row.effect_hash != call.effect_hash:
        quote = f"key {proposal.idempotency_key!r} acted as proposal {row.id} with other arguments"
        finding = Finding("idempotency_key", f"{quote}; use a fresh key", "deny")
        return _denied(transaction, proposal, (finding,), call.now)
    return DispatchOutcome(
        "accepted",
        row.power_kw,
        from_json(row.findings),
        str(row.id),
        None if row.approval_id is None else str(row.approval_id),
        row.ends_at,
        f"accepted before as proposal {row.id}; nothing was done again",
        duplicate=True,
    )


def _accept(
    transaction: Transaction, call: _Call, verdict: Verdict, approval_id: str | None
) -> DispatchOutcome:
    proposal = call.proposal
    used = None if approval_id is None else int(approval_id)
    accepted = proposals.Accepted(proposal, verdict, call.tool, call.effect_hash, used)
    proposal_id = str(proposals.add(transaction.connection, accepted, call.now))
    ends_at = call.now + timedelta(seconds=proposal.duration_s)
    transaction.audit(
        call.now,
        "proposal_accepted",
        proposal.requester,
        {
            "proposal_id": proposal_id,
            "tool": call.tool,
            "arguments": dict(call.arguments),
            "effect_hash": call.effect_hash,
            "idempotency_key": proposal.idempotency_key,
            "asset": proposal.asset,
            "asked_kw": proposal.power_kw,
            "power_kw": verdict.power_kw,
            "duration_s": proposal.duration_s,
            "approval_id": approval_id,
            "event_id": proposal.event_id,
            "findings": to_json(verdict.findings),
        },
    )
    clipped = f", clipped by {', '.join(f.rule for f in verdict.findings)}" if verdict.findings else ""
    message = f"accepted: {proposal.asset} at {verdict.power_kw:.1f} kW until {ends_at.isoformat()}{clipped}"
    return DispatchOutcome(
        "accepted", verdict.power_kw, verdict.findings, proposal_id, approval_id, ends_at, message
    )


def _denied(
    transaction: Transaction, proposal: Proposal, findings: tuple[Finding, ...], now: datetime
) -> DispatchOutcome:
    """Record a denial; numbers as text, because what was asked may be no number."""
    transaction.audit(
        now,
        "proposal_denied",
        proposal.requester,
        {"asset": proposal.asset, "asked_kw": str(proposal.power_kw), "findings": to_json(findings)},
    )
    why = "; ".join(f"{item.rule}: {item.quote}" for item in findings if item.effect == "deny")
    return DispatchOutcome("denied", None, findings, None, None, None, f"denied by {why}")
