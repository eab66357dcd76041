"""OpenADR 3: the battery and the peaker as resources of a virtual end node, behind the same guardrails."""
