"""SmartGrid-AI: what people type and import. This module imports nothing."""
