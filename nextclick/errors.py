"""The error tree. Every error says what was wrong, where, and what to do.

NextclickError                 exit code 1: it failed
├── UsageError                 exit code 2: the call or its settings are wrong
│   ├── SettingsError          a key in conf/ or the environment
│   ├── MappingError           a mapping file of `nextclick import`
│   ├── ExperimentError        a file of conf/experiments/, or the name of an experiment
│   ├── AudienceError          a file of conf/audiences/, or the name of an audience
│   └── TriggerError           a file of conf/triggers/, or the name of a trigger
├── SetupError                 the machine or the checkout lacks something: Java, packages, jars
├── LakeError                  the lake cannot be read or written
│   ├── StoreUnreachable       the lake's object store does not do what it is asked
│   ├── TableBusy              another process is the table's writer
│   └── TableMissing           the table was never written
├── ModelError                 an artifact or a store of the model is unusable
│   └── VersionGone            a version of the key-value table was dropped while it was read
├── QueryError                 a query of `nextclick sql` cannot be answered
└── CheckStopped               exit code 3: a critical check stopped it
"""

from typing import ClassVar


class NextclickError(Exception):
    """Base of all errors that a user can act on."""

    exit_code: ClassVar[int] = 1


class UsageError(NextclickError):
    """The call is wrong: fix the command line."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is unknown, of the wrong type or out of its range."""


class MappingError(UsageError):
    """A mapping file names something that is not there."""


class ExperimentError(UsageError):
    """An experiment is wrong, clashes with another, or is not there."""


class AudienceError(UsageError):
    """An audience is wrong, or is not there."""


class TriggerError(UsageError):
    """A trigger is wrong, or is not there."""


class SetupError(NextclickError):
    """The machine or the checkout lacks something; the message says how to get it."""


class LakeError(NextclickError):
    """The lake cannot be read or written."""


class StoreUnreachable(LakeError):
    """The lake's object store refuses or does not answer; the message has its words, never a credential."""


class TableBusy(LakeError):
    """Another process writes this table; the message names the holder."""


class TableMissing(LakeError):
    """The table was never written; the message names the job that writes it."""


class ModelError(NextclickError):
    """A model artifact, its registry or the key-value table is unusable."""


class VersionGone(ModelError):
    """A version of the key-value table was dropped while it was read: take a new snapshot."""


class QueryError(NextclickError):
    """A query of `nextclick sql` cannot be answered; the message holds the database's own words."""


class CheckStopped(NextclickError):
    """A critical check failed on a table version; downstream work is refused."""

    exit_code = 3
