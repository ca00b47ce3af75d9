"""Figures of what is out of the ordinary (docs/anomalies.md)."""

from nextclick.definitions.metric import total

ANOMALIES = total("anomalies", "Anomalies of traffic, and abuse by rules; withdrawn ones are none.")
OPEN = total("open", "Those that last.")
ALARMS = total("alarms", "Those of severity alarm.")
