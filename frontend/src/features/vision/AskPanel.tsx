/** Owns questions about the picture and the writing in it, for installed models that can. */
import { Button, Group, Loader, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { errorOf, presenceOf } from "@/shared/api/lists";
import { CopyButton } from "@/shared/components/CopyButton";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { look, type Source } from "@/shared/source";
import type { Abilities } from "./abilities";
import type { Choosing } from "./choosing";
import { ModelPicker } from "./ModelPicker";

const QUESTION_MOST = 2000;

interface Props {
  source: Source;
  choosing: Choosing;
}

export function AskPanel({ source, choosing, abilities }: Props & { abilities: Abilities }) {
  const { t } = useTranslation();
  const presence = presenceOf(choosing.list, Number(abilities.question) + Number(abilities.ocr), "vision");
  return (
    <Stack gap="lg">
      {abilities.question && <Question source={source} choosing={choosing} />}
      {abilities.ocr && <Writing source={source} choosing={choosing} />}
      {presence === "loading" && <Loader size="sm" aria-label={t("common.loading")} />}
      {presence === "failed" && <ErrorNotice error={errorOf(choosing.list, "vision")} onRetry={() => void choosing.list.refetch()} />}
      {presence === "none" && <Text size="sm" c="dimmed">{t("vision.askHint")}</Text>}
    </Stack>
  );
}

function Question({ source, choosing }: Props) {
  const { t } = useTranslation();
  const [question, setQuestion] = useState("");
  const ask = useMutation({ mutationFn: (asked: string) => look<{ answer: string; question: string; model: string }>("questions", source, { question: asked, ...choosing.field("question") }) });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (question.trim()) ask.mutate(question.trim());
  };
  return (
    <Stack gap="sm">
      <ModelPicker task="question" choosing={choosing} />
      <form onSubmit={submit}>
        <Group align="flex-end" gap="xs" wrap="nowrap">
          <TextInput flex={1} label={t("vision.question")} placeholder={t("vision.questionHint")} maxLength={QUESTION_MOST} value={question}
            onChange={(event) => setQuestion(event.target.value)} />
          <Button type="submit" loading={ask.isPending} disabled={!question.trim()}>{t("vision.ask")}</Button>
        </Group>
      </form>
      {ask.error && <ErrorNotice error={ask.error} onRetry={() => ask.mutate(ask.variables)} />}
      {ask.data && <Told title={ask.data.question} text={ask.data.answer} none={t("vision.noAnswer")} model={ask.data.model} />}
    </Stack>
  );
}

function Writing({ source, choosing }: Props) {
  const { t } = useTranslation();
  const read = useMutation({ mutationFn: () => look<{ text: string; model: string }>("texts", source, choosing.field("ocr")) });
  return (
    <Stack gap="sm">
      <ModelPicker task="ocr" choosing={choosing} />
      <Button variant="default" onClick={() => read.mutate()} loading={read.isPending} leftSection={<Icon name="documents" size={16} />}>{t("vision.read")}</Button>
      {read.error && <ErrorNotice error={read.error} onRetry={() => read.mutate()} />}
      {read.data && <Told title={t("vision.writing")} text={read.data.text} none={t("vision.noWriting")} model={read.data.model} />}
    </Stack>
  );
}

function Told({ title, text, none, model }: { title: string; text: string; none: string; model: string }) {
  return (
    <div aria-live="polite">
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Text size="sm" fw={600} className="wrap">{title}</Text>
        {text && <CopyButton text={text} />}
      </Group>
      <Text size="sm" className="pre-wrap" c={text ? undefined : "dimmed"}>{text || none}</Text>
      <Text size="xs" c="dimmed">{model}</Text>
    </div>
  );
}
