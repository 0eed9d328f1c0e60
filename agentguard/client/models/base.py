"""What all answers have in common."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Model"]


class Model(BaseModel):
    """An answer of the API. A later server's new members are attributes too."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)
