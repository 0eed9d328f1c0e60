"""Every exception AgentGuard raises, in one tree.

```
Exception
└── AgentGuardError
    └── ConfigurationError
```
"""

__all__ = ["AgentGuardError", "ConfigurationError"]


class AgentGuardError(Exception):
    """The root of the tree: catch it to catch everything AgentGuard raises."""


class ConfigurationError(AgentGuardError):
    """A setting has a value that cannot be used.

    The message names where the value came from (argument, variable or file), the value itself
    unless it is a secret, and what is allowed.
    """
