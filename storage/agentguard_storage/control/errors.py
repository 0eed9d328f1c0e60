"""What can go wrong in the control plane.

ControlError                  (an AgentGuardError)
├── ControlPlaneUnavailable   the database does not answer        (collector: 503)
├── InvalidSetting            a database URL that cannot be used  (also a ConfigurationError)
├── SchemaTooNew              the database was written by a newer release
├── SecretKeyError            secret.key unreadable, damaged
│   └── WrongSecretKey        readable, but not the one the keys were made with
├── InvalidValue              a name, scope, retention or expiry that is refused
├── UnknownProject
├── DuplicateProject
├── UnknownKey                no key has this id                  (management only)
├── UnknownBudget             no budget of the project has this name     (collector: 404)
├── UnknownReservation        no reservation of the budget has this id   (collector: 404)
├── ReservationConflict       its id was used with other figures         (collector: 409)
├── UnknownStop               no stop of the project has this id         (collector: 404)
├── UnknownPrice              the project has no price for this model
├── UnknownShare              no share of the project has this id        (collector: 404)
├── UnknownAnnotation         no note of the project has this id         (collector: 404)
└── KeyRefused                what a caller presented is refused  (collector: 401)
    ├── InvalidKey            missing, malformed, unknown or wrong
    ├── KeyRevoked
    ├── KeyExpired
    └── MissingScope          a good key, not allowed to do this  (collector: 403)
"""
# ruff: noqa: N818 - they say what happened to a key or project; "Error" would add nothing.

from agentguard.errors import AgentGuardError, ConfigurationError


class ControlError(AgentGuardError):
    """Base of every error of the control plane; its message is meant for people."""


class ControlPlaneUnavailable(ControlError):
    """The database cannot be reached or does not answer; trying again later may work."""


class InvalidSetting(ControlError, ConfigurationError):
    """The control plane was configured with something it cannot use."""


class SchemaTooNew(ControlError):
    """The database was upgraded by a newer release than this one."""


class SecretKeyError(ControlError):
    """The secret that key hashes depend on is missing, unreadable or damaged."""


class WrongSecretKey(SecretKeyError):
    """The secret is well formed, but the keys in this database were made with another one."""


class InvalidValue(ControlError):
    """A value that the control plane refuses to store."""


class UnknownProject(ControlError):
    """No project has this id or name."""


class DuplicateProject(ControlError):
    """A project with this name exists already."""


class UnknownKey(ControlError):
    """No API key has this id."""


class UnknownBudget(ControlError):
    """No budget of the project has this name."""


class UnknownReservation(ControlError):
    """No reservation of the budget has this id."""


class ReservationConflict(ControlError):
    """A reservation with this id was made before, with other figures."""


class UnknownStop(ControlError):
    """No stop of the project has this id."""


class UnknownPrice(ControlError):
    """The project has no price of its own for this model."""


class UnknownShare(ControlError):
    """No share of the project has this id."""


class UnknownAnnotation(ControlError):
    """No note of the project has this id."""


class KeyRefused(ControlError):
    """Base of the refusals that a presented API key can meet."""


class InvalidKey(KeyRefused):
    """The key is missing, malformed, unknown or wrong. Which of these is never told."""


class KeyRevoked(KeyRefused):
    """The key was good and has been revoked."""


class KeyExpired(KeyRefused):
    """The key was good and its time is over."""


class MissingScope(KeyRefused):
    """The key is good and does not have the scope that the operation needs."""
