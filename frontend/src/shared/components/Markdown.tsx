/**
 * Owns turning a model's or a document's text into elements. Whatever the text says, it never becomes
 * script, raw HTML or a request to another host: HTML is shown as text, links open apart, pictures
 * are drawn only from this server's own media.
 */
import { memo } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import rehypeSanitize from "rehype-sanitize";
import remarkBreaks from "remark-breaks";
import remarkGfm from "remark-gfm";
import { CopyButton } from "./CopyButton";

const OWN_MEDIA = /^\/media\/[\w.-]+$/;
const WEB_LINK = /^https?:\/\//i;

const components: Components = {
  a: ({ href, children }) =>
    href && WEB_LINK.test(href)
      ? <a href={href} target="_blank" rel="noopener noreferrer nofollow">{children}</a>
      : <span>{children}</span>,
  img: ({ src, alt }) =>
    typeof src === "string" && OWN_MEDIA.test(src) ? <img src={src} alt={alt ?? ""} /> : <span>{alt || "[…]"}</span>,
  pre: ({ children, node }) => (
    <div className="code-block">
      <pre tabIndex={0}>{children}</pre>
      <CopyButton text={textOf(node)} />
    </div>
  ),
  table: ({ children }) => <div className="table-scroll"><table>{children}</table></div>,
};

interface TextNode {
  type?: string;
  value?: string;
  children?: unknown[];
}

function textOf(node: unknown): string {
  const { value, children } = (node ?? {}) as TextNode;
  return value ?? (children ?? []).map(textOf).join("");
}

export const Markdown = memo(function Markdown({ text }: { text: string }) {
  return (
    <div className="markdown">
      <ReactMarkdown remarkPlugins={[remarkGfm, remarkBreaks]} rehypePlugins={[rehypeSanitize]} components={components}>
        {text}
      </ReactMarkdown>
    </div>
  );
});
