"""Prefect plugin: `prefect deployment run live-trade` finds the deployment `live-trade/live-trade`.

Prefect asks for FLOW/DEPLOYMENT. A bare name is unambiguous when exactly one deployment carries it;
this hook, enabled in `prefect.toml`, teaches the client that. Names with a slash go the way they always went.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.plugins import register_hook

if TYPE_CHECKING:
    from prefect.plugins import HookContext

PREFECT_PLUGIN_API_REQUIRES = ">=0.1,<1"


@register_hook
def setup_environment(*, ctx: HookContext) -> None:
    """Let the Prefect client resolve bare deployment names; called by Prefect before each of its commands."""
    from prefect.client.orchestration import PrefectClient

    original = PrefectClient.read_deployment_by_name
    if getattr(original, "resolves_bare_names", False):
        return

    async def read_deployment_by_name(self: PrefectClient, name: str) -> Any:
        """Query a deployment by FLOW/DEPLOYMENT, or by a bare name that only one deployment has."""
        full = name if "/" in name else await _full_name(self, name)
        return await original(self, full)

    read_deployment_by_name.resolves_bare_names = True  # type: ignore[attr-defined]
    PrefectClient.read_deployment_by_name = read_deployment_by_name  # type: ignore[method-assign, assignment]
    ctx.logger_factory("strikelake").debug("bare deployment names resolve")


async def _full_name(client: Any, name: str) -> str:
    """Return FLOW/DEPLOYMENT of the only deployment called `name`.

    Raises
    ------
    ObjectNotFound, ValueError
        When no deployment has the name, or several have it; Prefect's commands print the message.
    """
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
    from prefect.exceptions import ObjectNotFound

    found = await client.read_deployments(
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[name]))
    )
    if not found:
        message = f"no deployment is called {name!r}: `prefect deploy --all` creates those of prefect.yaml"
        raise ObjectNotFound(http_exc=LookupError(message), help_message=message)
    if len(found) > 1:
        raise ValueError(f"{len(found)} deployments are called {name!r}: name one as FLOW/{name}")
    flow = await client.read_flow(found[0].flow_id)
    return f"{flow.name}/{name}"
