import { MantineProvider } from "@mantine/core";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import { Markdown } from "./Markdown";

const html = (text: string) => renderToStaticMarkup(<MantineProvider><Markdown text={text} /></MantineProvider>)
  .replace(/<style.*?<\/style>/gs, "");

describe("text of a model or a document", () => {
  it.each([
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<iframe src='javascript:alert(1)'>",
    "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](data:text/html,<script>alert(1)</script>)", "[x](vbscript:alert(1))",
    "![x](javascript:alert(1))", "<a href='javascript:alert(1)'>x</a>", "<https://a.example/\" onmouseover=\"alert(1)>", "```html\n<script>alert(1)</script>\n```",
  ])("never becomes script: %s", (text) => {
    expect(html(text)).not.toMatch(/<(script|iframe|svg(?! width)|object|embed)|<[^>]*\son\w+=|<[^>]*(href|src)="(javascript|data|vbscript):/i);
  });

  it.each(["![x](https://evil.example/p.png)", "![x](//evil.example/p.png)", "![x](/auth/logout)", "![x](/media/../auth/me)", "![x](\\\\evil.example\\p)"])(
    "asks for no picture but this server's own: %s", (text) => expect(html(text)).not.toContain("<img"));

  it("shows this server's own pictures", () => {
    expect(html("![um anel](/media/img_1f)")).toContain('<img src="/media/img_1f" alt="um anel"');
  });

  it("opens links apart and tells them nothing", () => {
    expect(html("[x](https://a.example/)")).toContain('target="_blank" rel="noopener noreferrer nofollow"');
  });

  it("keeps line breaks", () => {
    expect(html("um\ndois")).toContain("<br/>");
  });
});
