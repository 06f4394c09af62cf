"""svc-code keeps the contract of every service."""

from typing import Any, ClassVar

from servicekit.contract import ServiceContract, TestKeys
from svc_code.engine.fake import FakeSandbox


class TestSvcCode(ServiceContract):
    protected_route: ClassVar[str] = "/v1/sessions"
    json_route: ClassVar[str] = "/v1/sessions/thread-1/execute"
    engine_calls = ((FakeSandbox, "execute"),)
    failing_call = ("/v1/sessions/thread-1/execute", {"json": {"code": "1 + 1"}})
    good_calls: ClassVar[dict[str, dict[str, Any]]] = {
        "/v1/sessions/thread-1/execute": {"code": "1 + 1", "timeout_s": 5.0, "stream": False}
    }
    names_per_owner = frozenset({"id", "name"})

    def objects(self, client: Any, keys: TestKeys) -> dict[str, str]:
        headers = keys.headers("ana")
        ran = client.post("/v1/sessions/thread-9/execute", headers=headers, json={"code": "1"})
        assert ran.is_success, ran.text
        put = client.request("PUT", "/v1/sessions/thread-9/files/a.txt", headers=headers, content=b"ana's")
        assert put.status_code == 201
        return {"id": "thread-9", "name": "a.txt"}
