"""Routing: which requests belong to the resources."""

import pytest

from tests.emulator.resources.api import Api


@pytest.mark.parametrize("name", ["agents", "environments", "credentials", "webhooks", "triggers"])
@pytest.mark.parametrize("base", ["/v1", "/v1beta", "/v1beta1/projects/p/locations/l"])
def test_every_version_has_every_resource(api: Api, name: str, base: str) -> None:
    """Each resource can be listed below each version, with or without a trailing slash."""
    assert api.ok("GET", f"{base}/{name}") == api.ok("GET", f"{base}/{name}/") == {}
