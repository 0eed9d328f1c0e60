"""`agentguard prices set` and `unset`: the prices of a project's own."""

import getpass
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentguard.cli.errors import CONFLICT, CliError
from agentguard.cli.options import AsJson, DataDir, ProjectName
from agentguard.cli.services import control_plane, has_control_plane, resolve_project
from agentguard.cli.terminal import clean, emit_json, err, out

if TYPE_CHECKING:
    from agentguard.prices import PriceRule
    from agentguard_storage.control import PriceEntry

__all__ = ["OfProject", "Own", "own_prices", "set_price", "unset_price"]

Model = Annotated[str, typer.Argument(help="A model's name, as spans have it.")]
OfProject = Annotated[
    str | None,
    typer.Option("--project", help="A project, by its name or its id; otherwise default."),
]
ProviderOrAny = Annotated[
    str,
    typer.Option("--provider", help="Who answers, such as openai; any, if left out."),
]
_PER_MTOK = "US dollars per million tokens"


def _dollars(help_text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=help_text, metavar="<usd>")
    return option


@dataclass(frozen=True)
class Own:
    """The prices that are not bundled, and where they are from."""

    rules: "tuple[PriceRule, ...]"
    project: str
    file: Path | None

    def source(self, name: str) -> str:
        """What to call the source of a price."""
        return {"override": str(self.file), "project": f"project {self.project}"}.get(name, name)


@dataclass(frozen=True)
class _Set:
    """What is shown of a price that was set: US dollars, per million tokens."""

    project: str
    provider: str
    """Empty for any."""
    model: str
    since: date | None
    input: Decimal
    cache_read: Decimal | None
    cache_write: Decimal | None
    output: Decimal
    reasoning: Decimal | None
    per_request: Decimal
    created_by: str
    created_at: datetime


def own_prices(project: str | None, data_dir: Path | None, file: Path | None) -> Own:
    """A project's prices, where there is a control plane that has some.

    Raises CliError where a project was named and cannot be asked.
    """
    if project is None and not has_control_plane(data_dir):
        return Own((), "default", file)
    try:
        with control_plane(data_dir) as plane:
            from agentguard_storage.control.prices import rules_of

            owner = resolve_project(plane, project or "default")
            return Own(rules_of(plane.prices.list(owner.id)), owner.name, file)
    except CliError as error:
        if project is not None:
            raise
        err.print(f"without the project's own prices: {error}", style="dim", markup=False)
        return Own((), "default", file)


def set_price(
    model: Model,
    input_usd: Annotated[str, typer.Option("--input", help=f"{_PER_MTOK} sent.", metavar="<usd>")],
    output_usd: Annotated[
        str, typer.Option("--output", help=f"{_PER_MTOK} answered.", metavar="<usd>")
    ],
    cache_read: Annotated[
        str | None, _dollars(f"{_PER_MTOK} read from a cache; otherwise as input.")
    ] = None,
    cache_write: Annotated[
        str | None, _dollars(f"{_PER_MTOK} written to a cache; otherwise as input.")
    ] = None,
    reasoning: Annotated[
        str | None, _dollars(f"{_PER_MTOK} of reasoning; otherwise as output.")
    ] = None,
    per_request: Annotated[str, _dollars("US dollars for each call.")] = "0",
    since: Annotated[
        str | None,
        typer.Option("--from", help="The UTC day from which it holds, such as 2026-01-31."),
    ] = None,
    provider: ProviderOrAny = "",
    project: ProjectName = "default",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Give a model a price of the project's own, in the place of the list's.

    Spans that come in some seconds later are priced by it; guards know of it within minutes.
    """
    from agentguard.prices.overrides import PriceOverrideError, checked

    given = {
        "model": model,
        "provider": provider,
        "input": input_usd,
        "output": output_usd,
        "cache_read": cache_read,
        "cache_write": cache_write,
        "reasoning": reasoning,
        "per_request": per_request,
        "from": since,
    }
    try:
        entry = checked({name: value for name, value in given.items() if value is not None})
    except PriceOverrideError as problem:
        raise CliError(str(problem), exit_code=CONFLICT) from None
    with control_plane(data_dir) as plane:
        owner = resolve_project(plane, project)
        stored = plane.prices.set(owner.id, entry, by=_user())
    if as_json:
        emit_json(_shown(stored, owner.name))
    else:
        at = clean(stored.provider) or "any provider"
        out.print(
            f"set {clean(stored.model)} at {at}, in project {clean(owner.name)}", markup=False
        )


def unset_price(
    model: Model,
    provider: ProviderOrAny = "",
    project: ProjectName = "default",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take a model's own price away, of all days: the list's is in force again."""
    with control_plane(data_dir) as plane:
        owner = resolve_project(plane, project)
        removed = plane.prices.remove(owner.id, model, provider)
    if as_json:
        emit_json({"project": owner.name, "provider": provider, "model": model, "removed": removed})
        return
    out.print(f"unset {clean(model)}, in project {clean(owner.name)}", markup=False)


def _shown(entry: "PriceEntry", project: str) -> _Set:
    from agentguard.prices.rule import ALWAYS

    given = entry.override
    return _Set(
        project=project,
        provider=entry.provider,
        model=entry.model,
        since=None if given.start == ALWAYS else given.start,
        input=given.input,
        cache_read=given.cache_read,
        cache_write=given.cache_write,
        output=given.output,
        reasoning=given.reasoning,
        per_request=given.per_request,
        created_by=entry.created_by,
        created_at=entry.created_at,
    )


def _user() -> str:
    try:
        return getpass.getuser()[:100]
    except (OSError, KeyError):
        return ""
