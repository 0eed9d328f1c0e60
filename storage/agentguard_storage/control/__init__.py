"""The control plane: projects, API keys, budgets, stops, prices, shares and notes, in SQL.

`open_control_plane` gives everything at once; the parts can be had one by one.
"""

from agentguard_storage.control.annotations import Annotations
from agentguard_storage.control.budget_models import Budget, StopOrder
from agentguard_storage.control.budgets import Budgets
from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.keyformat import PresentedKey, parse_key
from agentguard_storage.control.keys import ApiKeys
from agentguard_storage.control.lookup import Principal
from agentguard_storage.control.models import MAY, ApiKey, Project, Scope
from agentguard_storage.control.pepper import Pepper, load_pepper
from agentguard_storage.control.plane import ControlPlane, default_url, open_control_plane
from agentguard_storage.control.price_models import PriceEntry
from agentguard_storage.control.prices import Prices
from agentguard_storage.control.projects import DEFAULT_PROJECT, Projects
from agentguard_storage.control.reservations import Reservations
from agentguard_storage.control.share_models import Annotation, Share
from agentguard_storage.control.shares import Shares, share_path
from agentguard_storage.control.stops import Stops
from agentguard_storage.control.upgrade import upgrade
from agentguard_storage.control.verifier import KeyVerifier

__all__ = [
    "DEFAULT_PROJECT",
    "MAY",
    "Annotation",
    "Annotations",
    "ApiKey",
    "ApiKeys",
    "Budget",
    "Budgets",
    "ControlDatabase",
    "ControlPlane",
    "KeyVerifier",
    "Pepper",
    "PresentedKey",
    "PriceEntry",
    "Prices",
    "Principal",
    "Project",
    "Projects",
    "Reservations",
    "Scope",
    "Share",
    "Shares",
    "StopOrder",
    "Stops",
    "default_url",
    "load_pepper",
    "open_control_plane",
    "parse_key",
    "share_path",
    "upgrade",
]
