"""Grafana dashboards as code: what they ask InfluxDB, and the JSON that Grafana provisions."""
