"""Errors that the command line shows as one line, without a traceback."""


class SmartGridError(Exception):
    """Something the user can mend; the text says what and how."""


class SettingsError(SmartGridError):
    """A setting is wrong; the text names the field, the value and the fix."""


class ScenarioError(SmartGridError):
    """A day cannot be run as asked (no such day, nothing to train on)."""


class ReportError(SmartGridError):
    """A report cannot be written where it was asked for."""


class RoleError(SmartGridError):
    """A role cannot run here (no plant yet, another process has it); the text says what to start."""


class InstallError(SmartGridError):
    """Another program's configuration cannot be changed; the text names the file and what to do."""
