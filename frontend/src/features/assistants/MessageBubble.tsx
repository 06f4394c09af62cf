/** Owns how one message of a thread looks: text with its sources, pictures, charts. */
import { Anchor, Group, Text } from "@mantine/core";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { CopyButton } from "@/shared/components/CopyButton";
import { Markdown } from "@/shared/components/Markdown";
import { useFile } from "./assistants";
import { contentUrl, type Annotation, type ContentPart, type ThreadMessage } from "./wire";

export const MessageBubble = memo(function MessageBubble({ message }: { message: ThreadMessage }) {
  const user = message.role === "user";
  const files = (message.attachments ?? []).flatMap(({ file_id }) => (file_id ? [file_id] : []));
  return (
    <div className={user ? "bubble user" : "bubble bot"} data-role={message.role} data-pending={message.status === "in_progress" ? message.status : undefined}>
      {message.content.map((part, at) => <Part key={at} part={part} user={user} />)}
      {files.map((id) => <FileName key={id} id={id} />)}
      {!user && <Group gap={4} className="bubble-foot"><CopyButton text={textOf(message)} /></Group>}
    </div>
  );
});

function Part({ part, user }: { part: ContentPart; user: boolean }) {
  const { t } = useTranslation();
  if (part.type === "image_file") {
    const url = contentUrl(part.image_file.file_id);
    return <a href={url} target="_blank" rel="noopener noreferrer"><img className="chart" src={url} alt={t("assistants.chart")} /></a>;
  }
  if (part.type === "image_url") return <Text size="sm" className="wrap">{part.image_url.url}</Text>;
  if (part.type === "refusal") return <Text size="sm">{part.refusal}</Text>;
  if (user) return part.text.value;
  return <><Markdown text={part.text.value} /><Sources annotations={part.text.annotations} /></>;
}

/** The files that the text rests on, each once. */
function Sources({ annotations }: { annotations: Annotation[] }) {
  const { t } = useTranslation();
  if (annotations.length === 0) return null;
  return (
    <ol className="citations" aria-label={t("assistants.sources")}>
      {annotations.map((annotation, at) => (
        <li key={at} className="citation">
          <FileName id={(annotation.file_citation ?? annotation.file_path)?.file_id ?? ""} mark={annotation.text} />
          {annotation.file_citation?.quote && <span className="quote">“{annotation.file_citation.quote}”</span>}
        </li>
      ))}
    </ol>
  );
}

export function FileName({ id, mark }: { id: string; mark?: string }) {
  const name = useFile(id).data?.filename ?? id;
  return <Anchor href={contentUrl(id)} download={name} size="xs" display="block" c="inherit" underline="always" className="ellipsis">{mark ? `${mark} ${name}` : name}</Anchor>;
}

function textOf(message: ThreadMessage): string {
  return message.content.flatMap((part) => (part.type === "text" ? [part.text.value] : [])).join("\n\n");
}
