/** Owns questions over the documents, and answers whose citations open the passage. */
import { Button, Group, Loader, Stack, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/shared/api/client";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { Markdown } from "@/shared/components/Markdown";
import type { Answer, Span } from "./documents";

export function AskPanel({ onOpen }: { onOpen: (span: Span) => void }) {
  const { t } = useTranslation();
  const [question, setQuestion] = useState("");
  const ask = useMutation({
    mutationFn: (asked: string) => api<Answer>("/ask/question", { method: "POST", json: { question: asked, top_k: 5 } }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (question.trim()) ask.mutate(question.trim());
  };
  return (
    <Stack gap="md">
      <form onSubmit={submit}>
        <Group gap="xs" wrap="nowrap">
          <TextInput flex={1} aria-label={t("documents.question")} placeholder={t("documents.questionHint")} value={question} onChange={(event) => setQuestion(event.target.value)} />
          <Button type="submit" loading={ask.isPending} disabled={!question.trim()}>{t("documents.ask")}</Button>
        </Group>
      </form>
      <div aria-live="polite">
        {ask.isPending && <Group gap="xs"><Loader size="xs" /><Text size="sm" c="dimmed">{t("documents.reading")}</Text></Group>}
        {ask.error && <ErrorNotice error={ask.error} onRetry={() => ask.variables && ask.mutate(ask.variables)} />}
        {ask.data && !ask.isPending && <AnswerCard answer={ask.data} question={ask.variables ?? ""} onOpen={onOpen} />}
        {ask.isIdle && <Text size="sm" c="dimmed">{t("documents.askHint")}</Text>}
      </div>
    </Stack>
  );
}

function AnswerCard({ answer, question, onOpen }: { answer: Answer; question: string; onOpen: (span: Span) => void }) {
  const { t } = useTranslation();
  return (
    <article className="card answer" data-answer>
      <Text size="sm" c="dimmed" mb="xs">{question}</Text>
      {!answer.found && <Text size="sm" fw={600} mb={4}>{t("documents.notFound")}</Text>}
      <Markdown text={answer.answer} />
      {answer.citations.length > 0 && (
        <>
          <Text size="xs" fw={600} c="dimmed" mt="md" mb={6}>{t("documents.citations")}</Text>
          <ol className="citations">
            {answer.citations.map((citation, index) => (
              <li key={index}>
                <UnstyledButton className="citation" onClick={() => onOpen(citation)}>
                  <span className="citation-title"><Icon name="documents" size={15} />[{index + 1}] {citation.title}{citation.page ? ` · ${t("documents.page", { page: citation.page })}` : ""}</span>
                  <span className="quote">“{citation.quote}”</span>
                </UnstyledButton>
              </li>
            ))}
          </ol>
        </>
      )}
    </article>
  );
}
