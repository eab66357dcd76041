"""Pure decisions: guardrails, the response and trading policies, the arbiter, the limits."""
