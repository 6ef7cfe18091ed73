"""Routing: which requests belong to the resources."""

import pytest

from harness.emulator.values.call import Call, route
from harness.wire import Request
from tests.emulator.resources.api import Api


@pytest.mark.parametrize(
    "target", ["/v1beta/interactions", "/v1beta/interactions/x", "/v1beta/tunedModels", "/v1beta", "/"]
)
def test_other_paths_are_left_alone(api: Api, target: str) -> None:
    """For any other path, the resources return None, so that the emulator goes on looking."""
    way = route(target)
    assert api.resources.handle(Call(Request("GET", target), way.segments, way.query)) is None


@pytest.mark.parametrize("name", ["agents", "environments", "credentials", "webhooks", "triggers"])
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", ""), ("DELETE", ""), ("PUT", "/x"), ("GET", "/x/y/z"), ("POST", "/x")]
)
def test_operations_nobody_has_are_404(api: Api, name: str, method: str, path: str) -> None:
    """An unknown method or path below a resource gets 404."""
    assert api.refused(method, f"/v1beta/{name}{path}", {}) == (404, "not_found")


@pytest.mark.parametrize("name", ["agents", "environments", "credentials", "webhooks", "triggers"])
@pytest.mark.parametrize("base", ["/v1", "/v1beta", "/v1beta1/projects/p/locations/l"])
def test_every_version_has_every_resource(api: Api, name: str, base: str) -> None:
    """Each resource can be listed below each version, with or without a trailing slash."""
    assert api.ok("GET", f"{base}/{name}") == api.ok("GET", f"{base}/{name}/") == {}


@pytest.mark.parametrize("name", ["agents", "environments", "credentials", "webhooks", "triggers"])
@pytest.mark.parametrize("body", [[], "text", 5, True, {"zzz": 1}])
def test_bodies_of_another_shape_are_400(api: Api, name: str, body: object) -> None:
    """A create whose body has the wrong shape gets 400, whatever JSON value it is."""
    assert api.refused("POST", f"/v1beta/{name}", body) == (400, "invalid_request")


@pytest.mark.parametrize("evil", ["..", "%2e%2e", "a%2Fb", "a%00b", "%F0%9F%92%A5", "x" * 5000, "%FF"])
@pytest.mark.parametrize("name", ["agents", "environments", "credentials", "webhooks", "triggers"])
def test_odd_ids_are_only_unknown(api: Api, name: str, evil: str) -> None:
    """An id that tries to be something else, such as a path, gets 404 like any unknown id."""
    assert api.refused("GET", f"/v1beta/{name}/{evil}") == (404, "not_found")
