"""Every error Strikelake raises, in one tree.

A message says what was found, where, and what to do, in one line: the command line prints it as it is.

StrikelakeError
├── ConfigError                 a setting is missing, unknown or out of range
├── CalendarError               a date is no trading session, or a range holds none
├── ContractError               an option symbol does not parse
├── VendorError
│   ├── MissingCredentialsError a key or its secret is not set
│   ├── NotEntitledError        403: the plan does not include this file
│   ├── NotPublishedError       404: the file is not there, or not there yet
│   ├── VendorUnavailableError  429, 5xx, timeout, broken connection: worth another try
│   └── BadFileError            truncated gzip, missing column, garbage: another try gives the same
├── LakeError
│   ├── EmptyLakeError          no such table, or no rows where rows were asked for
│   └── QualityError            too many bad rows: the file was not published to the lake
├── FeatureError                no such feature, or a definition that cannot be used
├── DatasetError                features and labels cannot make a training set
├── ModelError
│   └── NoChampionError         no model carries the champion alias
├── BrokerError
│   ├── BrokerUnavailableError  no definite answer: the state is unknown, look it up before anything else
│   └── OrderRejectedError      the broker refused the order: nothing was placed
├── JournalError                the order journal is locked, or asked for an impossible step
├── SandboxError                the local market cannot start, or is not running
└── ServiceError                a local server (Prefect, MLflow) did not start or has died

Bad rows are data (they go to quarantine) and risk violations are return values; neither is an exception.
"""


class StrikelakeError(Exception):
    """Base of every error that Strikelake raises on purpose."""


class ConfigError(StrikelakeError):
    """A setting is missing, unknown or out of range."""


class CalendarError(StrikelakeError):
    """A date is no trading session, or a range holds none."""


class ContractError(StrikelakeError):
    """An option symbol does not parse."""


class VendorError(StrikelakeError):
    """A data vendor's answer cannot be used."""


class MissingCredentialsError(VendorError):
    """A key or its secret is not set."""


class NotEntitledError(VendorError):
    """The vendor refuses this file or endpoint to this key (403)."""


class NotPublishedError(VendorError):
    """The vendor has no such file, or not yet (404)."""


class VendorUnavailableError(VendorError):
    """The vendor did not answer usefully; the same request may succeed later."""


class BadFileError(VendorError):
    """A file is damaged or lacks a column; reading it again gives the same."""


class LakeError(StrikelakeError):
    """The lake cannot be read or written as asked."""


class EmptyLakeError(LakeError):
    """A table is missing or holds no rows where rows were asked for."""


class QualityError(LakeError):
    """A file has more bad rows than its threshold allows and was not published to the lake."""


class FeatureError(StrikelakeError, ValueError):
    """A feature is unknown, or its definition cannot be used."""


class DatasetError(StrikelakeError):
    """Features and labels cannot make a training set."""


class ModelError(StrikelakeError):
    """A model cannot be fitted, stored, loaded or scored."""


class NoChampionError(ModelError):
    """No registered model carries the champion alias."""


class BrokerError(StrikelakeError):
    """The broker's answer cannot be used."""


class BrokerUnavailableError(BrokerError):
    """The broker gave no definite answer: what happened to the request is unknown."""


class OrderRejectedError(BrokerError):
    """The broker refused an order; nothing was placed."""


class JournalError(StrikelakeError):
    """The order journal is held by another process, damaged, or asked for an impossible step."""


class SandboxError(StrikelakeError):
    """The local market cannot start or is not running."""


class ServiceError(StrikelakeError):
    """A local server did not start or has died."""
