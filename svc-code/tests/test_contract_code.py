"""svc-code keeps the contract of every service."""

from typing import ClassVar

from servicekit.contract import ServiceContract


class TestSvcCode(ServiceContract):
    protected_route: ClassVar[str] = "/v1/sessions"
    json_route: ClassVar[str] = "/v1/sessions/thread-1/execute"
