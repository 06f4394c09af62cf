"""What no list names can be removed as well."""

from __future__ import annotations

from .conftest import serve_fake, serve_gateway


async def test_what_a_stopped_install_fetched_is_removed_at_the_service_that_is_named(fake, tmp_path):
    path = "/v1/models/owner/name"
    async with (
        serve_fake() as vision,
        serve_gateway(fake, tmp_path, upstream_vision=(vision.url,)) as gateway,
    ):

        async def remove(query: str) -> tuple[int, str]:
            async with gateway.client.delete(gateway.url + path + query, headers=gateway.auth) as answer:
                return answer.status, await answer.text()

        status, said = await remove("")
        assert status == 404 and "?service=" in said and "image-gen" in said
        status, said = await remove("?service=x")
        assert status == 400 and "'x'" in said and "image-gen" in said
        assert (await remove("?service=vision"))[0] == 200
        assert [seen.method for seen in vision.calls(path + "?service=vision")] == ["DELETE"]
        assert not [seen for seen in fake.seen + vision.seen if seen.path == path]
